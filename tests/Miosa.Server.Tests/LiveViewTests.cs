using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>The live view as a person has it: the page in a browser, noVNC in it, the mouse on it.</summary>
public sealed class LiveViewTests(DesktopComputer computer) : IClassFixture<DesktopComputer>
{
    private Api Api => computer.Api;

    private async Task<string> UrlAsync(string body = "{}", string? id = null) => (await Api.PostAsync($"computers/{id ?? computer.Id}/stream-token", body)).Expect(200).Text("url");

    [Fact]
    public async Task A_window_dragged_in_the_browser_moves_on_the_computer()
    {
        await computer.EventsAsync("moved");
        var before = await computer.WindowAsync("moved");
        var (x, y) = (before.GetProperty("x").GetInt32(), before.GetProperty("y").GetInt32());
        using var pictureBefore = await computer.ScreenshotAsync();
        await using var browser = await Browser.OpenAsync(await UrlAsync());
        await ConnectedAsync(browser);
        await DragAsync(browser, x + 150, y - 8, x + 300, y + 92);
        var after = await computer.WindowAsync("moved", window => window.GetProperty("x").GetInt32() != x);
        // The page is a little larger or smaller than the screen: a pixel of one is not a pixel of the other.
        Assert.InRange(after.GetProperty("x").GetInt32(), x + 147, x + 153);
        Assert.InRange(after.GetProperty("y").GetInt32(), y + 97, y + 103);
        using var pictureAfter = await computer.ScreenshotAsync();
        Assert.False(pictureBefore.Bytes.AsSpan().SequenceEqual(pictureAfter.Bytes));
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task Keys_and_the_clipboard_go_both_ways()
    {
        var (file, _, _, _) = await computer.EventsAsync("typed-at");
        await using var browser = await Browser.OpenAsync(await UrlAsync());
        await ConnectedAsync(browser);
        await browser.KeyAsync("w", "KeyW", 87);
        await computer.UntilFileAsync(file, text => text.Contains(", w)", StringComparison.Ordinal));
        await computer.DoAsync("clipboard", """{"text":"from the computer: 你好 🙂"}""");
        await browser.UntilAsync("the browser has the computer's clipboard", "document.getElementById('copied').value === 'from the computer: 你好 🙂'");
        await browser.EvaluateAsync("document.getElementById('copied').value = 'from the browser: ✓ ü'; document.getElementById('paste').requestSubmit()");
        await Miosa.Platform.Platform.UntilAsync("the computer has the browser's clipboard", async () => (await Api.GetAsync($"{computer.Desktop}/clipboard")).Expect(200).Text("text") == "from the browser: ✓ ü");
    }

    [Fact]
    public async Task A_page_for_looking_on_shows_everything_and_moves_nothing()
    {
        await computer.EventsAsync("fixed");
        var before = await computer.WindowAsync("fixed");
        var (x, y) = (before.GetProperty("x").GetInt32(), before.GetProperty("y").GetInt32());
        await using var browser = await Browser.OpenAsync(await UrlAsync("""{"read_only":true}"""));
        await ConnectedAsync(browser);
        Assert.Equal(JsonValueKind.True, (await browser.EvaluateAsync("document.getElementById('clipboard') === null")).ValueKind);
        await DragAsync(browser, x + 150, y - 8, x + 300, y + 92);
        // What comes behind it has been shown: the drag has had its time.
        await computer.DoAsync("move", """{"x":5,"y":5}""");
        var after = await computer.WindowAsync("fixed");
        Assert.Equal((x, y), (after.GetProperty("x").GetInt32(), after.GetProperty("y").GetInt32()));
    }

    [Fact]
    public async Task The_page_says_that_the_computer_is_stopped_and_comes_back_by_itself()
    {
        var id = await computer.NewAsync();
        await using var browser = await Browser.OpenAsync(await UrlAsync(id: id));
        await ConnectedAsync(browser);
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        await browser.UntilAsync("the page says stopped", "document.body.dataset.state === 'stopped'", TimeSpan.FromSeconds(60));
        Assert.Contains("start it first", (await browser.EvaluateAsync("document.getElementById('text').textContent")).GetString(), StringComparison.Ordinal);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await ConnectedAsync(browser, TimeSpan.FromSeconds(120));
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
        await browser.UntilAsync("the page says that it is over", "document.body.dataset.state === 'ended'", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task The_desktop_takes_the_size_of_the_window_when_it_is_asked_to()
    {
        var id = await computer.NewAsync();
        await using var browser = await Browser.OpenAsync(await UrlAsync(id: id));
        await ConnectedAsync(browser);
        await browser.EvaluateAsync("document.getElementById('resize').click()");
        await browser.UntilAsync("the canvas is as wide as the page", "Math.abs(document.querySelector('#screen canvas').width - document.getElementById('screen').clientWidth) < 16");
        var (width, height) = ((await browser.EvaluateAsync("document.querySelector('#screen canvas').width")).GetInt32(), (await browser.EvaluateAsync("document.querySelector('#screen canvas').height")).GetInt32());
        Assert.NotEqual(1280, width);
        await Miosa.Platform.Platform.UntilAsync("the desktop tells the new size", async () =>
            (await Api.GetAsync($"computers/{id}/desktop/screen-size")).Expect(200).Json is var size && (size.GetProperty("width").GetInt32(), size.GetProperty("height").GetInt32()) == (width, height));
        using var response = await Api.Http.GetAsync($"computers/{id}/desktop/screenshot?format=jpeg");
        using var picture = SkiaSharp.SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal((width, height), (picture.Width, picture.Height));
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task A_restart_of_the_server_is_no_more_than_a_pause()
    {
        await using var browser = await Browser.OpenAsync(await UrlAsync());
        await ConnectedAsync(browser);
        await computer.Platform.KillServerAsync();
        await browser.UntilAsync("the page tries again", "document.body.dataset.state !== 'connected'");
        await computer.Platform.StartServerAsync();
        await ConnectedAsync(browser, TimeSpan.FromSeconds(60));
    }

    private static Task ConnectedAsync(Browser browser, TimeSpan? within = null) =>
        browser.UntilAsync("the page is connected and has drawn", "document.body?.dataset.state === 'connected' && document.querySelector('#screen canvas')?.width === 1280", within);

    /// <summary>With the mouse of the browser, from one pixel of the screen to another.</summary>
    private static async Task DragAsync(Browser browser, int fromX, int fromY, int toX, int toY)
    {
        var box = await browser.EvaluateAsync("(() => { const c = document.querySelector('#screen canvas'), r = c.getBoundingClientRect(); return [r.left, r.top, r.width / c.width]; })()");
        var (left, top, scale) = (box[0].GetDouble(), box[1].GetDouble(), box[2].GetDouble());
        await browser.MouseAsync("mouseMoved", left + (fromX * scale), top + (fromY * scale), isHeld: false);
        await browser.MouseAsync("mousePressed", left + (fromX * scale), top + (fromY * scale), isHeld: true);
        const int steps = 12;
        for (var step = 1; step <= steps; step++)
            await browser.MouseAsync("mouseMoved", left + ((fromX + ((toX - fromX) * step / (double)steps)) * scale), top + ((fromY + ((toY - fromY) * step / (double)steps)) * scale), isHeld: true);
        await browser.MouseAsync("mouseReleased", left + (toX * scale), top + (toY * scale), isHeld: true);
    }
}
