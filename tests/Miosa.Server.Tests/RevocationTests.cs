using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A key that is over opens nothing any more, and what it had open ends.</summary>
public sealed class RevocationTests(Tenant tenant) : IClassFixture<Tenant>
{
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(2);

    private Api Api => tenant.Api;

    [Fact]
    public async Task Revoking_a_key_cuts_its_streams_sockets_and_commands_at_once()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-sandbox"}""");
        var key = (await Api.PostAsync("api-keys", """{"name":"doomed"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        using var events = await api.EventsAsync($"sandboxes/{id}/events");
        var stream = events.ToEndAsync();
        using var nobody = tenant.Platform.Api(null);
        using var byTicket = await nobody.EventsAsync($"sandboxes/{id}/events?ticket=" + (await api.PostAsync("auth/sse-ticket")).Expect(201).Text("ticket"));
        var ticketStream = byTicket.ToEndAsync();
        using var socket = await ConnectAsync(api, key.Text("token"), $"sandboxes/{id}/exec/ws?command=sleep%207373");
        var closed = socket.ReceiveAsync(new byte[100], CancellationToken.None);
        var command = api.PostAsync($"sandboxes/{id}/exec", """{"command":"sleep 7474","timeout_sec":600}""");
        await RunningAsync(id, "sleep 7373", "sleep 7474");
        // Of another key of the same tenant: nothing of it ends.
        using var bystander = await Api.EventsAsync($"sandboxes/{id}/events");

        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);

        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
        await CutAsync(stream);
        await CutAsync(ticketStream);
        await CutAsync(closed);
        await CutAsync(command);
        await Miosa.Platform.Platform.UntilAsync("its commands are gone", async () => await Api.RunAsync(id, "ps ax | grep -c '[s]leep 7[34]7[34]'; true") == "0\n");
        (await Api.PostAsync($"sandboxes/{id}/extend", "{}")).Expect(200);
        SseEvent? next;
        do
            next = await bystander.NextAsync();
        while (next is { Type: not "sandbox.updated" });
        Assert.NotNull(next);
        Assert.Equal("revoked", (await Api.GetAsync("api-keys/" + key.Text("id"))).Text("status"));
        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);
    }

    [Fact]
    public async Task A_revocation_on_the_command_line_takes_effect_within_a_second_and_cuts_streams_too()
    {
        var id = await Api.CreateAsync("""{"memory_mb":256}""");
        var key = (await Api.PostAsync("api-keys", """{"name":"doomed"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        using var events = await api.EventsAsync($"sandboxes/{id}/events");
        var stream = events.ToEndAsync();
        (await api.GetAsync("sandboxes")).Expect(200);

        await tenant.Platform.AdminAsync("key", "revoke", key.Text("id"));
        var clock = Stopwatch.StartNew();
        await Miosa.Platform.Platform.UntilAsync("the key is refused", async () => await api.TryGetAsync("sandboxes") == System.Net.HttpStatusCode.Unauthorized, AtOnce);
        await CutAsync(stream);
        Assert.True(clock.Elapsed < AtOnce, $"it took {clock.Elapsed}");
    }

    [Fact]
    public async Task A_key_whose_time_is_over_is_refused_and_its_streams_end()
    {
        var id = await Api.CreateAsync("""{"memory_mb":256}""");
        var key = (await Api.PostAsync("api-keys", $$"""{"name":"short","expires_at":"{{DateTimeOffset.UtcNow.AddSeconds(4):yyyy-MM-dd'T'HH:mm:ss'Z'}}"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        using var events = await api.EventsAsync($"sandboxes/{id}/events");
        Assert.Equal(200, (int)events.Response.StatusCode);
        await CutAsync(events.ToEndAsync(), TimeSpan.FromSeconds(10));
        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
        Assert.Equal("expired", (await Api.GetAsync("api-keys/" + key.Text("id"))).Text("status"));
    }

    [Fact]
    public async Task A_key_that_revokes_itself_gets_its_answer()
    {
        var key = (await Api.PostAsync("api-keys", """{"name":"last"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        (await api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);
        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
    }

    [Fact]
    public async Task A_preview_that_a_key_opened_ends_with_it()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-sandbox"}""");
        // Answers and never ends.
        const string Site = """
            python3 -c "
            import http.server, time
            class H(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200); self.send_header('Content-Type', 'text/plain'); self.end_headers()
                    while True:
                        self.wfile.write(b'x'); self.wfile.flush(); time.sleep(0.05)
            http.server.ThreadingHTTPServer(('', 3000), H).serve_forever()"
            """;
        (await Api.PostAsync($"sandboxes/{id}/processes", JsonSerializer.Serialize(new { command = Site }))).Expect(201);
        var key = (await Api.PostAsync("api-keys", """{"name":"visitor"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        HttpResponseMessage? page = null;
        await Miosa.Platform.Platform.UntilAsync("the page is there", async () =>
        {
            page?.Dispose();
            page = await api.Http.GetAsync($"{api.Root}/p/{id}/3000/", HttpCompletionOption.ResponseHeadersRead);
            return page.IsSuccessStatusCode;
        });
        await using var body = await page!.Content.ReadAsStreamAsync();
        Assert.NotEqual(0, await body.ReadAsync(new byte[1]));

        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);

        await CutAsync(body.CopyToAsync(Stream.Null));
        using var again = await api.Http.GetAsync($"{api.Root}/p/{id}/3000/");
        Assert.Equal(403, (int)again.StatusCode);
        page.Dispose();
    }

    [Fact]
    public async Task A_hundred_requests_race_a_revocation_and_none_comes_through_after_it()
    {
        var key = (await Api.PostAsync("api-keys", """{"name":"raced"}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        using var over = new CancellationTokenSource();
        var late = 0;
        var isRevoked = false;
        var callers = Enumerable.Range(0, 20).Select(async _ =>
        {
            while (!over.IsCancellationRequested)
            {
                var wasRevoked = Volatile.Read(ref isRevoked);
                try
                {
                    if ((await api.GetAsync("sandboxes")).Status == 200 && wasRevoked)
                        Interlocked.Increment(ref late);
                }
                catch (HttpRequestException)
                {
                    // Cut in the middle of it.
                }
            }
        }).ToList();
        for (var i = 0; i < 100; i++)
            (await Api.GetAsync("api-keys/" + key.Text("id"))).Expect(200);
        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);
        Volatile.Write(ref isRevoked, true);
        for (var i = 0; i < 100; i++)
            (await Api.GetAsync("api-keys/" + key.Text("id"))).Expect(200);
        await over.CancelAsync();
        await Task.WhenAll(callers);
        Assert.Equal(0, late);
    }

    /// <summary>It ends, in whatever way: an end of the answer, a broken connection, a cancelled read.</summary>
    private static async Task CutAsync(Task task, TimeSpan? within = null)
    {
        try
        {
            await task.WaitAsync(within ?? AtOnce);
        }
        catch (TimeoutException)
        {
            throw;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or WebSocketException or OperationCanceledException)
        {
            // As it should.
        }
    }

    private async Task RunningAsync(string id, params string[] commands)
    {
        foreach (var command in commands)
            await Miosa.Platform.Platform.UntilAsync($"{command} runs", async () => (await Api.RunAsync(id, "ps ax")).Contains(command, StringComparison.Ordinal));
    }

    private static async Task<ClientWebSocket> ConnectAsync(Api api, string key, string path)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + key);
        await socket.ConnectAsync(new Uri($"ws{api.Root["http".Length..]}/api/v1/{path}"), CancellationToken.None);
        return socket;
    }
}
