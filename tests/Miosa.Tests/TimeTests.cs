using Microsoft.AspNetCore.Http;

namespace Miosa.Tests;

/// <summary>Silence, cancellation and disposal. Where a limit really runs out, it is a short one on the system's clock.</summary>
public sealed class TimeTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Silent_server_is_a_timeout(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.ThenSilence().Client(TimeProvider.System, maxRetries: 0, timeout: Short);

        var failure = await Assert.ThrowsAsync<ConnectionException>(() => Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x")));

        Assert.True(failure.IsTimeout);
        Assert.True(failure.IsTransient);
        Assert.Equal("GET /sandboxes/x: no answer for 0.2 s", failure.Message);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Timeout_is_tried_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.ThenSilence().Then(200, Wire.Sandbox).Client(clock);

        var call = Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x"));
        await server.ArrivalAsync();
        clock.RunOut();

        Assert.Equal("sbx_1", (await call).Id);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Answer_that_falls_silent_half_way_is_a_timeout(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(async context =>
        {
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            await ScriptedServer.GoneAsync(context);
        }).Client(TimeProvider.System, maxRetries: 0, timeout: Short);
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<ConnectionException>(
            () => Twins.CallAsync(async, () => sandbox.Files.ReadBytes("x"), () => sandbox.Files.ReadBytesAsync("x")));

        Assert.True(failure.IsTimeout);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Slow_reader_is_not_a_silent_server(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.Then(200, Wire.Sandbox).Then(200, "content", "text/plain").Client(clock);
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        using var stream = await Twins.CallAsync(async, () => sandbox.Files.OpenRead("x"), () => sandbox.Files.OpenReadAsync("x"));
        clock.RunOut();

        using var reader = new StreamReader(stream);
        Assert.Equal("content", await Twins.CallAsync(async, reader.ReadToEnd, reader.ReadToEndAsync));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Command_may_be_silent_for_35_seconds_whatever_the_timeout(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.Then(200, """{"exit_code":0}""").Client(clock, timeout: TimeSpan.FromSeconds(5));

        await Twins.CallAsync(async, () => client.Sandboxes.Exec("x", "make"), () => client.Sandboxes.ExecAsync("x", "make"));

        Assert.NotEmpty(clock.Limits);
        Assert.All(clock.Limits, limit => Assert.Equal(TimeSpan.FromSeconds(35), limit));
        Assert.Empty(clock.Pauses);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Command_kept_alive_by_blanks_outlives_the_timeout(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        var release = new SemaphoreSlim(0);
        using var client = server.Then(async context =>
        {
            context.Response.ContentType = "application/json";
            for (var i = 0; i < 3; i++)
            {
                await context.Response.WriteAsync(" ");
                await context.Response.Body.FlushAsync();
                await release.WaitAsync(Deadline.Generous);
            }
            await context.Response.WriteAsync("""{"exit_code":4}""");
        }).Client(clock, timeout: TimeSpan.FromSeconds(60));

        var call = Twins.CallAsync(async, () => client.Sandboxes.Exec("x", "make"), () => client.Sandboxes.ExecAsync("x", "make"));
        await server.ArrivalAsync();
        release.Release(3);

        Assert.Equal(4, (await call).ExitCode);
        // Started anew for the headers and for each read, never one limit for the whole.
        Assert.True(clock.Limits.Count >= 3);
    }

    [Fact]
    public async Task Cancelling_is_an_OperationCanceledException_and_hangs_up()
    {
        await using var server = await ScriptedServer.StartAsync();
        var gone = new TaskCompletionSource();
        using var client = server.Then(async context =>
        {
            await ScriptedServer.GoneAsync(context);
            gone.SetResult();
        }).Client();
        using var cancel = new CancellationTokenSource();

        var call = client.Sandboxes.ExecAsync("x", "sleep 100", cancellationToken: cancel.Token);
        await server.ArrivalAsync();
        await cancel.CancelAsync();

        var failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal(cancel.Token, failure.CancellationToken);
        await gone.Task.WaitAsync(Deadline.Generous, TestContext.Current.CancellationToken);
        Assert.Single(server.Seen);
    }

    [Fact]
    public async Task Cancelled_token_sends_nothing()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.Sandboxes.GetAsync("x", new CancellationToken(canceled: true)));

        Assert.Empty(server.Seen);
    }

    [Fact]
    public async Task Cancelling_ends_the_pause_between_tries()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(503, "{}", "application/json", ("Retry-After", "30")).Client(TimeProvider.System);
        using var cancel = new CancellationTokenSource();

        var call = client.Sandboxes.GetAsync("x", cancel.Token);
        await server.ArrivalAsync();
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Disposed_client_refuses_calls(bool async)
    {
        var client = new MiosaClient("msk_x", "http://127.0.0.1:1");
        if (async)
            await client.DisposeAsync();
        else
            client.Dispose();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x")));
    }

    [Theory]
    [InlineData(200, false)]
    [InlineData(200, true)]
    [InlineData(404, false)]
    [InlineData(404, true)]
    public async Task Disposing_a_sandbox_destroys_it_and_swallows_failures(int status, bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(status, status == 200 ? Wire.State("destroyed") : "{}").Client();
        var sandbox = client.Sandboxes.Get("x");

        await Twins.CallAsync(async, sandbox.Dispose, () => sandbox.DisposeAsync().AsTask());

        Assert.Equal(["GET", "DELETE"], server.Seen.Select(request => request.Method));
    }

    [Fact]
    public async Task Destroyed_sandbox_is_not_destroyed_again_when_disposed()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(200, Wire.State("destroyed")).Client();
        await using (var sandbox = client.Sandboxes.Get("x"))
            await sandbox.DestroyAsync(TestContext.Current.CancellationToken);

        Assert.Equal(2, server.Seen.Count);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task WaitUntilReady_listens_until_the_sandbox_is_ready(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.State("provisioning"))
            .Then(200, """{"ready":false,"status":"pending"}""")
            .ThenEvents(": heartbeat\n\n", "event: ready\ndata: {}\n\n")
            .Then(200, """{"ready":true,"status":"ready"}""")
            .Then(200, Wire.Sandbox)
            .Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var ready = await Twins.CallAsync(async, () => sandbox.WaitUntilReady(TimeSpan.FromMinutes(1)), () => sandbox.WaitUntilReadyAsync(TimeSpan.FromMinutes(1)));

        Assert.Same(sandbox, ready);
        Assert.Equal("running", sandbox.State);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task WaitUntilReady_ends_with_a_TimeoutException(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.State("provisioning")).Then(200, """{"ready":false,"status":"pending"}""").ThenSilence().Client(TimeProvider.System);
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<TimeoutException>(() => Twins.CallAsync(async, () => sandbox.WaitUntilReady(Short), () => sandbox.WaitUntilReadyAsync(Short)));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task WaitUntilReady_tells_why_a_sandbox_failed(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.State("error")).Then(200, """{"ready":false,"status":"error","reason":"no space"}""").Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var failure = await Assert.ThrowsAsync<MiosaException>(() => Twins.CallAsync(async, () => sandbox.WaitUntilReady(TimeSpan.FromMinutes(1)), () => sandbox.WaitUntilReadyAsync(TimeSpan.FromMinutes(1))));

        Assert.Equal("error", failure.Code);
        Assert.Contains("no space", failure.Message, StringComparison.Ordinal);
    }
}
