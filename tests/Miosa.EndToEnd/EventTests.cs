namespace Miosa.EndToEnd;

public sealed class EventTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Kept_events_come_first_and_the_stream_ends_with_the_sandbox(bool async)
    {
        using var client = platform.Client();
        var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.DestroyAsync();

        var events = await Twins.AllAsync(async, () => sandbox.Events.Stream(), () => sandbox.Events.StreamAsync());

        var types = events.Select(one => one.Type).ToList();
        Assert.Contains(EventNames.SandboxCreated, types);
        Assert.Contains(EventNames.SandboxReady, types);
        Assert.Equal(1, types.Count(type => type is EventNames.BuildCompleted or EventNames.BuildFailed or EventNames.BuildTimedOut));
        Assert.Equal(EventNames.SandboxDestroyed, types[^1]);
        Assert.All(events, one => Assert.Equal(sandbox.Id, one.SandboxId));

        var rest = await Twins.AllAsync(
            async, () => sandbox.Events.Stream(lastEventId: events[^2].EventId), () => sandbox.Events.StreamAsync(lastEventId: events[^2].EventId));
        Assert.Equal([events[^1].EventId], rest.Select(one => one.EventId));
        Assert.Empty(await Twins.AllAsync(
            async, () => sandbox.Events.Stream(lastEventId: events[^1].EventId), () => sandbox.Events.StreamAsync(lastEventId: events[^1].EventId)));
    }

    [Fact]
    public async Task Events_arrive_as_they_happen()
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var seen = new List<string>();

        await foreach (var one in sandbox.Events.StreamAsync(["build.completed", "sandbox.paused", "sandbox.resumed"]))
        {
            seen.Add(one.Type);
            if (one.Type == EventNames.BuildCompleted)
                await sandbox.PauseAsync();
            else if (one.Type == EventNames.SandboxPaused)
                await sandbox.ResumeAsync();
            else
                await sandbox.DestroyAsync();
        }

        Assert.Equal([EventNames.BuildCompleted, EventNames.SandboxPaused, EventNames.SandboxResumed], seen);
    }
}
