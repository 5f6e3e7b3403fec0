namespace Miosa.EndToEnd;

public sealed class EnvTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Variables_are_set_listed_used_and_deleted(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var env = sandbox.Env;

        await Twins.CallAsync(async, () => env.Set("SECRET", "hidden"), () => env.SetAsync("SECRET", "hidden"));
        var many = new Dictionary<string, string> { ["A"] = "1", ["B"] = "2" };
        await Twins.CallAsync(async, () => env.Set(many, encrypted: false), () => env.SetAsync(many, encrypted: false));
        await Twins.CallAsync(async, () => env.Delete("B"), () => env.DeleteAsync("B"));
        var list = await Twins.CallAsync(async, () => env.List(), () => env.ListAsync());

        Assert.Equal(["A", "SECRET"], list.Select(variable => variable.Key));
        Assert.Equal(["1", null], list.Select(variable => variable.Value));
        Assert.Equal("hidden 1 \n", (await sandbox.RunAsync("echo $SECRET $A \"$B\"")).Stdout);
        var fault = await Assert.ThrowsAsync<ValidationException>(() => Twins.CallAsync(async, () => env.Set("not a name", "x"), () => env.SetAsync("not a name", "x")));
        Assert.Contains("key", fault.Message, StringComparison.Ordinal);
    }
}
