using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A platform whose server stands behind a proxy, minds bad keys, and logs everything it ever would.</summary>
public sealed class EdgePlatform : IAsyncLifetime
{
    private Miosa.Platform.Platform? platform;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => platform = await Miosa.Platform.Platform.StartAsync(
        "edge", net: 235, ["miosa-busybox", "miosa-sandbox"], "--bad-key-rpm", "20", "--trusted-proxies", "127.0.0.1, 10.1.0.0/16", "--log-level", "Trace");

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
    }
}

/// <summary>What is told of a request by its address, what a stop of the server tells its streams, and what no log tells.</summary>
public sealed class EdgeTests(EdgePlatform edge) : IClassFixture<EdgePlatform>
{
    private Miosa.Platform.Platform Platform => edge.Platform;

    [Fact]
    public async Task Guessing_keys_is_429_after_some_tries_for_that_address_alone_and_its_good_keys_go_on()
    {
        using var good = await Platform.NewApiAsync();
        (await good.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.5"))).Expect(200);
        using var fresh = await Platform.NewApiAsync();
        var codes = new List<int>();
        for (var i = 0; i < 30; i++)
        {
            using var guess = Platform.Api("msk_live_" + i.ToString("D43"));
            codes.Add((await guess.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.5"))).Status);
        }
        Assert.Equal((401, 429), (codes[0], codes[^1]));
        Assert.InRange(codes.Count(c => c == 401), 20, 25);
        using var nobody = Platform.Api(null);
        var refused = await nobody.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.5"));
        Assert.Equal((429, "rate_limit_exceeded"), (refused.Status, refused.Code));
        Assert.Equal(refused.Json.GetProperty("retry_after").GetInt32().ToString(), Assert.Single(refused.Headers.GetValues("Retry-After")));
        // A key in memory works on; one that would have to be looked up has to wait; nobody else is held up.
        (await good.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.5"))).Expect(200);
        Assert.Equal(429, (await fresh.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.5"))).Status);
        (await fresh.SendAsync(HttpMethod.Get, "sandboxes", null, From("198.51.100.6"))).Expect(200);
    }

    [Fact]
    public async Task The_address_of_the_caller_comes_from_the_proxies_that_are_trusted_and_from_nobody_before_them()
    {
        using var api = await Platform.NewApiAsync();
        (await api.SendAsync(HttpMethod.Delete, "sandboxes/none", null, From("6.6.6.6, 198.51.100.7, 10.1.2.3"))).Expect(404);
        Assert.Equal("198.51.100.7", (await api.GetAsync("audit-log?action=sandbox.destroy")).Json.GetProperty("data")[0].Text("ip_address"));
    }

    [Fact]
    public async Task A_stop_of_the_server_ends_every_stream_with_an_event_and_every_socket_with_a_code()
    {
        using var api = await Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"image":"miosa-sandbox"}""");
        var pid = (await api.PostAsync($"sandboxes/{id}/processes", """{"command":"sleep 1000"}""")).Expect(201).Text("pid");
        var session = (await api.PostAsync($"sandboxes/{id}/terminal", "{}")).Expect(201).Text("session_id");
        var streams = new Dictionary<string, Task<List<SseEvent>>>();
        foreach (var path in (string[])["events", "files/watch?path=/workspace", $"processes/{pid}/stream", "exec/stream?command=sleep%208181"])
            streams[path] = (await api.EventsAsync($"sandboxes/{id}/{path}")).ToEndAsync();
        using var terminal = await ConnectAsync(api, $"sandboxes/{id}/terminal/{session}/ws");
        using var command = await ConnectAsync(api, $"sandboxes/{id}/exec/ws?command=sleep%208282");
        var longCommand = api.PostAsync($"sandboxes/{id}/exec", """{"command":"echo begun; sleep 8383","timeout_sec":600}""");
        var shortCommand = api.PostAsync($"sandboxes/{id}/exec", """{"command":"sleep 2; echo done"}""");
        foreach (var running in (string[])["sleep 8181", "sleep 8282", "sleep 8383", "sleep 2"])
            await Miosa.Platform.Platform.UntilAsync($"{running} runs", async () => (await api.RunAsync(id, "ps ax")).Contains(running, StringComparison.Ordinal));

        var clock = Stopwatch.StartNew();
        Assert.Equal(0, await Platform.StopServerAsync());
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(12));

        foreach (var (path, stream) in streams)
        {
            var last = (await stream)[^1];
            Assert.Equal((path, path.StartsWith("exec", StringComparison.Ordinal) ? "error" : "server.stopping"), (path, last.Type));
            Assert.Equal(last.Type, last.Json.Text("type"));
        }
        // "Restarting", and "going away".
        Assert.Equal(1012, await CloseCodeAsync(terminal));
        Assert.Equal(1001, await CloseCodeAsync(command));
        // Never an error status: clients would run it again.
        var ended = (await longCommand).Expect(200);
        Assert.Equal((137, "begun\n"), (ended.Json.GetProperty("exit_code").GetInt32(), ended.Text("stdout")));
        Assert.Contains("the server stops", ended.Text("stderr"));
        Assert.Equal("done\n", (await shortCommand).Expect(200).Text("stdout"));
        await Platform.StartServerAsync();
        Assert.Equal("0\n", await api.RunAsync(id, "ps ax | grep -c '[s]leep 8[123]8[123]'; true"));
        Assert.Equal("running", (await api.GetAsync($"sandboxes/{id}/processes/{pid}")).Text("status"));
    }

    [Fact]
    public async Task No_secret_that_was_made_or_tried_is_in_any_log_or_file_of_the_server()
    {
        var tenant = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"));
        var secrets = new List<string> { await Platform.NewKeyAsync(tenant), await Platform.NewAdminKeyAsync() };
        using var api = Platform.Api(secrets[0]);
        var id = await api.CreateAsync("""{"memory_mb":256}""");
        var made = (await api.PostAsync("api-keys", """{"name":"k"}""", ("Idempotency-Key", Guid.NewGuid().ToString()))).Expect(201).Text("token");
        secrets.Add(made);
        secrets.Add((await api.PostAsync("api-keys/scoped", """{"external_user_id":"u","scopes":["sandboxes:read"]}""", ("Idempotency-Key", Guid.NewGuid().ToString()))).Expect(201).Text("token"));
        var workspace = (await api.PostAsync("workspaces", """{"name":"w"}""")).Expect(201).Text("id");
        var token = (await api.PostAsync("tokens/scoped", $$"""{"user_id":"u","workspace_id":"{{workspace}}"}""")).Expect(201).Text("token");
        secrets.Add(token.Split('.')[2]);
        secrets.Add((await api.PostAsync($"sandboxes/{id}/preview-token", "{}")).Expect(200).Text("token"));
        // Where people put them by mistake, and where they are refused.
        string Never() => "msk_live_" + Guid.NewGuid().ToString("N") + "zzzzzzzzzzz";
        async Task RefusedAsync(int expected, HttpMethod method, string path, string? body = null, string? bearer = null)
        {
            var answer = await api.SendAsync(method, path, body, bearer is null ? [] : [("Authorization", bearer)]);
            Assert.Equal((path, expected), (path, answer.Status));
        }

        foreach (var unknown in (string[])[Never(), Never() + "-malformed", "eyJ.never." + Guid.NewGuid().ToString("N")])
        {
            secrets.Add(unknown);
            using var nobody = Platform.Api(null);
            Assert.Equal(401, (await nobody.SendAsync(HttpMethod.Post, "sandboxes", "{}", ("Authorization", "Bearer " + unknown))).Status);
            Assert.Equal(401, (await nobody.GetAsync($"sandboxes/{id}/exec/ws?token={unknown}")).Status);
            Assert.Equal(401, (await nobody.GetAsync($"sandboxes?token={unknown}&api_key={unknown}")).Status);
        }
        (await api.GetAsync($"sandboxes/{id}?token={made}&key={made}")).Expect(200);
        await RefusedAsync(404, HttpMethod.Delete, "api-keys/" + made);
        await RefusedAsync(404, HttpMethod.Delete, "sandboxes/" + made);
        await RefusedAsync(404, HttpMethod.Get, "sandboxes/" + made);
        await RefusedAsync(422, HttpMethod.Post, "api-keys", $$"""{"name":"x","scopes":["{{made}}"]}""");
        await RefusedAsync(422, HttpMethod.Get, $"audit-log?cursor={made}");
        await RefusedAsync(404, HttpMethod.Put, "no/such/route/" + made, "{}");
        using (var previewer = Platform.Api(null))
        {
            using var page = await previewer.Http.GetAsync($"{previewer.Root}/p/{id}/3000/?token={secrets[5]}");
            using var header = await api.Http.GetAsync($"{api.Root}/p/{id}/3000/");
        }
        // So that everything is on the disk that ever will be.
        Assert.Equal(0, await Platform.StopServerAsync());

        var files = Directory.EnumerateFiles(Platform.ServerData, "*", SearchOption.AllDirectories).Append(Platform.ServerLog).Where(file => !file.EndsWith("first-key", StringComparison.Ordinal)).ToList();
        Assert.Contains(files, file => file.EndsWith("miosa.db", StringComparison.Ordinal));
        var found = new List<string>();
        foreach (var file in files)
        {
            var content = await File.ReadAllBytesAsync(file);
            found.AddRange(secrets.Where(secret => content.AsSpan().IndexOf(Encoding.ASCII.GetBytes(secret)) >= 0).Select(secret => $"{file}: {secret}"));
        }
        await Platform.StartServerAsync();
        Assert.Empty(found);
    }

    private static (string, string) From(string forwarded) => ("X-Forwarded-For", forwarded);

    private static async Task<ClientWebSocket> ConnectAsync(Api api, string path)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", api.Http.DefaultRequestHeaders.Authorization?.ToString());
        await socket.ConnectAsync(new Uri($"ws{api.Root["http".Length..]}/api/v1/{path}"), CancellationToken.None);
        return socket;
    }

    private static async Task<int> CloseCodeAsync(ClientWebSocket socket)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10));
            if (part.MessageType == WebSocketMessageType.Close)
                return (int)(part.CloseStatus ?? 0);
        }
    }
}
