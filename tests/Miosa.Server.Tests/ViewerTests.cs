using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>The live view over its WebSocket, with a viewer of our own on a real desktop: who is let in, what he may do, and when it ends.</summary>
public sealed class ViewerTests(DesktopComputer computer) : IClassFixture<DesktopComputer>
{
    private const int NotAllowed = 4401;
    private const int NotRunning = 4409;

    private Api Api => computer.Api;

    private async Task<JsonElement> TokenAsync(string body = "{}", Api? api = null, string? id = null) => (await (api ?? Api).PostAsync($"computers/{id ?? computer.Id}/stream-token", body)).Expect(200).Json;

    private async Task<string> SocketAsync(string body = "{}", Api? api = null) => (await TokenAsync(body, api)).GetProperty("ws_url").GetString() ?? "";

    [Fact]
    public async Task A_token_shows_the_whole_screen_and_lets_the_keyboard_through()
    {
        var token = await TokenAsync("""{"expires_in":600}""");
        Assert.StartsWith("mst_", token.GetProperty("token").GetString(), StringComparison.Ordinal);
        Assert.Equal(("rfb", false, 600), (token.GetProperty("protocol").GetString(), token.GetProperty("read_only").GetBoolean(), token.GetProperty("expires_in").GetInt32()));
        var (file, x, y, _) = await computer.EventsAsync("viewed");
        using var viewer = await RfbClient.ConnectAsync(token.GetProperty("ws_url").GetString() ?? "");
        Assert.Equal((1280, 720), (viewer.Width, viewer.Height));
        Assert.Equal(1280 * 720, await viewer.PictureAsync());
        await viewer.KeyAsync('q');
        await viewer.PointerAsync(x, y, 1);
        await viewer.PointerAsync(x, y, 0);
        await computer.UntilFileAsync(file, text => text.Contains(", q)", StringComparison.Ordinal) && text.Contains($"root:({x},{y})", StringComparison.Ordinal) && text.Contains("ButtonRelease", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_may_only_look_cannot_type_click_or_paste_and_several_look_at_once()
    {
        var (file, x, y, _) = await computer.EventsAsync("looked-at");
        await computer.DoAsync("clipboard", """{"text":"kept"}""");
        using var looker = await RfbClient.ConnectAsync(await SocketAsync("""{"read_only":true}"""));
        using var asking = await RfbClient.ConnectAsync(await SocketAsync() + "&read_only=true");
        using var user = await RfbClient.ConnectAsync(await SocketAsync());
        foreach (var quiet in (RfbClient[])[looker, asking])
        {
            await quiet.KeyAsync('n');
            await quiet.PointerAsync(x, y, 1);
            await quiet.PointerAsync(x, y, 0);
            await quiet.SendAsync([6, 0, 0, 0, 0, 0, 0, 5, .. "other"u8]);
            // An answer to what came behind them: the server has dealt with them.
            Assert.Equal(1280 * 720, await quiet.PictureAsync());
        }
        await user.KeyAsync('y');
        var text = await computer.UntilFileAsync(file, text => text.Contains(", y)", StringComparison.Ordinal));
        Assert.DoesNotContain(", n)", text, StringComparison.Ordinal);
        Assert.DoesNotContain("ButtonPress", text, StringComparison.Ordinal);
        Assert.Equal("kept", (await Api.GetAsync($"{computer.Desktop}/clipboard")).Expect(200).Text("text"));
        Assert.Equal(1280 * 720, await user.PictureAsync());
    }

    [Fact]
    public async Task A_token_ends_with_its_time_and_cuts_whoever_is_there()
    {
        var url = await SocketAsync("""{"expires_in":3}""");
        using var viewer = await RfbClient.ConnectAsync(url);
        await viewer.PictureAsync();
        await viewer.EndAsync(TimeSpan.FromSeconds(10));
        await RefusedAsync(url, NotAllowed);
        foreach (var body in (string[])["""{"expires_in":0}""", """{"expires_in":86401}""", """{"read_only":"yes"}"""])
            Assert.Equal((body, 422), (body, (await Api.PostAsync($"{computer.Path}/stream-token", body)).Status));
    }

    [Fact]
    public async Task A_revoked_key_takes_its_tokens_and_their_viewers_with_it()
    {
        var key = (await Api.PostAsync("api-keys", """{"name":"viewer"}""")).Expect(201);
        using var api = computer.Platform.Api(key.Text("token"));
        var url = await SocketAsync("{}", api);
        using var byToken = await RfbClient.ConnectAsync(url);
        var plain = url[..url.IndexOf('?', StringComparison.Ordinal)];
        using var byKey = await RfbClient.OpenAsync(plain, key.Text("token"));
        await byKey.GreetAsync();
        using var byProtocol = await RfbClient.OpenAsync(plain, null, "binary", "bearer." + key.Text("token"));
        Assert.Equal("binary", byProtocol.Socket.SubProtocol);
        await byProtocol.GreetAsync();
        var ends = ((RfbClient[])[byToken, byKey, byProtocol]).Select(viewer => viewer.EndAsync(TimeSpan.FromSeconds(5))).ToList();
        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);
        await Task.WhenAll(ends);
        await RefusedAsync(url, NotAllowed);
        await Assert.ThrowsAsync<WebSocketException>(() => RfbClient.OpenAsync(plain, key.Text("token")));
    }

    [Fact]
    public async Task A_token_opens_its_own_computer_and_nothing_else()
    {
        var token = (await TokenAsync()).GetProperty("token").GetString();
        using var other = await computer.Platform.NewApiAsync();
        foreach (var (method, path) in ((HttpMethod, string)[])
            [
                (HttpMethod.Post, "stream-token"), (HttpMethod.Get, "vnc-credentials"), (HttpMethod.Get, "embed"), (HttpMethod.Get, "viewer-password"), (HttpMethod.Post, "viewer-password/rotate"), (HttpMethod.Get, "desktop/vnc"), (HttpMethod.Get, "desktop/vnc/ws"),
            ])
            Assert.Equal((path, 404), (path, (await other.SendAsync(method, $"{computer.Path}/{path}")).Status));
        var root = $"ws{Api.Root["http".Length..]}/api/v1/computers";
        await RefusedAsync($"{root}/cmp_00000000000000000000000000/desktop/vnc/ws?token={token}", NotAllowed);
        await RefusedAsync($"{root}/{computer.Id}/desktop/vnc/ws?token=mst_{new string('0', 43)}", NotAllowed);
        await RefusedAsync($"{root}/{computer.Id}/desktop/vnc/ws?token=nonsense", NotAllowed);
        // It is no key, and no token of a preview is one of these.
        using var stranger = computer.Platform.Api(token);
        Assert.Equal(401, (await stranger.GetAsync("computers")).Status);
        Assert.Equal(401, (await stranger.GetAsync($"{computer.Desktop}/screenshot")).Status);
        using var preview = await Api.Http.GetAsync($"{Api.Root}/p/{computer.Id}/3000/?token={token}");
        Assert.Equal(HttpStatusCode.Forbidden, preview.StatusCode);
    }

    [Fact]
    public async Task A_key_that_may_only_look_gets_tokens_for_looking_on()
    {
        using var looker = computer.Platform.Api(await computer.Platform.NewKeyAsync(computer.TenantId, [Scopes.ComputersRead]));
        Assert.Equal(403, (await looker.PostAsync($"{computer.Path}/stream-token")).Status);
        Assert.True((await TokenAsync("""{"readOnly":true}""", looker)).GetProperty("read_only").GetBoolean());
        var credentials = (await looker.GetAsync($"{computer.Path}/vnc-credentials")).Expect(200);
        var (file, _, _, _) = await computer.EventsAsync("untouched");
        using var viewer = await RfbClient.ConnectAsync(credentials.Text("ws_url"));
        await viewer.KeyAsync('n');
        await viewer.PictureAsync();
        await computer.DoAsync("key", """{"key":"y"}""");
        Assert.DoesNotContain(", n)", await computer.UntilFileAsync(file, text => text.Contains(", y)", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_and_embed_name_addresses_that_open()
    {
        var credentials = (await Api.GetAsync($"{computer.Path}/vnc-credentials")).Expect(200);
        var root = new Uri(Api.Root);
        Assert.Equal((root.Host, root.Port, "rfb"), (credentials.Text("host"), credentials.Json.GetProperty("port").GetInt32(), credentials.Text("protocol")));
        Assert.Contains(credentials.Text("password"), credentials.Text("url"), StringComparison.Ordinal);
        using (var viewer = await RfbClient.ConnectAsync(credentials.Text("ws_url")))
            await viewer.PictureAsync();
        var embed = (await Api.GetAsync($"{computer.Path}/embed?read_only=true")).Expect(200);
        Assert.False(embed.Json.GetProperty("auth").GetProperty("password_required").GetBoolean());
        foreach (var (url, status) in ((string, HttpStatusCode)[])[(credentials.Text("url"), HttpStatusCode.OK), (embed.Text("embed_url"), HttpStatusCode.OK), (embed.Text("desktop_url"), HttpStatusCode.Unauthorized)])
        {
            using var page = await BrowseAsync(url);
            Assert.Equal((url, status), (url, page.StatusCode));
        }
        Assert.Contains("/desktop/vnc", (await Api.GetAsync($"{computer.Path}/urls")).Expect(200).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_viewer_password_opens_the_page_and_a_new_one_ends_what_the_old_one_opened()
    {
        Assert.False((await Api.GetAsync($"{computer.Path}/viewer-password")).Expect(200).Json.GetProperty("password_set").GetBoolean());
        var first = (await Api.PostAsync($"{computer.Path}/viewer-password/rotate")).Expect(200).Text("viewer_password");
        Assert.Matches("^[a-z2-9]{4}(-[a-z2-9]{4}){3}$", first);
        Assert.True((await Api.GetAsync($"{computer.Path}/viewer-password")).Expect(200).Json.GetProperty("viewer_password_set").GetBoolean());
        var page = $"{Api.Root}/api/v1/{computer.Desktop}/vnc";
        using (var asked = await BrowseAsync(page))
            Assert.Contains("type=\"password\"", await asked.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(page, "xxxx-xxxx-xxxx-xxxx")).Status);
        var (status, location) = await SignInAsync(page, first);
        Assert.Equal(HttpStatusCode.SeeOther, status);
        using (var opened = await BrowseAsync(Api.Root + location))
            Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        var socket = $"ws{Api.Root["http".Length..]}{location.Replace("/vnc?", "/vnc/ws?", StringComparison.Ordinal)}";
        using var viewer = await RfbClient.ConnectAsync(socket);
        await viewer.PictureAsync();
        var end = viewer.EndAsync(TimeSpan.FromSeconds(5));
        var second = (await Api.PostAsync($"{computer.Path}/viewer-password/rotate")).Expect(200).Text("password");
        await end;
        await RefusedAsync(socket, NotAllowed);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SignInAsync(page, first)).Status);
        Assert.Equal(HttpStatusCode.SeeOther, (await SignInAsync(page, second)).Status);
    }

    [Fact]
    public async Task The_page_runs_no_script_but_ours_and_carries_the_branding()
    {
        (await Api.PutAsync("tenant/branding", """{"product_name":"Acme <Desk>","primary_color":"#123456","logo_url":"https://cdn.example.com/logo.png"}""")).Expect(200);
        using var page = await BrowseAsync((await TokenAsync()).GetProperty("url").GetString() ?? "");
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Matches(@"default-src 'none'; img-src data: blob: https://cdn\.example\.com; style-src 'nonce-[^']+'; script-src 'nonce-[^']+'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors \*", policy);
        Assert.Equal(("no-referrer", "no-store"), (page.Headers.GetValues("Referrer-Policy").Single(), page.Headers.CacheControl?.ToString()));
        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("Acme &lt;Desk&gt;", html, StringComparison.Ordinal);
        Assert.Contains("#123456", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<Desk>", html, StringComparison.Ordinal);
        using var script = await Api.Http.GetAsync($"{Api.Root}/viewer/novnc.js");
        Assert.Equal((HttpStatusCode.OK, "text/javascript"), (script.StatusCode, script.Content.Headers.ContentType?.MediaType));
        Assert.Contains("MPL-2.0", (await script.Content.ReadAsStringAsync())[..300], StringComparison.Ordinal);
        // With a key the way to the page.
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{computer.Desktop}/vnc");
        using var plain = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = Api.Http.BaseAddress };
        plain.DefaultRequestHeaders.Authorization = Api.Http.DefaultRequestHeaders.Authorization;
        using var redirect = await plain.SendAsync(request);
        Assert.Equal(HttpStatusCode.Found, redirect.StatusCode);
        Assert.Contains("token=mst_", redirect.Headers.Location?.ToString() ?? "", StringComparison.Ordinal);
        Assert.DoesNotContain("mst_", (await Api.GetAsync("audit-log?per_page=100")).Expect(200).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_breaks_the_protocol_is_cut_and_disturbs_nobody()
    {
        var url = await SocketAsync();
        using var good = await RfbClient.ConnectAsync(url);
        foreach (var bytes in (byte[][])[[7], [250, 0, 1, 2], [6, 0, 0, 0, 127, 255, 255, 255], [2, 0, 255, 255]])
        {
            using var bad = await RfbClient.ConnectAsync(url);
            await bad.SendAsync(bytes);
            Assert.Equal(1002, await bad.EndAsync());
        }
        using (var noise = await RfbClient.OpenAsync(url))
        {
            await noise.SendAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
            Assert.Equal(1002, await noise.EndAsync());
        }
        Assert.Equal(1280 * 720, await good.PictureAsync());
    }

    [Fact]
    public async Task A_viewer_that_never_reads_is_cut_and_holds_nobody_back()
    {
        var url = await SocketAsync();
        using var good = await RfbClient.ConnectAsync(url);
        using var stuck = await RfbClient.ConnectAsync(url);
        // Asks for far more than any buffer on the way holds, and takes nothing of it.
        using var over = new CancellationTokenSource();
        var asking = Task.Run(async () =>
        {
            try
            {
                while (!over.IsCancellationRequested)
                    await stuck.AskAsync(isIncremental: false);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
            {
                // Cut.
            }
        });
        for (var i = 0; i < 5; i++)
            Assert.Equal(1280 * 720, await good.PictureAsync());
        Assert.Equal(200, (await Api.GetAsync($"{computer.Desktop}/screenshot")).Status);
        await asking.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1280 * 720, await good.PictureAsync());
        await over.CancelAsync();
    }

    [Fact]
    public async Task When_the_computer_stops_viewers_hear_it_and_when_it_starts_the_same_token_opens_it_again()
    {
        var id = await computer.NewAsync();
        var url = (await TokenAsync(id: id)).GetProperty("ws_url").GetString() ?? "";
        using var viewer = await RfbClient.ConnectAsync(url);
        var end = viewer.EndAsync(TimeSpan.FromSeconds(60));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        Assert.Equal(1000, await end);
        await RefusedAsync(url, NotRunning);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await computer.UntilAsync(id, "running");
        using (var again = await RfbClient.ConnectAsync(url))
        {
            await again.PictureAsync();
            var gone = again.EndAsync(TimeSpan.FromSeconds(30));
            (await Api.DeleteAsync($"computers/{id}")).Expect(200);
            await gone;
        }
        await RefusedAsync(url, NotAllowed);
    }

    [Fact]
    public async Task Looking_on_keeps_no_computer_awake_and_using_it_does()
    {
        var id = await computer.NewAsync();
        using var looker = await RfbClient.ConnectAsync((await TokenAsync("""{"read_only":true}""", id: id)).GetProperty("ws_url").GetString() ?? "");
        using var user = await RfbClient.ConnectAsync((await TokenAsync(id: id)).GetProperty("ws_url").GetString() ?? "");
        var before = await LastUsedAsync();
        await looker.KeyAsync('n');
        await looker.PictureAsync();
        await user.PictureAsync();
        Assert.Equal(before, await LastUsedAsync());
        await user.KeyAsync('y');
        await user.PictureAsync();
        Assert.True(await LastUsedAsync() > before);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);

        async Task<DateTimeOffset> LastUsedAsync() => (await Api.GetAsync($"computers/{id}")).Expect(200).Json.GetProperty("last_activity_at").GetDateTimeOffset();
    }

    [Fact]
    public async Task More_viewers_than_a_computer_can_have_are_told_so()
    {
        var url = await SocketAsync("""{"read_only":true}""");
        var viewers = new List<RfbClient>();
        try
        {
            for (var i = 0; i < 32; i++)
                viewers.Add(await RfbClient.ConnectAsync(url));
            await RefusedAsync(url, 1013);
            viewers[0].Dispose();
            await Miosa.Platform.Platform.UntilAsync("there is room again", async () =>
            {
                using var next = await RfbClient.OpenAsync(url);
                try
                {
                    await next.GreetAsync();
                    return true;
                }
                catch (IOException)
                {
                    return false;
                }
            });
        }
        finally
        {
            viewers.ForEach(viewer => viewer.Dispose());
        }
    }

    [Fact]
    public async Task Tokens_survive_a_restart_of_the_server()
    {
        var url = await SocketAsync();
        await computer.Platform.KillServerAsync();
        await computer.Platform.StartServerAsync();
        using var viewer = await RfbClient.ConnectAsync(url);
        Assert.Equal(1280 * 720, await viewer.PictureAsync());
    }

    private static async Task RefusedAsync(string url, int code)
    {
        using var refused = await RfbClient.OpenAsync(url);
        Assert.Equal(code, await refused.EndAsync());
    }

    private static async Task<HttpResponseMessage> BrowseAsync(string url)
    {
        using var browser = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.TryAddWithoutValidation("Accept", "text/html");
        return await browser.SendAsync(request);
    }

    private static async Task<(HttpStatusCode Status, string Location)> SignInAsync(string page, string password)
    {
        using var browser = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var answer = await browser.PostAsync(page, new FormUrlEncodedContent([KeyValuePair.Create("password", password)]));
        return (answer.StatusCode, answer.Headers.Location?.ToString() ?? "");
    }
}
