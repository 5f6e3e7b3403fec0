using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class PreviewTests(Tenant tenant) : IClassFixture<Tenant>
{
    /// <summary>A server with one of everything: tells what it got, takes and gives large bodies, streams, upgrades, sets cookies, redirects.</summary>
    private const string Site = """
        import base64, hashlib, http.server, json, socketserver, sys, time
        class Site(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            def log_message(self, *a): pass
            def answer(self, body, status=200, headers=()):
                self.send_response(status)
                for name, value in headers: self.send_header(name, value)
                self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
            def do_GET(self):
                path = self.path.split('?')[0]
                if path == '/big':
                    self.send_response(200); self.send_header('Content-Length', str(200 << 20)); self.end_headers()
                    for i in range(200): self.wfile.write(bytes([i]) * (1 << 20))
                elif path == '/sse':
                    self.send_response(200); self.send_header('Content-Type', 'text/event-stream'); self.send_header('Connection', 'close'); self.end_headers()
                    for i in range(3): self.wfile.write(b'data: %d\n\n' % i); self.wfile.flush(); time.sleep(0.3)
                elif path == '/cookie': self.answer(b'set', headers=[('Set-Cookie', 'own=1; Domain=localhost; Path=/'), ('Set-Cookie', 'miosa_preview=stolen; Path=/')])
                elif path == '/clear': self.answer(b'', headers=[('Clear-Site-Data', '"cookies"')])
                elif path == '/redirect': self.answer(b'', 302, [('Location', 'http://169.254.169.254/latest/')])
                elif path == '/ws':
                    key = base64.b64encode(hashlib.sha1((self.headers['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()
                    self.send_response(101); self.send_header('Upgrade', 'websocket'); self.send_header('Connection', 'Upgrade'); self.send_header('Sec-WebSocket-Accept', key); self.end_headers()
                    while True:
                        head = self.rfile.read(2)
                        if len(head) < 2 or head[0] & 15 == 8: return
                        size = head[1] & 127
                        if size == 126: size = int.from_bytes(self.rfile.read(2), 'big')
                        mask = self.rfile.read(4); data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
                        self.wfile.write(bytes([0x81]) + (bytes([len(data)]) if len(data) < 126 else b'\x7e' + len(data).to_bytes(2, 'big')) + data); self.wfile.flush()
                else: self.answer(json.dumps({'path': self.path, 'method': self.command, 'headers': {k.lower(): v for k, v in self.headers.items()}}).encode(), headers=[('X-Miosa-Preview', 'waiting')])
            def do_POST(self):
                total, left = 0, int(self.headers['Content-Length'])
                while left:
                    piece = self.rfile.read(min(left, 1 << 20)); total += len(piece); left -= len(piece)
                self.answer(str(total).encode())
        class Threads(socketserver.ThreadingTCPServer):
            allow_reuse_address = True; daemon_threads = True
            address_family = socketserver.socket.AF_INET6 if ':' in sys.argv[1] else socketserver.socket.AF_INET
        Threads((sys.argv[1], int(sys.argv[2])), Site).serve_forever()
        """;

    private Api Api => tenant.Api;

    private int ServerPort => new Uri(Api.Root).Port;

    private async Task<string> SandboxAsync(string more = "")
    {
        var id = await Api.CreateAsync($$"""{"image":"miosa-sandbox"{{more}}}""");
        (await Api.PutAsync($"sandboxes/{id}/files", JsonSerializer.Serialize(new { path = "/workspace/site.py", content = Site, encoding = "utf8" }))).Expect(200);
        return id;
    }

    private async Task ServeAsync(string id, int port = 3000, string address = "127.0.0.1")
    {
        (await Api.PostAsync($"sandboxes/{id}/processes", JsonSerializer.Serialize(new { command = new[] { "python3", "/workspace/site.py", address, $"{port}" } }))).Expect(201);
        await Api.RunAsync(id, $"until python3 -c \"import socket; socket.create_connection(('{(address == "0.0.0.0" ? "127.0.0.1" : address)}', {port}))\" 2>/dev/null; do sleep 0.05; done");
    }

    private async Task<Uri> PublishAsync(string id, int port = 3000, string visibility = "public") =>
        new((await Api.PostAsync($"sandboxes/{id}/previews", $$"""{"port":{{port}},"visibility":"{{visibility}}"}""")).Text("url"));

    /// <summary>A browser without rules of its own: any host name is the server's address, nothing is followed or kept.</summary>
    private HttpClient Browser() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectCallback = async (_, ct) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, ServerPort, ct);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { Timeout = TimeSpan.FromSeconds(60) };

    private static async Task<HttpResponseMessage> SendAsync(HttpClient browser, HttpMethod method, Uri address, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, address);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await browser.SendAsync(request);
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient browser, Uri address, params (string Name, string Value)[] headers) => SendAsync(browser, HttpMethod.Get, address, headers);

    private static async Task<JsonElement> SeenAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
    }

    [Fact]
    public async Task Clients_that_send_their_headers_byte_by_byte_hold_up_nobody_and_are_cut_off()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var address = await PublishAsync(id);
        var slow = new List<Socket>();
        try
        {
            for (var i = 0; i < 300; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                slow.Add(socket);
                await socket.ConnectAsync(IPAddress.Loopback, ServerPort);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {address.Authority}\r\nX-"));
            }
            using var browser = Browser();
            Assert.Equal("/quick", (await SeenAsync(await GetAsync(browser, new Uri(address, "/quick")))).GetProperty("path").GetString());
            // Each goes on for as long as it is let.
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
            await Task.WhenAll(slow.Select(socket => EndedAsync(socket, limit.Token)));
        }
        finally
        {
            slow.ForEach(socket => socket.Dispose());
        }

        static async Task EndedAsync(Socket socket, CancellationToken ct)
        {
            var buffer = new byte[4096];
            var reading = socket.ReceiveAsync(buffer, ct).AsTask();
            try
            {
                while (!reading.IsCompleted)
                {
                    await socket.SendAsync("a"u8.ToArray(), ct);
                    await Task.WhenAny(reading, Task.Delay(500, ct));
                }
                // 408 or just the end.
                if (await reading > 0)
                    Assert.StartsWith("HTTP/1.1 4", Encoding.ASCII.GetString(buffer), StringComparison.Ordinal);
            }
            catch (SocketException)
            {
                // Cut in the middle of a send.
            }
        }
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("::1")]
    public async Task A_port_is_reached_whatever_address_its_server_binds(string address)
    {
        var id = await SandboxAsync();
        await ServeAsync(id, address: address);
        var url = await PublishAsync(id);
        Assert.Matches($"^http://3000-[a-z0-9-]+\\.localhost:{ServerPort}/$", url.ToString());
        using var browser = Browser();
        var answer = await GetAsync(browser, new Uri(url, "/a%2Fb/..%2f/c?x=1&token=mine&y=%20"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "gopher"), ("Cookie", "a=1; miosa_preview=mp_x; b=2"), ("Authorization", "Bearer of-the-app"));
        var seen = await SeenAsync(answer);
        Assert.Equal("/a%2Fb/..%2f/c?x=1&token=mine&y=%20", seen.GetProperty("path").GetString());
        var headers = seen.GetProperty("headers");
        Assert.Equal(("127.0.0.1", "http", url.Authority, url.Authority, "a=1; b=2", "Bearer of-the-app"),
            (headers.GetProperty("x-forwarded-for").GetString(), headers.GetProperty("x-forwarded-proto").GetString(), headers.GetProperty("x-forwarded-host").GetString(),
                headers.GetProperty("host").GetString(), headers.GetProperty("cookie").GetString(), headers.GetProperty("authorization").GetString()));
        // The sandbox cannot pretend to be our waiting page.
        Assert.False(answer.Headers.Contains("X-Miosa-Preview"));
        var info = (await Api.GetAsync($"sandboxes/{id}")).Json;
        Assert.Equal((url.ToString().TrimEnd('/'), "localhost", "temporary_preview"), (info.GetProperty("preview_url").GetString(), info.GetProperty("preview_domain").GetString(), info.GetProperty("url_class").GetString()));
        Assert.Equal("ready", (await Api.GetAsync($"sandboxes/{id}/previews")).Json.GetProperty("data")[0].GetProperty("status").GetString());
    }

    [Fact]
    public async Task Large_bodies_event_streams_and_sockets_pass_both_ways()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var url = await PublishAsync(id);
        using var browser = Browser();
        using (var big = await browser.GetAsync(new Uri(url, "/big"), HttpCompletionOption.ResponseHeadersRead))
        {
            await using var stream = await big.Content.ReadAsStreamAsync();
            var buffer = new byte[1 << 20];
            for (var i = 0; i < 200; i++)
            {
                await stream.ReadExactlyAsync(buffer);
                Assert.False(buffer.AsSpan().ContainsAnyExcept((byte)i), $"MiB {i} is not as it was sent");
            }
        }
        using (var content = new ByteArrayContent(new byte[100 << 20]))
        using (var taken = await browser.PostAsync(new Uri(url, "/len"), content))
            Assert.Equal((100 << 20).ToString(), await taken.Content.ReadAsStringAsync());
        using (var sse = await browser.GetAsync(new Uri(url, "/sse"), HttpCompletionOption.ResponseHeadersRead))
        {
            using var reader = new StreamReader(await sse.Content.ReadAsStreamAsync());
            // The first comes while the second is not written yet: nothing collects them on the way.
            Assert.Equal("data: 0", await reader.ReadLineAsync());
            var since = System.Diagnostics.Stopwatch.StartNew();
            Assert.EndsWith("data: 2", (await reader.ReadToEndAsync()).TrimEnd(), StringComparison.Ordinal);
            Assert.True(since.ElapsedMilliseconds > 400);
        }
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{url.Authority}/ws"), browser, CancellationToken.None);
        foreach (var text in (string[])["hello", new string('x', 3000)])
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);
            Assert.Equal(text, await ReceiveAsync(socket));
        }
    }

    [Fact]
    public async Task A_port_that_nothing_listens_on_shows_a_page_to_people_and_an_error_to_programs_until_it_does()
    {
        var id = await SandboxAsync();
        var url = await PublishAsync(id);
        Assert.Equal("waiting", (await Api.GetAsync($"sandboxes/{id}/previews")).Json.GetProperty("data")[0].GetProperty("status").GetString());
        using var browser = Browser();
        var page = await GetAsync(browser, url, ("Accept", "text/html,*/*;q=0.8"));
        Assert.Equal((HttpStatusCode.BadGateway, "text/html", "waiting"), (page.StatusCode, page.Content.Headers.ContentType?.MediaType, page.Headers.GetValues("X-Miosa-Preview").Single()));
        Assert.Contains("location.reload()", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var error = await GetAsync(browser, url, ("Accept", "application/json"));
        Assert.Equal("PREVIEW_UNREACHABLE", JsonDocument.Parse(await error.Content.ReadAsStringAsync()).RootElement.GetProperty("code").GetString());
        await ServeAsync(id);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, url, ("Accept", "text/html"))).StatusCode);
    }

    [Fact]
    public async Task A_private_port_opens_with_a_key_of_its_tenant_and_the_key_never_reaches_the_sandbox()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var url = await PublishAsync(id, visibility: "private");
        using var browser = Browser();
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, url)).StatusCode);
        var key = await tenant.Platform.NewKeyAsync(tenant.Id);
        var seen = await SeenAsync(await GetAsync(browser, url, ("Authorization", "Bearer " + key)));
        Assert.False(seen.GetProperty("headers").TryGetProperty("authorization", out _), seen.GetRawText());
        // Not published at all: the same.
        await ServeAsync(id, port: 4000);
        var other = new Uri(url.ToString().Replace("3000-", "4000-", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, other)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, other, ("Authorization", "Bearer " + key))).StatusCode);
        var foreign = await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]));
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, url, ("Authorization", "Bearer " + foreign))).StatusCode);
    }

    [Fact]
    public async Task A_token_moves_from_the_address_into_a_cookie_of_its_host_and_never_reaches_the_sandbox()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        await PublishAsync(id, visibility: "private");
        var minted = (await Api.PostAsync($"sandboxes/{id}/preview-token", """{"expires_in":600,"scope":"interact","port":3000}""")).Expect(200);
        var token = minted.Text("token");
        Assert.StartsWith("mp_", token, StringComparison.Ordinal);
        var address = new Uri(minted.Text("url"));
        Assert.Equal($"?mt={token}", address.Query);
        using var browser = Browser();

        var first = await GetAsync(browser, new Uri(address, $"/page?a=1&mt={token}&b=2"));

        Assert.Equal((HttpStatusCode.Redirect, "/page?a=1&b=2"), (first.StatusCode, first.Headers.Location?.ToString()));
        var cookie = first.Headers.GetValues("Set-Cookie").Single();
        Assert.Matches("^miosa_preview=" + token + "; expires=[^;]+; path=/; samesite=lax; httponly$", cookie);
        Assert.DoesNotContain("domain", cookie, StringComparison.OrdinalIgnoreCase);
        var seen = await SeenAsync(await GetAsync(browser, new Uri(address, "/page?a=1&b=2"), ("Cookie", $"x=1; miosa_preview={token}")));
        Assert.Equal("x=1", seen.GetProperty("headers").GetProperty("cookie").GetString());
        foreach (var name in (string[])["mt", "token", "ms", "preview_token"])
        {
            using var posted = await browser.PostAsync(new Uri(address, $"/len?a=1&{name}={token}"), new StringContent("12345"));
            Assert.Equal("5", await posted.Content.ReadAsStringAsync());
        }
        seen = await SeenAsync(await GetAsync(browser, new Uri(address, "/h"), ("X-Miosa-Preview-Token", token)));
        Assert.DoesNotContain(token, seen.GetRawText(), StringComparison.Ordinal);
        // For one port, and for one sandbox.
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, new Uri(address.ToString().Replace("3000-", "3001-", StringComparison.Ordinal)))).StatusCode);
        var sibling = await SandboxAsync();
        var siblings = await PublishAsync(sibling, visibility: "private");
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, siblings, ("Cookie", $"miosa_preview={token}"))).StatusCode);
    }

    [Fact]
    public async Task Altered_expired_and_unknown_tokens_are_one_and_the_same_403()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var url = await PublishAsync(id, visibility: "private");
        var good = (await Api.PostAsync($"sandboxes/{id}/preview-token", "{}")).Text("token");
        var brief = (await Api.PostAsync($"sandboxes/{id}/preview-token", """{"expires_in":1}""")).Text("token");
        using var browser = Browser();
        var until = DateTime.UtcNow.AddSeconds(30);
        while (await StatusAsync() != HttpStatusCode.Forbidden)
            Assert.True(DateTime.UtcNow < until, "still good");
        var bodies = new HashSet<string>();
        foreach (var bad in (string[])[brief, good[..^1] + (good[^1] == 'a' ? 'b' : 'a'), good + "x", "mp_", "mp_" + new string('a', 5000), good.ToUpperInvariant(), "ms_unknown", "miosa_pv_" + good[3..]])
        {
            foreach (var answer in (HttpResponseMessage[])[await GetAsync(browser, new Uri(url, "/?mt=" + bad)), await GetAsync(browser, url, ("X-Miosa-Preview-Token", bad)), await GetAsync(browser, url, ("Cookie", "miosa_preview=" + bad))])
            {
                Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
                var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
                bodies.Add(body.GetProperty("code").GetString() + body.GetProperty("message").GetString());
            }
        }
        Assert.Single(bodies);
        foreach (var (body, field) in ((string, string)[])[("""{"expires_in":0}""", "expires_in"), ("""{"expires_in":86401}""", "expires_in"), ("""{"scope":"all"}""", "scope"), ("""{"port":70000}""", "port")])
            Assert.True((await Api.PostAsync($"sandboxes/{id}/preview-token", body)).Expect(422).Json.GetProperty("details").TryGetProperty(field, out _));

        async Task<HttpStatusCode?> StatusAsync()
        {
            try
            {
                return (await GetAsync(browser, url, ("X-Miosa-Preview-Token", brief))).StatusCode;
            }
            catch (HttpRequestException)
            {
                // It ended in the middle of this very request, which ended with it.
                return null;
            }
        }
    }

    [Fact]
    public async Task A_share_link_is_for_looking_and_ends_at_once_with_its_revocation_sockets_included()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        await PublishAsync(id, visibility: "private");
        var share = (await Api.PostAsync($"sandboxes/{id}/shares", """{"expires_in":600}""")).Expect(201);
        var link = new Uri(share.Text("share_url"));
        var secret = link.Query["?ms=".Length..];
        Assert.StartsWith("ms_", secret, StringComparison.Ordinal);
        using var browser = Browser();
        (string, string) cookie = ("Cookie", "miosa_preview=" + secret);
        Assert.Equal(HttpStatusCode.Redirect, (await GetAsync(browser, link)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, new Uri(link, "/"), cookie)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(browser, HttpMethod.Post, new Uri(link, "/len"), cookie)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(browser, HttpMethod.Delete, new Uri(link, "/"), cookie)).StatusCode);
        using (var refused = new ClientWebSocket())
        {
            refused.Options.SetRequestHeader("Cookie", cookie.Item2);
            await Assert.ThrowsAsync<WebSocketException>(() => refused.ConnectAsync(new Uri($"ws://{link.Authority}/ws"), browser, CancellationToken.None));
        }
        var list = (await Api.GetAsync($"sandboxes/{id}/shares")).Expect(200);
        Assert.DoesNotContain(secret, list.Body, StringComparison.Ordinal);
        Assert.Equal([share.Text("share_id")], list.Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("id").GetString()));

        // A token that may do everything holds a socket open; its end cuts it.
        var preview = (await Api.GetAsync($"sandboxes/{id}/previews")).Json.GetProperty("data")[0].GetProperty("id").GetString();
        var shared = (await Api.PostAsync($"sandboxes/{id}/previews/{preview}/share", """{"ttl_seconds":600}""")).Expect(200);
        Assert.StartsWith("miosa_pv_", shared.Text("preview_token"), StringComparison.Ordinal);
        Assert.Equal(shared.Text("preview_token")[..12], (await Api.GetAsync($"sandboxes/{id}/previews/{preview}")).Text("share_token_prefix"));
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("X-Miosa-Preview-Token", shared.Text("preview_token"));
        await socket.ConnectAsync(new Uri($"ws://{link.Authority}/ws"), browser, CancellationToken.None);
        await socket.SendAsync("up"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
        Assert.Equal("up", await ReceiveAsync(socket));
        (await Api.DeleteAsync($"sandboxes/{id}/previews/{preview}/share")).Expect(200);
        await Assert.ThrowsAnyAsync<WebSocketException>(() => ReceiveAsync(socket));
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, new Uri(link, "/"), ("X-Miosa-Preview-Token", shared.Text("preview_token")))).StatusCode);

        (await Api.DeleteAsync($"sandboxes/{id}/shares/{share.Text("share_id")}")).Expect(200);
        (await Api.DeleteAsync($"sandboxes/{id}/shares/{share.Text("share_id")}")).Expect(200);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, link)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, new Uri(link, "/"), cookie)).StatusCode);
        Assert.Empty((await Api.GetAsync($"sandboxes/{id}/shares")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Cookies_of_a_preview_stay_with_their_host_and_redirects_are_not_followed()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var url = await PublishAsync(id);
        using var browser = Browser();
        var set = await GetAsync(browser, new Uri(url, "/cookie"));
        Assert.Equal(["own=1; Path=/"], set.Headers.GetValues("Set-Cookie"));
        Assert.False((await GetAsync(browser, new Uri(url, "/clear"))).Headers.Contains("Clear-Site-Data"));
        var redirect = await GetAsync(browser, new Uri(url, "/redirect"));
        Assert.Equal((HttpStatusCode.Redirect, "http://169.254.169.254/latest/"), (redirect.StatusCode, redirect.Headers.Location?.ToString()));
        // The API takes no cookie for a key.
        using var api = new Api(Api.Root, null);
        Assert.Equal(401, (await api.SendAsync(HttpMethod.Get, "sandboxes", null, ("Cookie", "miosa_preview=x; Authorization=Bearer x"))).Status);
    }

    [Fact]
    public async Task Host_names_that_are_nobodys_lead_nowhere_and_the_same_name_may_be_spelled_in_several_ways()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var url = await PublishAsync(id);
        var label = url.Host.Split('.')[0];
        using var browser = Browser();
        foreach (var host in (string[])[url.Host.ToUpperInvariant(), url.Host + ".", $"{label}.sandbox.localhost"])
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, url, ("Host", $"{host}:{ServerPort}"))).StatusCode);
        var part = label["3000-".Length..];
        foreach (var host in (string[])[$"03000-{part}.localhost", $"0-{part}.localhost", $"65536-{part}.localhost", $"3000-x{part}.localhost", $"3000-{part[..^1]}.localhost", $"3000-.localhost", $"99999999999-{part}.localhost",
            $"3000-{part}.x.localhost", $"3000-xn--{part}.localhost", $"3000-{new string('a', 2000)}.localhost"])
        {
            // What is no host name at all, such as a port beyond all bounds, is refused before anybody looks at it.
            var status = (await GetAsync(browser, url, ("Host", host))).StatusCode;
            Assert.True(status is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, $"{host}: {status}");
        }
        // Not below the preview domain, or no port in front: that is the API, which has no such page and asks for a key.
        foreach (var host in (string[])[$"3000-{part}.localhost.evil.example", $"{part}.localhost", "localhost", $"api-{part}.localhost"])
        {
            var answer = await GetAsync(browser, new Uri(url, "/api/v1/sandboxes"), ("Host", host));
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Without_names_a_port_has_a_path_whose_pages_cannot_act_as_the_server()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        await PublishAsync(id);
        using var browser = Browser();
        var root = new Uri(Api.Root);
        var bare = await GetAsync(browser, new Uri(root, $"/p/{id}/3000?x=1"));
        Assert.Equal((HttpStatusCode.Redirect, $"/p/{id}/3000/?x=1"), (bare.StatusCode, bare.Headers.Location?.ToString()));
        var answer = await GetAsync(browser, new Uri(root, $"/p/{id}/3000/deep/page?x=1"));
        var seen = await SeenAsync(answer);
        Assert.Equal(("/deep/page?x=1", $"/p/{id}/3000"), (seen.GetProperty("path").GetString(), seen.GetProperty("headers").GetProperty("x-forwarded-prefix").GetString()));
        Assert.Contains("sandbox allow-scripts", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.DoesNotContain("allow-same-origin", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        var set = await GetAsync(browser, new Uri(root, $"/p/{id}/3000/cookie"));
        Assert.Equal([$"own=1; path=/p/{id}/3000/"], set.Headers.GetValues("Set-Cookie"));
        foreach (var path in (string[])["/p/sbx_none/3000/", $"/p/{id}/0/", $"/p/{id}/x/", "/p/", $"/p/{id}"])
            Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(browser, new Uri(root, path))).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, new Uri(root, $"/p/{id}/3001/"))).StatusCode);
    }

    [Fact]
    public async Task A_paused_persistent_sandbox_wakes_for_a_visitor_and_another_says_that_it_is_paused()
    {
        using var browser = Browser();
        foreach (var persistent in (bool[])[true, false])
        {
            var id = await SandboxAsync($",\"persistent\":{(persistent ? "true" : "false")}");
            await ServeAsync(id);
            var url = await PublishAsync(id);
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, url)).StatusCode);
            (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
            Assert.Equal(persistent ? HttpStatusCode.OK : HttpStatusCode.Conflict, (await GetAsync(browser, url)).StatusCode);
            Assert.Equal(persistent ? "running" : "paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
        }
    }

    [Fact]
    public async Task Previews_are_listed_changed_and_taken_back_by_their_tenant_only_and_survive_the_server()
    {
        var id = await SandboxAsync();
        await ServeAsync(id);
        var made = (await Api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"name":"web"}""")).Expect(201);
        Assert.Equal(("private", "web", 3000), (made.Text("visibility"), made.Text("name"), made.Json.GetProperty("data").GetProperty("port").GetInt32()));
        var preview = made.Text("id");
        Assert.Equal(preview, (await Api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(200).Text("id"));
        var exposed = (await Api.PostAsync($"sandboxes/{id}/expose", """{"port":3000}""")).Expect(200);
        Assert.Equal(made.Text("url"), exposed.Text("url"));
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12])));
        foreach (var (method, path) in ((HttpMethod, string)[])[(HttpMethod.Get, "/previews"), (HttpMethod.Get, $"/previews/{preview}"), (HttpMethod.Delete, $"/previews/{preview}"), (HttpMethod.Post, $"/previews/{preview}/share"),
            (HttpMethod.Post, "/shares"), (HttpMethod.Get, "/shares"), (HttpMethod.Post, "/preview-token"), (HttpMethod.Post, "/expose"), (HttpMethod.Delete, $"/previews/{preview}/share")])
            Assert.Equal(404, (await other.SendAsync(method, $"sandboxes/{id}{path}")).Status);
        foreach (var (body, field) in ((string, string)[])[("{}", "port"), ("""{"port":0}""", "port"), ("""{"port":80,"visibility":"all"}""", "visibility"), ("""{"port":80,"slug":"x"}""", "slug")])
            Assert.True((await Api.PostAsync($"sandboxes/{id}/previews", body)).Expect(422).Json.GetProperty("details").TryGetProperty(field, out _));
        var secret = new Uri((await Api.PostAsync($"sandboxes/{id}/shares")).Expect(201).Text("share_url"));
        await tenant.Platform.KillServerAsync();
        await tenant.Platform.StartServerAsync();
        using var browser = Browser();
        var url = new Uri(made.Text("url"));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(browser, url)).StatusCode);
        Assert.Equal(HttpStatusCode.Redirect, (await GetAsync(browser, secret)).StatusCode);
        (await Api.DeleteAsync($"sandboxes/{id}/previews/{preview}")).Expect(200);
        Assert.Equal(HttpStatusCode.Forbidden, (await GetAsync(browser, url)).StatusCode);
        Assert.Empty((await Api.GetAsync($"sandboxes/{id}/previews")).Json.GetProperty("data").EnumerateArray());
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(browser, url)).StatusCode);
    }

    private static async Task<string> ReceiveAsync(WebSocket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var buffer = new byte[10_000];
        var part = await socket.ReceiveAsync(buffer, limit.Token);
        return part.MessageType == WebSocketMessageType.Close ? throw new WebSocketException("closed") : Encoding.UTF8.GetString(buffer, 0, part.Count);
    }
}
