namespace Miosa.Tests;

public sealed class WatchTests
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Changes_come_in_order_and_the_loop_ends_with_the_folder(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents(
            ": heartbeat\n\n", Change("created", "/w/a"), "event: change\ndata: {\n\n", Change("renamed", "/w/b", "\"/w/a\""), Change("rescan", "/w"), Change("ended", "/w"), Change("created", "/w/never")).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        var begun = 0;

        void Begin() => begun++;

        var changes = await Twins.AllAsync(async, () => sandbox.Files.WatchDir("/w", recursive: false, Begin), () => sandbox.Files.WatchDirAsync("/w", recursive: false, Begin));

        Assert.Equal([FileWatchEvents.Created, FileWatchEvents.Renamed, FileWatchEvents.Rescan, FileWatchEvents.Ended], changes.Select(change => change.Event));
        Assert.Equal(1, begun);
        Assert.Equal(("/w/b", "/w/a"), (changes[1].Path, changes[1].OldPath));
        Assert.Equal("/sandboxes/sbx_1/files/watch?path=%2Fw&recursive=false", server.Seen[1].Path);
        Assert.Equal("text/event-stream", server.Seen[1].Headers["Accept"]);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_watch_that_breaks_off_is_an_error_and_not_begun_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents(Change("created", "/w/a")).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ConnectionException>(() => Twins.AllAsync(async, () => sandbox.Files.WatchDir(), () => sandbox.Files.WatchDirAsync()));

        Assert.Equal(2, server.Seen.Count);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_watch_that_cannot_go_on_says_why(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents(Change("error", "/w")).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<MiosaException>(() => Twins.AllAsync(async, () => sandbox.Files.WatchDir("/w"), () => sandbox.Files.WatchDirAsync("/w")));

        Assert.Contains("because", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Leaving_the_loop_ends_the_watch(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var gone = new TaskCompletionSource();
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            await ScriptedServer.EventsAsync(context, Change("created", "/w/a"));
            await ScriptedServer.GoneAsync(context);
            gone.SetResult();
        }).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Twins.CallAsync(async, () => sandbox.Files.WatchDir().First(), () => sandbox.Files.WatchDirAsync().FirstAsync().AsTask());

        await gone.Task.WaitAsync(Deadline.Generous, TestContext.Current.CancellationToken);
    }

    private static string Change(string what, string path, string oldPath = "null")
    {
        var type = what is "rescan" or "ended" or "error" ? what : "change";
        var message = type == "change" ? "" : ",\"message\":\"because\"";
        return $"id: 1\nevent: {type}\ndata: {{\"event\":\"{what}\",\"type\":\"{what}\",\"path\":\"{path}\",\"old_path\":{oldPath},\"is_dir\":false,\"size_bytes\":null,\"ts\":\"2026-05-26T10:14:23.000Z\"{message}}}\n\n";
    }
}
