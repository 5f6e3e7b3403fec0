namespace Miosa.EndToEnd;

public sealed class ForkTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_fork_goes_its_own_way(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.Files.WriteAsync("/workspace/shared.txt", "before");

        await using var copy = await Twins.CallAsync(async, () => sandbox.Fork(new() { ExternalUserId = "u" }), () => sandbox.ForkAsync(new() { ExternalUserId = "u" }));
        await copy.Files.WriteAsync("/workspace/shared.txt", "after");

        Assert.NotEqual(sandbox.Id, copy.Id);
        Assert.Equal(("running", "u"), (copy.State, copy.Info.ExternalUserId));
        Assert.Equal("before", await sandbox.Files.ReadTextAsync("/workspace/shared.txt"));
        Assert.Equal("after", (await copy.RunAsync("cat shared.txt")).Stdout);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_destroyed_sandbox_cannot_be_forked(bool async)
    {
        using var client = platform.Client();
        var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.DestroyAsync();

        await Assert.ThrowsAsync<ConflictException>(() => Twins.CallAsync(async, () => sandbox.Fork(), () => sandbox.ForkAsync()));
    }
}
