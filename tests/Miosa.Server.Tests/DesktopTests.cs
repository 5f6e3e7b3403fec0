using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Miosa.Platform;
using SkiaSharp;

namespace Miosa.Server.Tests;

/// <summary>The desktop through HTTP, on a real one: what was done is read back from the application that it was done to, or from the screen.</summary>
public sealed partial class DesktopTests(DesktopComputer computer) : IClassFixture<DesktopComputer>
{
    private Api Api => computer.Api;

    [Fact]
    public async Task A_screenshot_is_a_PNG_of_the_screen_and_says_how_long_it_took()
    {
        var size = (await Api.GetAsync($"{computer.Desktop}/screen-size")).Expect(200).Json;
        var (width, height) = (size.GetProperty("width").GetInt32(), size.GetProperty("height").GetInt32());
        Assert.Equal((1280, 720), (width, height));
        using var response = await Api.Http.GetAsync($"{computer.Desktop}/screenshot");
        Assert.Equal((HttpStatusCode.OK, "image/png"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Matches(@"^grab;dur=[0-9.]+, encode;dur=[0-9.]+$", string.Join(", ", response.Headers.GetValues("Server-Timing")));
        using var picture = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal((width, height), (picture.Width, picture.Height));
        var environment = (await Api.GetAsync($"{computer.Desktop}/environment")).Expect(200);
        Assert.Equal(("running", "x11", "1280x720"), (environment.Text("state"), environment.Text("session_type"), environment.Text("resolution")));
    }

    [Fact]
    public async Task A_region_is_that_part_of_the_screen_on_all_spellings()
    {
        const string Region = """{"x":100,"y":40,"width":321,"height":123}""";
        const string Query = "?x=100&y=40&width=321&height=123";
        foreach (var (method, path) in ((HttpMethod, string)[])
            [
                (HttpMethod.Get, $"{computer.Desktop}/screenshot/region{Query}"), (HttpMethod.Get, $"{computer.Path}/screenshot{Query}"), (HttpMethod.Get, $"{computer.Desktop}/screenshot{Query}"),
                (HttpMethod.Post, $"{computer.Desktop}/screenshot/region"), (HttpMethod.Post, $"{computer.Path}/screenshot-region"),
            ])
        {
            // Windows of other tests may still be closing.
            await Miosa.Platform.Platform.UntilAsync($"{path} is that part of the screen", async () =>
            {
                using var request = new HttpRequestMessage(method, path) { Content = method == HttpMethod.Post ? new StringContent(Region, Encoding.UTF8, "application/json") : null };
                using var response = await Api.Http.SendAsync(request);
                Assert.Equal((path, HttpStatusCode.OK), (path, response.StatusCode));
                using var part = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
                Assert.Equal((321, 123), (part.Width, part.Height));
                using var whole = await computer.ScreenshotAsync();
                return ((int X, int Y)[])[(0, 0), (160, 60), (320, 122)] is var points && points.All(point => whole.GetPixel(100 + point.X, 40 + point.Y) == part.GetPixel(point.X, point.Y));
            });
        }
    }

    [Theory]
    [InlineData("?format=jpeg&quality=70", "image/jpeg", 1280, 720)]
    [InlineData("?format=webp&quality=50&scale=0.5", "image/webp", 640, 360)]
    [InlineData("?scale=0.25", "image/png", 320, 180)]
    [InlineData("?format=jpeg&scale=0.5&x=10&y=10&width=200&height=100", "image/jpeg", 100, 50)]
    public async Task Other_formats_and_sizes_are_made_of_the_same_screen(string query, string type, int width, int height)
    {
        using var response = await Api.Http.GetAsync($"{computer.Desktop}/screenshot{query}");
        Assert.Equal((HttpStatusCode.OK, type), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        using var picture = SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal((width, height), (picture.Width, picture.Height));
    }

    [Fact]
    public async Task Many_pictures_at_once_are_all_made()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
        {
            using var picture = await computer.ScreenshotAsync(i % 2 == 0 ? "?format=webp&scale=0.5" : "");
            return picture.Width;
        }));
        Assert.Equal(6, answers.Count(width => width == 640));
    }

