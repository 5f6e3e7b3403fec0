using System.Text;
using System.Text.Json;
using Miosa.Guest;
using Miosa.Runtime.Tests;

namespace Miosa.Desktop.Tests;

public sealed class WindowTests(DesktopFixture desktop)
{
    [Fact]
    public async Task Windows_are_listed_and_controlled()
    {
        var first = await desktop.OpenAsync("xterm -T first -geometry 50x10+100+100 -e sleep 1000", "first");
        var second = await desktop.OpenAsync("xterm -T second -geometry 50x10+500+300 -e sleep 1000", "second");
        Assert.Equal(("XTerm", true), (second.App, second.Focused));
        Assert.Equal(int.Parse(await desktop.RunAsync("cat /tmp/second.pid"), null), second.Pid);
        Assert.Equal(["first", "second"], (await desktop.WindowsAsync()).Select(window => window.Title).Order());

        var focused = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Focus });
        Assert.True(focused.Focused);
        Assert.Equal(first.Id, Assert.Single(await desktop.WindowsAsync(), window => window.Focused).Id);

        var moved = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Move, X = 333, Y = 222 });
        Assert.Equal((333, 222), (moved.X, moved.Y));
        var maximized = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Maximize });
        Assert.True(maximized.Maximized && maximized.Width > 1000);
        var restored = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Restore });
        Assert.False(restored.Maximized);
        Assert.Equal((moved.Width, moved.Height), (restored.Width, restored.Height));
        var minimized = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Minimize });
        Assert.True(minimized is { Minimized: true, Focused: false });
        Assert.False((await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Restore })).Minimized);
        var sized = await desktop.WindowAsync(new WindowCall { Id = first.Id, Action = DesktopWord.Resize, Width = 420, Height = 260 });
        // A terminal keeps to whole letters.
        Assert.InRange(sized.Width, 400, 420);
        Assert.InRange(sized.Height, 240, 260);

        await desktop.CloseAsync(second);
        await desktop.CloseAsync(first);
        Assert.Equal(GuestErrorCode.NotFound, (await desktop.RefusedAsync(GuestVerb.DesktopWindow, $$"""{"id":"{{first.Id}}","action":"focus"}""")).Code);
    }

    [Fact]
    public async Task A_title_is_text_whatever_a_program_makes_of_it()
    {
        var window = await desktop.OpenAsync("xterm -T odd -geometry 50x10+100+100 -e sleep 1000", "odd");
        await desktop.RunAsync($"xprop -id {window.Id} -f _NET_WM_NAME 8u -set _NET_WM_NAME \"$(printf '你好\\037%02000d' 7)\"");
        await Eventually.TrueAsync(
            async () => (await desktop.WindowsAsync()) is [{ Title: { } title }] && title.StartsWith("你好 0", StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(title) <= 600,
            "the odd title");
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task What_happens_is_told()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var watch = await desktop.Guest.OpenAsync(
            GuestVerb.DesktopWatch, new DesktopWatchCall { IdleMs = 1500, Clipboard = true }, GuestJson.Wire.DesktopWatchCall, takesData: true, deadline.Token);
        var events = new Events(watch);
        Assert.Equal(DesktopEvent.Watching, (await events.NextAsync(_ => true, deadline.Token)).Event);

        var window = await desktop.OpenAsync("xterm -T told -geometry 50x10+100+100 -e sleep 1000", "told");
        var opened = await events.NextAsync(one => one.Event == DesktopEvent.WindowOpened, deadline.Token);
        Assert.Equal((window.Id, window.Pid), (opened.WindowId, opened.Pid));
        await events.NextAsync(one => one.Event == DesktopEvent.WindowFocusChanged && one.WindowId == window.Id, deadline.Token);
        await desktop.RunAsync("printf 'from a program' | xclip -i -selection clipboard > /dev/null 2>&1");
        Assert.Equal(14, (await events.NextAsync(one => one.Event == DesktopEvent.ClipboardChanged, deadline.Token)).SizeBytes);
        await desktop.SetClipboardAsync("from outside");
        Assert.Equal(12, (await events.NextAsync(one => one.Event == DesktopEvent.ClipboardChanged, deadline.Token)).SizeBytes);
        await desktop.CloseAsync(window);
        Assert.Equal(window.Id, (await events.NextAsync(one => one.Event == DesktopEvent.WindowClosed, deadline.Token)).WindowId);
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Move, X = 5, Y = 5 });
        Assert.True((await events.NextAsync(one => one.Event == DesktopEvent.IdleInactive, deadline.Token)).IdleMs >= 1500);
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Move, X = 6, Y = 6 });
        await events.NextAsync(one => one.Event == DesktopEvent.IdleActive, deadline.Token);
        await desktop.ResizeAsync(1000, 700);
        var resized = await events.NextAsync(one => one.Event == DesktopEvent.Resized, deadline.Token);
        Assert.Equal((1000, 700), (resized.Width, resized.Height));
        await desktop.ResizeAsync(1280, 720);
        await watch.CancelAsync();
    }
}

/// <summary>The lines of a watch.</summary>
internal sealed class Events(Server.Guests.GuestCall watch)
{
    private readonly Queue<GuestDesktopEvent> _read = new();
    private string _rest = "";

    /// <summary>The next that is asked for; those before it are passed over.</summary>
    public async Task<GuestDesktopEvent> NextAsync(Func<GuestDesktopEvent, bool> isIt, CancellationToken ct)
    {
        while (true)
        {
            while (_read.TryDequeue(out var one))
            {
                Assert.True(one.AtMs > 0);
                if (isIt(one))
                    return one;
            }
            var chunk = await watch.NextAsync(ct);
            Assert.False(chunk.IsEnd);
            foreach (var part in chunk.Bytes)
                _rest += Encoding.UTF8.GetString(part.Span);
            for (var end = _rest.IndexOf('\n', StringComparison.Ordinal); end >= 0; end = _rest.IndexOf('\n', StringComparison.Ordinal))
            {
                _read.Enqueue(JsonSerializer.Deserialize(_rest[..end], GuestJson.Wire.GuestDesktopEvent)!); // a line is never "null"
                _rest = _rest[(end + 1)..];
            }
        }
    }
}
