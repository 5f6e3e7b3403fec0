using System.Net;
using System.Net.Sockets;

namespace Miosa.Tests;

public sealed class RetryTests
{
    [Theory]
    [InlineData(429, false)]
    [InlineData(500, true)]
    [InlineData(502, false)]
    [InlineData(503, true)]
    [InlineData(504, false)]
    public async Task Transient_answer_is_tried_again_after_a_growing_pause(int status, bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.Then(status).Then(status).Then(status).Then(200, Wire.Sandbox).Client(clock);

        var sandbox = await Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x"));

        Assert.Equal("sbx_1", sandbox.Id);
        Assert.Equal(4, server.Seen.Count);
        Assert.Collection(
            clock.Pauses,
            pause => Assert.InRange(pause.TotalSeconds, 0.5, 1.0),
            pause => Assert.InRange(pause.TotalSeconds, 1.0, 1.5),
            pause => Assert.InRange(pause.TotalSeconds, 2.0, 2.5));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task After_the_last_retry_the_failure_comes_out(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(503, """{"error":"busy","code":"UNAVAILABLE"}""").Client(maxRetries: 2);

        var failure = await Assert.ThrowsAsync<ServerException>(() => Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x")));

        Assert.Equal(503, failure.StatusCode);
        Assert.Equal(3, server.Seen.Count);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(422)]
    [InlineData(501)]
    public async Task Final_answer_is_not_tried_again(int status)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(status).Client();

        await Assert.ThrowsAnyAsync<MiosaException>(() => client.Sandboxes.GetAsync("x"));

        Assert.Single(server.Seen);
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("0", null)]
    [InlineData("3600", 30)]
    [InlineData("Mon, 23 Nov 2026 12:00:09 GMT", 9)]
    public async Task Retry_After_decides_the_pause_up_to_30_seconds(string header, int? seconds)
    {
        await using var server = await ScriptedServer.StartAsync();
        var clock = new TestClock();
        using var client = server.Then(429, "{}", "application/json", ("Retry-After", header)).Then(200, Wire.Sandbox).Client(clock);

        await client.Sandboxes.GetAsync("x").WaitAsync(Deadline.Generous);

        Assert.Equal(seconds is { } some ? [TimeSpan.FromSeconds(some)] : [], clock.Pauses);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Cut_connection_is_tried_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.ThenCut().Then(200, Wire.Sandbox).Client();

        var sandbox = await Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x"));

        Assert.Equal("sbx_1", sandbox.Id);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Answer_that_breaks_off_is_tried_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(async context =>
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = 1000;
            await context.Response.BodyWriter.WriteAsync("{\"id\":"u8.ToArray());
            context.Abort();
        }).Then(200, Wire.Sandbox).Client();

        var sandbox = await Twins.CallAsync(async, () => client.Sandboxes.Get("x"), () => client.Sandboxes.GetAsync("x"));

        Assert.Equal("sbx_1", sandbox.Id);
    }

    [Fact]
    public async Task Create_sends_one_key_over_all_tries_and_a_new_one_for_the_next_create()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(500).ThenCut().Then(201, Wire.Sandbox).Client();

        await client.Sandboxes.CreateAsync(cancellationToken: TestContext.Current.CancellationToken);
        await client.Sandboxes.CreateAsync(cancellationToken: TestContext.Current.CancellationToken);

        var keys = server.Seen.Select(request => request.Headers["Idempotency-Key"]).ToArray();
        Assert.Equal(4, keys.Length);
        Assert.Single(keys[..3].Distinct());
        Assert.NotEqual(keys[0], keys[3]);
        Assert.True(Guid.TryParse(keys[0], out _));
    }

    [Fact]
    public async Task Create_sends_the_callers_key()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(201, Wire.Sandbox).Client();

        await client.Sandboxes.CreateAsync(idempotencyKey: "mine", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal("mine", server.Seen.Single().Headers["Idempotency-Key"]);
    }

    [Theory]
    [InlineData(500, false)]
    [InlineData(502, true)]
    [InlineData(504, true)]
    [InlineData(0, false)]
    [InlineData(0, true)]
    public async Task Command_that_may_have_begun_is_never_sent_again(int status, bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        _ = status == 0 ? server.ThenCut() : server.Then(status);

        await Assert.ThrowsAnyAsync<MiosaException>(() => Twins.CallAsync(async, () => sandbox.Run("rm x"), () => sandbox.RunAsync("rm x")));
        await Assert.ThrowsAnyAsync<MiosaException>(() => Twins.AllAsync(async, () => sandbox.ExecStream("rm x"), () => sandbox.ExecStreamAsync("rm x")));

        Assert.Equal(3, server.Seen.Count);
    }

    [Theory]
    [InlineData(429, false)]
    [InlineData(503, true)]
    public async Task Command_refused_before_it_began_is_sent_again(int status, bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Wire.Sandbox).Then(status).Then(200, """{"exit_code":5}""").Client();
        var sandbox = await client.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);

        var result = await Twins.CallAsync(async, () => sandbox.Run("true"), () => sandbox.RunAsync("true"));

        Assert.Equal(5, result.ExitCode);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Command_that_never_left_is_sent_again(bool async)
    {
        // A port that was free a moment ago: nobody listens there.
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var clock = new TestClock();
        using var client = new MiosaClient(new MiosaOptions { ApiKey = "msk_x", BaseUrl = $"http://127.0.0.1:{port}", TimeProvider = clock, Timeout = TimeSpan.FromSeconds(100) });

        var failure = await Assert.ThrowsAsync<ConnectionException>(
            () => Twins.CallAsync(async, () => client.Sandboxes.Exec("x", "true"), () => client.Sandboxes.ExecAsync("x", "true")));

        Assert.Equal(3, clock.Pauses.Count);
        Assert.True(failure.IsTransient);
        Assert.False(failure.IsTimeout);
        Assert.Null(failure.StatusCode);
    }
}