    [Fact]
    public async Task The_mouse_does_in_the_application_what_was_asked()
    {
        var (file, x, y, _) = await computer.EventsAsync("mouse");
        await computer.DoAsync("move", $$"""{"x":{{x}},"y":{{y}}}""");
        var cursor = (await Api.GetAsync($"{computer.Desktop}/cursor")).Expect(200).Json;
        Assert.Equal((x, y), (cursor.GetProperty("x").GetInt32(), cursor.GetProperty("y").GetInt32()));
        await computer.DoAsync("click", $$"""{"x":{{x}},"y":{{y}}}""");
        await ButtonsAsync(file, "1");
        await computer.DoAsync("click", $$"""{"x":{{x + 5}},"y":{{y}},"button":"middle"}""");
        await computer.DoAsync("right-click", $$"""{"x":{{x}},"y":{{y + 5}}}""");
        await computer.DoAsync("double-click", $$"""{"x":{{x}},"y":{{y}}}""");
        await computer.DoAsync("double_click", $$"""{"x":{{x}},"y":{{y}}}""");
        await ButtonsAsync(file, "1", "2", "3", "1", "1", "1", "1");
        Assert.Contains($"root:({x + 5},{y})", await computer.FileAsync(file) ?? "", StringComparison.Ordinal);
        await computer.DoAsync("scroll", $$"""{"x":{{x}},"y":{{y}},"direction":"up","amount":2}""");
        await computer.DoAsync("scroll", """{"direction":"down","clicks":1}""");
        await computer.DoAsync("scroll", """{"direction":"left","amount":1}""");
        await computer.DoAsync("scroll", """{"direction":"right","amount":1}""");
        await ButtonsAsync(file, "1", "2", "3", "1", "1", "1", "1", "4", "4", "5", "6", "7");
        await computer.DoAsync("mouse-down", $$"""{"x":{{x}},"y":{{y}}}""");
        await computer.DoAsync("move", $$"""{"x":{{x + 30}},"y":{{y}}}""");
        await computer.DoAsync("mouse-up");
        await computer.UntilFileAsync(file, text => Regex.Count(text, "^ButtonRelease", RegexOptions.Multiline) == 13 && text.Contains($"root:({x + 30},{y})", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_drag_passes_the_points_between_and_moves_a_window_by_its_title_bar()
    {
        await computer.EventsAsync("dragged");
        var before = await computer.WindowAsync("dragged");
        var (x, y) = (before.GetProperty("x").GetInt32(), before.GetProperty("y").GetInt32());
        // Above the content is the title bar.
        await computer.DoAsync("drag", $$"""{"from_x":{{x + 150}},"from_y":{{y - 8}},"to_x":{{x + 250}},"to_y":{{y + 52}}}""");
        var after = await computer.WindowAsync("dragged", window => window.GetProperty("x").GetInt32() != x);
        Assert.Equal((x + 100, y + 60), (after.GetProperty("x").GetInt32(), after.GetProperty("y").GetInt32()));
    }

    [Fact]
    public async Task Keys_reach_the_application_that_has_the_focus()
    {
        var (file, _, _, _) = await computer.EventsAsync("keys");
        await computer.DoAsync("key", """{"key":"Enter"}""");
        await computer.DoAsync("key", """{"key":"ctrl+shift+t"}""");
        await computer.DoAsync("hotkey", """{"keys":["ctrl","a"]}""");
        await computer.DoAsync("hotkey", """{"keys":"alt+x"}""");
        await computer.DoAsync("key", """{"key":"é"}""");
        await computer.DoAsync("key-down", """{"key":"shift"}""");
        await computer.DoAsync("key-up", """{"key":"shift"}""");
        await computer.DoAsync("key", """{"key":"F5"}""");
        var text = await computer.UntilFileAsync(file, text => text.Contains("F5)", StringComparison.Ordinal));
        var pressed = KeyPress().Matches(text).Select(match => match.Groups[1].Value).ToList();
        Assert.Equal(["Return", "Control_L", "Shift_L", "T", "Control_L", "a", "Alt_L", "x", "eacute", "Shift_L", "F5"], pressed);
    }

    [Fact]
    public async Task Text_of_any_script_arrives_as_it_was_sent()
    {
        var lines = string.Join('\n', Enumerable.Range(0, 40).Select(i => $"line {i}: the quick brown fox jumps over the lazy dog, {i * 7919}"));
        var text = $"Héllo, Wörld! 你好 🙂 ¿Qué?\tand a tab\nПривет {{}}[]<>|\\~^`\"'\n{lines}\n";
        await computer.LaunchAsync("xterm -T typing -e sh -c 'stty -echo; cat > /tmp/typed.txt; touch /tmp/typed.done'");
        await computer.WindowAsync("typing", window => window.GetProperty("focused").GetBoolean());
        await computer.DoAsync("type", JsonSerializer.Serialize(new { text }));
        await computer.DoAsync("key", """{"key":"ctrl+d"}""");
        await computer.UntilFileAsync("/tmp/typed.done", _ => true);
        Assert.Equal(text, await computer.FileAsync("/tmp/typed.txt"));
    }

    [Fact]
    public async Task The_clipboard_holds_a_mebibyte_of_any_text_both_ways()
    {
        var text = "你好 🙂 \t\n\"quoted\" \\ " + new string('x', 1000) + "\nend";
        await computer.DoAsync("clipboard", JsonSerializer.Serialize(new { text }));
        Assert.Equal(text, (await Api.GetAsync($"{computer.Desktop}/clipboard")).Expect(200).Text("text"));
        Assert.Equal(text, await computer.RunAsync("timeout 10 xclip -o -selection clipboard"));
        await computer.RunAsync("printf 'from the application: ✓' | timeout -k 1 20 xclip -i -selection clipboard >/dev/null 2>&1");
        await Miosa.Platform.Platform.UntilAsync("the clipboard is the application's", async () => (await Api.GetAsync($"{computer.Desktop}/clipboard")).Text("text") == "from the application: ✓");
        var large = string.Concat(Enumerable.Range(0, 262_144).Select(_ => "💾")); // exactly 1 MiB
        (await Api.PutAsync($"{computer.Desktop}/clipboard", JsonSerializer.Serialize(new { content = large }))).Expect(200);
        Assert.Equal(large, (await Api.GetAsync($"{computer.Desktop}/clipboard")).Expect(200).Text("text"));
        var tooLarge = (await Api.PostAsync($"{computer.Desktop}/clipboard", JsonSerializer.Serialize(new { text = large + "x" }))).Expect(422);
        Assert.Contains("1048576", tooLarge.Text("message"), StringComparison.Ordinal);
        (await Api.PostAsync($"{computer.Desktop}/clipboard", """{"text":""}""")).Expect(200);
    }

    [Fact]
    public async Task Windows_are_listed_moved_resized_minimized_maximized_focused_and_closed()
    {
        var (_, _, _, id) = await computer.EventsAsync("handled");
        var one = $"{computer.Desktop}/window/{id}";
        Assert.Matches("^[0-9]+$", id);
        (await Api.PostAsync($"{one}/move", """{"x":300,"y":220}""")).Expect(200);
        await computer.WindowAsync("handled", window => window.GetProperty("x").GetInt32() == 300 && window.GetProperty("y").GetInt32() == 220);
        var position = (await Api.GetAsync($"{one}/position")).Expect(200).Json;
        Assert.Equal((300, 220), (position.GetProperty("x").GetInt32(), position.GetProperty("y").GetInt32()));
        (await Api.PostAsync($"{one}/resize", """{"width":333,"height":222}""")).Expect(200);
        await computer.WindowAsync("handled", window => window.GetProperty("width").GetInt32() == 333 && window.GetProperty("height").GetInt32() == 222);
        var size = (await Api.GetAsync($"{one}/size")).Expect(200).Json;
        Assert.Equal((333, 222), (size.GetProperty("width").GetInt32(), size.GetProperty("height").GetInt32()));
        (await Api.PostAsync($"{one}/minimize")).Expect(200);
        await computer.WindowAsync("handled", window => window.GetProperty("minimized").GetBoolean());
        (await Api.PostAsync($"{computer.Desktop}/window/focus", $$"""{"window_id":{{id}}}""")).Expect(200);
        await computer.WindowAsync("handled", window => !window.GetProperty("minimized").GetBoolean() && window.GetProperty("is_focused").GetBoolean());
        (await Api.PostAsync($"{one}/maximize", "{}")).Expect(200);
        await computer.WindowAsync("handled", window => window.GetProperty("maximized").GetBoolean() && window.GetProperty("width").GetInt32() > 1000);
        (await Api.PostAsync($"{one}/close")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it is closed", async () => await computer.FindWindowAsync("handled") is null);
        foreach (var path in (string[])[$"{one}/size", $"{one}/position", $"{computer.Desktop}/window/nonsense/size"])
            Assert.Equal((path, 404), (path, (await Api.GetAsync(path)).Status));
        foreach (var path in (string[])[$"{one}/close", $"{one}/focus", $"{computer.Desktop}/window/nonsense/close"])
            Assert.Equal((path, 404), (path, (await Api.PostAsync(path)).Status));
    }

    [Fact]
    public async Task The_Go_client_gets_the_bare_list_of_windows_and_everybody_else_the_object()
    {
        await computer.EventsAsync("listed");
        var bare = (await Api.SendAsync(HttpMethod.Get, $"{computer.Desktop}/windows", null, ("User-Agent", "miosa-go/2.0.2"))).Expect(200).Json;
        Assert.Contains(bare.EnumerateArray(), window => window.GetProperty("title").GetString() == "listed");
        foreach (var agent in (string[])["miosa-python/0.1.0", "curl/8", "xmiosa-go/2"])
        {
            var body = (await Api.SendAsync(HttpMethod.Get, $"{computer.Desktop}/windows", null, ("User-Agent", agent))).Expect(200).Json;
            Assert.Equal(body.GetProperty("data").GetRawText(), body.GetProperty("windows").GetRawText());
        }
    }

    [Fact]
    public async Task What_is_no_program_is_told_with_those_that_are_there()
    {
        var refused = (await Api.PostAsync($"{computer.Desktop}/launch", """{"app_name":"no-such-program-at-all"}""")).Expect(422);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty("app", out _));
        (await Api.PostAsync($"{computer.Desktop}/launch", "{}")).Expect(422);
    }

    [Fact]
    public async Task The_accessibility_tree_has_the_applications_with_roles_names_and_bounds()
    {
        await computer.LaunchAsync("mousepad");
        JsonElement tree = default;
        await Miosa.Platform.Platform.UntilAsync(
            "the editor is in the tree",
            async () => (tree = JsonDocument.Parse((await Api.GetAsync($"{computer.Desktop}/accessibility-tree")).Expect(200).Body).RootElement).GetRawText().Contains("ousepad", StringComparison.Ordinal),
            TimeSpan.FromSeconds(60));
        Assert.Equal("desktop frame", tree.GetProperty("role").GetString());
        Assert.Contains(Walk(tree), node => node.GetProperty("role").GetString()!.Contains("menu", StringComparison.Ordinal));
        Assert.Contains(Walk(tree), node => node.TryGetProperty("bounds", out var bounds) && bounds.ValueKind == JsonValueKind.Object && bounds.GetProperty("width").GetInt32() > 0);
        var flat = JsonDocument.Parse((await Api.GetAsync($"{computer.Desktop}/accessibility-tree?max_depth=1")).Expect(200).Body).RootElement;
        Assert.True(Walk(flat).Count() < Walk(tree).Count());
        Assert.Equal(422, (await Api.GetAsync($"{computer.Desktop}/accessibility-tree?max_depth=0")).Status);
    }

    [Fact]
    public async Task Waiting_takes_its_time_and_no_more_than_a_minute()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await computer.DoAsync("wait", """{"seconds":0.3}""");
        Assert.True(clock.ElapsedMilliseconds >= 290);
        await computer.DoAsync("wait", """{"ms":1}""");
        foreach (var body in (string[])["""{"seconds":61}""", """{"seconds":-1}""", """{"ms":60001}""", "{}", """{"seconds":"1"}"""])
            Assert.Equal((body, 422), (body, (await Api.PostAsync($"{computer.Desktop}/wait", body)).Status));
    }

    [Theory]
    [InlineData("click", """{"x":1280,"y":10}""", "x", "127")]
    [InlineData("click", """{"x":10,"y":720}""", "y", "7")]
    [InlineData("move", """{"x":-1,"y":0}""", "x", "0")]
    [InlineData("click", """{"y":0}""", "x", "required")]
    [InlineData("click", """{"x":1,"y":1,"button":"fourth"}""", "button", "left")]
    [InlineData("mouse-down", """{"x":1}""", "y", "required")]
    [InlineData("drag", """{"start_x":1,"start_y":1,"end_x":5000,"end_y":1}""", "end_x", "")]
    [InlineData("drag", """{"start_x":1,"start_y":1,"end_x":1300,"end_y":1}""", "end_x", "")]
    [InlineData("drag", """{"start_x":1}""", "start_y", "required")]
    [InlineData("scroll", """{"direction":"sideways"}""", "direction", "left")]
    [InlineData("scroll", """{"amount":0}""", "amount", "1")]
    [InlineData("key", """{"key":"retrun"}""", "key", "Return")]
    [InlineData("key", """{"key":"ctrl+nosuchkey"}""", "key", "nosuchkey")]
    [InlineData("key", """{"key":""}""", "key", "empty")]
    [InlineData("hotkey", """{"keys":[]}""", "keys", "empty")]
    [InlineData("hotkey", """{"keys":["ctrl+c"]}""", "keys", "one key")]
    [InlineData("type", """{"text":"bell \u0007"}""", "text", "U+0007")]
    [InlineData("type", "{}", "text", "required")]
    [InlineData("type", """{"text":"a","delay":5000}""", "delay", "1000")]
    [InlineData("screenshot/region", """{"x":0,"y":0,"width":0,"height":1}""", "width", "1")]
    [InlineData("screenshot/region", """{"x":1200,"y":0,"width":200,"height":100}""", "", "1280")]
    [InlineData("wallpaper", """{"url":"ftp://example.com/a.png"}""", "url", "http")]
    [InlineData("wallpaper", """{"path":"/etc/passwd"}""", "path", "picture")]
    [InlineData("wallpaper", """{"path":"/no/such/file.png"}""", "path", "")]
    [InlineData("wallpaper", """{"path":"/usr/share/backgrounds/miosa.png","mode":"around"}""", "mode", "fill")]
    [InlineData("wallpaper", "{}", "url", "required")]
    [InlineData("window/focus", "{}", "window_id", "required")]
    public async Task Bad_input_names_the_field_and_what_it_should_be(string operation, string body, string field, string says)
    {
        var refused = (await Api.PostAsync($"{computer.Desktop}/{operation}", body)).Expect(422);
        Assert.Equal("VALIDATION_ERROR", refused.Code);
        if (field.Length > 0)
            Assert.True(refused.Json.GetProperty("details").TryGetProperty(field, out _), refused.Body);
        Assert.Contains(says, refused.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_text_than_a_mebibyte_is_refused()
    {
        foreach (var text in (string[])[new string('x', (1 << 20) + 1), new string('é', 1 << 19) + "x"])
            Assert.Equal(422, (await Api.PostAsync($"{computer.Desktop}/type", JsonSerializer.Serialize(new { text }))).Status);
        Assert.Equal(413, (await Api.PostAsync($"{computer.Desktop}/type", JsonSerializer.Serialize(new { text = new string('x', 9 << 20) }))).Status);
    }

    [Fact]
    public async Task Two_agents_at_once_both_get_their_keys_through()
    {
        await computer.LaunchAsync("xterm -T shared -e sh -c 'stty -echo; cat > /tmp/shared.txt; touch /tmp/shared.done'");
        await computer.WindowAsync("shared", window => window.GetProperty("focused").GetBoolean());
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => computer.DoAsync("type", JsonSerializer.Serialize(new { text = $"<{new string((char)('a' + i), 50)}>\n" }))));
        await computer.DoAsync("key", """{"key":"ctrl+d"}""");
        await computer.UntilFileAsync("/tmp/shared.done", _ => true);
        var lines = (await computer.FileAsync("/tmp/shared.txt") ?? "").TrimEnd('\n').Split('\n');
        // Whole calls, one after the other: nobody's text is in the middle of another's.
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"<{new string((char)('a' + i), 50)}>"), lines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Another_tenant_and_a_key_that_may_only_look_do_nothing()
    {
        using var other = await computer.Platform.NewApiAsync();
        foreach (var path in (string[])["screenshot", "cursor", "windows", "clipboard", "screen-size", "accessibility-tree", "environment"])
            Assert.Equal((path, 404), (path, (await other.GetAsync($"{computer.Desktop}/{path}")).Status));
        Assert.Equal(404, (await other.PostAsync($"{computer.Desktop}/click", """{"x":1,"y":1}""")).Status);
        using var looker = computer.Platform.Api(await computer.Platform.NewKeyAsync(computer.TenantId, [Scopes.ComputersRead]));
        Assert.Equal(200, (await looker.GetAsync($"{computer.Desktop}/screen-size")).Status);
        foreach (var (operation, body) in ((string, string)[])[("click", """{"x":1,"y":1}"""), ("type", """{"text":"x"}"""), ("clipboard", """{"text":"x"}"""), ("launch", """{"app":"xterm"}"""), ("wallpaper", """{"path":"/a"}""")])
            Assert.Equal((operation, 403), (operation, (await looker.PostAsync($"{computer.Desktop}/{operation}", body)).Status));
    }

    [Fact]
    public async Task What_was_done_stands_in_the_audit_log_without_the_text()
    {
        await computer.DoAsync("move", """{"x":3,"y":3}""");
        (await Api.PostAsync($"{computer.Desktop}/clipboard", """{"text":"top-secret-text"}""")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("both are there", async () =>
        {
            var log = (await Api.GetAsync("audit-log?per_page=100")).Expect(200).Body;
            Assert.DoesNotContain("top-secret-text", log, StringComparison.Ordinal);
            return log.Contains("computer.desktop.input", StringComparison.Ordinal) && log.Contains("computer.desktop.clipboard.set", StringComparison.Ordinal) && log.Contains(computer.Id, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Input_on_a_stopped_computer_is_refused_with_what_to_do()
    {
        var id = await computer.NewAsync();
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        await computer.UntilAsync(id, "stopped");
        foreach (var answer in (Answer[])
            [
                await Api.PostAsync($"computers/{id}/desktop/click", """{"x":1,"y":1}"""), await Api.GetAsync($"computers/{id}/desktop/screenshot"), await Api.GetAsync($"computers/{id}/desktop/clipboard"),
                await Api.PostAsync($"computers/{id}/stream-token"), await Api.GetAsync($"computers/{id}/vnc-credentials"),
            ])
        {
            Assert.Equal(409, answer.Status);
            Assert.Contains("start", answer.Text("message"), StringComparison.Ordinal);
        }
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task An_X_server_that_dies_is_started_again_and_that_is_told()
    {
        var before = (await Api.GetAsync($"{computer.Desktop}/environment")).Expect(200).Json.GetProperty("restarts").GetInt32();
        await computer.LaunchAsync("killall -KILL Xvnc Xtigervnc");
        await Miosa.Platform.Platform.UntilAsync(
            "the desktop is there again",
            async () => await Api.GetAsync($"{computer.Desktop}/environment") is { Status: 200 } told && told.Text("state") == "running" && told.Json.GetProperty("restarts").GetInt32() > before
                && (await Api.GetAsync($"{computer.Desktop}/screenshot")).Status == 200);
        using var picture = await computer.ScreenshotAsync();
        Assert.Equal(1280, picture.Width);
    }

    private Task<string> ButtonsAsync(string file, params string[] buttons) => computer.UntilFileAsync(file, text => ButtonPress().Matches(text).Select(match => match.Groups[1].Value).SequenceEqual(buttons));

    private static IEnumerable<JsonElement> Walk(JsonElement node) => node.GetProperty("children").EnumerateArray().SelectMany(Walk).Prepend(node);

    [GeneratedRegex(@"^ButtonPress event[^\n]*\n[^\n]*\n[^\n]*button (\d)", RegexOptions.Multiline)]
    private static partial Regex ButtonPress();

    [GeneratedRegex(@"^KeyPress event[^\n]*\n[^\n]*\n[^\n]*keysym 0x[0-9a-f]+, (\w+)\)", RegexOptions.Multiline)]
    private static partial Regex KeyPress();
}
