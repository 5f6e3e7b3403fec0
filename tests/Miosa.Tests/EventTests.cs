using Microsoft.AspNetCore.Http;

namespace Miosa.Tests;

public sealed class EventTests
{
    private static readonly string Created = Wire.Event("sandbox.created", "evt_1");
    private static readonly string Ready = Wire.Event("sandbox.ready", "evt_2");
    private static readonly string Destroyed = Wire.Event("sandbox.destroyed", "evt_3", "destroyed");

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Events_come_in_order_whatever_the_pieces_and_end_with_the_sandbox(bool async)
    {
        var whole = ": heartbeat\n\n" + Created + ": heartbeat\n\n" + Ready.Replace("\n", "\r\n", StringComparison.Ordinal) + Destroyed + Created;
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents([.. whole.Select(c => c.ToString())]).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var events = await Twins.AllAsync(async, () => sandbox.Events.Stream(), () => sandbox.Events.StreamAsync());

        Assert.Equal(["sandbox.created", "sandbox.ready", "sandbox.destroyed"], events.Select(one => one.Type));
        Assert.Equal(["evt_1", "evt_2", "evt_3"], events.Select(one => one.EventId));
        Assert.Equal("sbx_1", events[0].SandboxId);
        Assert.Equal(new DateTimeOffset(2026, 5, 26, 10, 14, 23, TimeSpan.Zero), events[0].Ts);
        Assert.Equal("text/event-stream", server.Seen[1].Headers["Accept"]);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Dropped_stream_goes_on_after_the_last_event(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var received = new TaskCompletionSource();
        using var client = server.Then(200, Wire.Sandbox)
            .Then(async context =>
            {
                await ScriptedServer.EventsAsync(context, Created);
                // A reset also throws away what the client has not read yet.
                await received.Task.WaitAsync(Deadline.Generous);
                context.Abort();
            })
            .Then(503)
            .ThenEvents(Ready + "id: evt_")
            .Then(200, Wire.Sandbox)
            .ThenEvents(Destroyed)
            .Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        SandboxEvent Note(SandboxEvent one)
        {
            received.TrySetResult();
            return one;
        }

        var events = await Twins.AllAsync(
            async, () => sandbox.Events.Stream(lastEventId: "evt_0").Select(Note), () => sandbox.Events.StreamAsync(lastEventId: "evt_0").Select(Note));

        Assert.Equal(["evt_1", "evt_2", "evt_3"], events.Select(one => one.EventId));
        Assert.Equal(["evt_0", "evt_1", "evt_1", "evt_2"], server.Seen.Where(request => request.Path.EndsWith("/events", StringComparison.Ordinal)).Select(request => request.Headers["Last-Event-ID"]));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_of_some_types_ends_with_the_sandbox_without_telling_so(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents(Wire.Event("build.completed", "evt_1"), Destroyed).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var events = await Twins.AllAsync(async, () => sandbox.Events.Stream(["build.*"]), () => sandbox.Events.StreamAsync(["build.*"]));

        Assert.Equal(["build.completed"], events.Select(one => one.Type));
        Assert.Equal("/sandboxes/sbx_1/events?types=build.%2A%2Csandbox.destroyed", server.Seen[1].Path);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_resumed_after_the_end_of_the_sandbox_is_empty(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents().Then(200, Wire.State("destroyed")).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        Assert.Empty(await Twins.AllAsync(async, () => sandbox.Events.Stream(lastEventId: "evt_3"), () => sandbox.Events.StreamAsync(lastEventId: "evt_3")));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_that_keeps_ending_gives_up(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox)
            .Then(context => context.Request.Path.Value!.EndsWith("/events", StringComparison.Ordinal) ? ScriptedServer.EventsAsync(context) : context.Response.WriteAsync(Wire.Sandbox))
            .Client(maxRetries: 2);
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ConnectionException>(() => Twins.AllAsync(async, () => sandbox.Events.Stream(), () => sandbox.Events.StreamAsync()));

        Assert.Equal(3, server.Seen.Count(request => request.Path.EndsWith("/events", StringComparison.Ordinal)));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Unknown_and_foreign_events_do_not_end_the_stream(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents("data: [DONE]\n\n", "event: x\ndata: {\n\n", Wire.Event("sandbox.new_in_2030", "evt_9"), Destroyed).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var events = await Twins.AllAsync(async, () => sandbox.Events.Stream(), () => sandbox.Events.StreamAsync());

        Assert.Equal(["sandbox.new_in_2030", "sandbox.destroyed"], events.Select(one => one.Type));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Stream_of_an_unknown_sandbox_is_not_found(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(404).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<NotFoundException>(() => Twins.AllAsync(async, () => sandbox.Events.Stream(), () => sandbox.Events.StreamAsync()));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Leaving_the_loop_closes_the_connection(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var gone = new TaskCompletionSource();
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            await ScriptedServer.EventsAsync(context, Created);
            await ScriptedServer.GoneAsync(context);
            gone.SetResult();
        }).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var first = await Twins.CallAsync(async, () => sandbox.Events.Stream().First(), () => sandbox.Events.StreamAsync().FirstAsync().AsTask());

        Assert.Equal("sandbox.created", first.Type);
        await gone.Task.WaitAsync(Deadline.Generous, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Cancelling_ends_the_loop_at_once()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            await ScriptedServer.EventsAsync(context, Created);
            await ScriptedServer.GoneAsync(context);
        }).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        using var stop = new CancellationTokenSource();

        async Task ReadAsync()
        {
            await foreach (var _ in sandbox.Events.StreamAsync(cancellationToken: stop.Token))
                await stop.CancelAsync();
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ReadAsync().WaitAsync(Deadline.Generous));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Streamed_command_gives_lines_then_its_exit(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents(
            "event: stdout\ndata: {\"type\":\"std", "out\",\"line\":\"hällo\",\"data\":\"hällo\\n\"}\n\n: heartbeat\n\n",
            "event: stderr\ndata: {\"type\":\"stderr\",\"line\":\"oops\"}\n\nevent: exit\ndata: {\"type\":\"exit\",\"exit_code\":3,\"exitCode\":3,\"duration_ms\":9}\n\n").Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var items = await Twins.AllAsync(async, () => sandbox.ExecStream("make"), () => sandbox.ExecStreamAsync("make"));

        Assert.Equal(["stdout", "stderr", "exit"], items.Select(item => item.Type));
        Assert.Equal("hällo\n", items[0].Data);
        Assert.Equal("oops", items[1].Line);
        Assert.Equal(3, items[2].ExitCode);
        Assert.Equal(9, items[2].DurationMs);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Streamed_command_that_breaks_off_is_an_error_and_not_run_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).ThenEvents("event: stdout\ndata: {\"type\":\"stdout\",\"line\":\"a\"}\n\n").Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<ConnectionException>(() => Twins.AllAsync(async, () => sandbox.ExecStream("make"), () => sandbox.ExecStreamAsync("make")));

        Assert.Equal(2, server.Seen.Count);
    }
}
