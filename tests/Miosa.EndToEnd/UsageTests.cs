namespace Miosa.EndToEnd;

public sealed class UsageTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Usage_is_told_for_a_running_sandbox(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);

        var usage = await Twins.CallAsync(async, () => sandbox.GetUsage(), () => sandbox.GetUsageAsync());

        Assert.Equal(sandbox.Id, usage.SandboxId);
        Assert.Equal(SandboxState.Running, usage.State);
        Assert.Equal("measured", usage.MeasurementStatus["active_cpu"]);
        Assert.True(usage.ActiveCpuMs >= 0 && usage.MemoryBytes > 0);
    }
}
