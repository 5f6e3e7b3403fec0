using System.Text;
using Miosa.Guest;
using Miosa.Runtime.Tests;

namespace Miosa.Desktop.Tests;

/// <summary>What was typed is what the program read; what was clicked is what it was told.</summary>
public sealed class InputTests(DesktopFixture desktop)
{
    private static string Han(int count) => string.Concat(Enumerable.Range(0x4e00, count).Select(code => (char)code));

    public static TheoryData<string, string> Texts => new()
    {
        { "ascii", "The quick brown fox jumps over the lazy dog, 0123456789 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" },
        { "accents", "Héllo, Wörld! ÀÉÎÕÜ ß ñ ç ø å € “quotes” – dash" },
        { "scripts", "你好，世界 こんにちは 안녕하세요 Привет Ελληνικά שלום" },
        { "emoji", "🙂 👩‍💻 🎉 end" },
        { "tabs", "a\tb\t\tc\nsecond line\n\n\tindented\n" },
        { "windows", "one\r\ntwo\r\n" },
        { "many", Han(250) + Han(250) },
        { "mixed", string.Concat(Enumerable.Repeat("aA1 é你🙂\t", 300)) },
        { "long", string.Concat(Enumerable.Range(0, 1250).Select(i => $"{i:0000} Ab\n")) },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public async Task Typed_text_arrives_whole(string name, string text)
    {
        var window = await desktop.OpenRecorderAsync("typed-" + name);
        var reply = await desktop.TypeAsync(text);
        Assert.Equal(text.Replace("\r\n", "\n", StringComparison.Ordinal).EnumerateRunes().Count(), reply.Characters);
        // Return is what a terminal reads of a key for a new line.
        var expected = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\n', '\r');
        Assert.Equal(expected, await desktop.ReadAsync("/tmp/typed-" + name, Encoding.UTF8.GetByteCount(expected)));
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task Typed_text_is_what_an_editor_saves()
    {
        var text = "Größe 你好 🙂\tend\n" + Han(250) + "\n" + Han(250) + "\n" + string.Concat(Enumerable.Range(0, 200).Select(i => $"{i:000} Ab\n"));
        await desktop.RunAsync("printf x > /tmp/edited.txt; setsid mousepad /tmp/edited.txt </dev/null >/dev/null 2>&1 &");
        GuestWindow? editor = null;
        await Eventually.TrueAsync(
            async () => (editor = (await desktop.WindowsAsync()).FirstOrDefault(window => window.Title!.Contains("edited.txt", StringComparison.Ordinal))) is not null, "the editor");
        await desktop.WindowAsync(new WindowCall { Id = editor!.Id, Action = DesktopWord.Focus });
        await desktop.KeysAsync("ctrl", "a");
        await desktop.TypeAsync(text);
        await desktop.KeysAsync("ctrl", "s");
        Assert.Equal(text.TrimEnd('\n'), (await desktop.ReadAsync("/tmp/edited.txt", Encoding.UTF8.GetByteCount(text))).TrimEnd('\n'));
        await desktop.CloseAsync(editor);
    }

    [Fact]
    public async Task Two_texts_at_once_come_one_after_the_other()
    {
        var window = await desktop.OpenRecorderAsync("two");
        var (one, two) = (new string('a', 3000) + "é", new string('b', 3000) + "你");
        await Task.WhenAll(desktop.TypeAsync(one), desktop.TypeAsync(two));
        var read = await desktop.ReadAsync("/tmp/two", Encoding.UTF8.GetByteCount(one + two));
        Assert.True(read == one + two || read == two + one);
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_delay_lies_between_two_characters_and_others_may_look_meanwhile()
    {
        var window = await desktop.OpenRecorderAsync("slow");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var typing = desktop.TypeAsync("0123456789", delayMs: 100);
        await desktop.ScreenshotAsync(new ScreenshotCall());
        Assert.False(typing.IsCompleted);
        await typing;
        Assert.True(clock.ElapsedMilliseconds >= 900, $"{clock.ElapsedMilliseconds} ms");
        Assert.Equal("0123456789", await desktop.ReadAsync("/tmp/slow", 10));
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task Keys_by_all_their_names()
    {
        var window = await desktop.OpenRecorderAsync("keys");
        await desktop.KeysAsync("a");
        await desktop.KeysAsync("A");
        await desktop.KeysAsync("shift", "b");
        await desktop.KeysAsync("ctrl", "c");
        await desktop.KeysAsync("Control_L", "A");
        await desktop.KeysAsync("Return");
        await desktop.KeysAsync("enter");
        await desktop.KeysAsync("TAB");
        await desktop.KeysAsync("esc");
        await desktop.KeysAsync("plus");
        await desktop.KeysAsync("+");
        await desktop.KeysAsync("space");
        await desktop.KeysAsync("é");
        await desktop.KeysAsync("你");
        await desktop.KeysAsync("ArrowUp");
        await desktop.KeysAsync("F5");
        await desktop.KeysAsync("PageDown");
        await desktop.KeysAsync("alt", "shift", "z");
        const string expected = "aAB\x03\x01\r\r\t\x1b++ é你\x1b[A\x1b[15~\x1b[6~";
        var read = await desktop.ReadAsync("/tmp/keys", Encoding.UTF8.GetByteCount(expected));
        Assert.StartsWith(expected, read, StringComparison.Ordinal);
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_key_is_held_until_it_is_let_go_and_caps_lock_does_not_turn_letters_round()
    {
        var window = await desktop.OpenRecorderAsync("held");
        await HoldAsync("shift", DesktopWord.Down);
        await desktop.KeysAsync("x");
        await HoldAsync("shift", DesktopWord.Up);
        await desktop.KeysAsync("x");
        await desktop.KeysAsync("Caps_Lock");
        await desktop.TypeAsync("Upper lower");
        await desktop.KeysAsync("Caps_Lock");
        Assert.Equal("XxUpper lower", await desktop.ReadAsync("/tmp/held", 13));
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_click_presses_the_button_under_it()
    {
        var window = await desktop.OpenAsync("sh -c 'xmessage -title button -buttons Yes:17 Really 2>/dev/null; echo code $?'", "button");
        // The button is the last line of the window.
        var reply = await desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, X = window.X + 22, Y = window.Y + window.Height - 16 });
        Assert.Equal((window.X + 22, window.Y + window.Height - 16), (reply.X, reply.Y));
        await Eventually.TrueAsync(async () => await desktop.RunAsync("cat /tmp/button.log") == "code 17\n", "the end of the program with the code of its button");
    }

    [Fact]
    public async Task Buttons_and_wheels_are_told_as_they_were_used()
    {
        var window = await desktop.OpenAsync("stdbuf -oL xev -name events -event button -geometry 300x200+400+200", "events");
        var (x, y) = (window.X + 150, window.Y + 100);
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, X = x, Y = y });
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, Button = DesktopWord.Middle });
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, Button = DesktopWord.Right, Count = 3 });
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Down });
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Up });
        await desktop.ScrollAsync(new ScrollCall { Direction = "up", Amount = 2 });
        await desktop.ScrollAsync(new ScrollCall { Direction = "down", Amount = 1, X = x + 1, Y = y + 1 });
        await desktop.ScrollAsync(new ScrollCall { Direction = "left", Amount = 1 });
        await desktop.ScrollAsync(new ScrollCall { Direction = "right", Amount = 100 });
        const string buttons = "1 2 3 3 3 1 4 4 5 6";
        var expected = buttons + string.Concat(Enumerable.Repeat(" 7", 100));
        // A press and a release of each.
        var told = "";
        await Eventually.TrueAsync(
            async () =>
            {
                told = await desktop.RunAsync("grep -A3 ^ButtonRelease /tmp/events.log | grep -o 'button [0-9]' | cut -d' ' -f2 | tr '\\n' ' '");
                return told.Trim() == expected;
            },
            "the buttons");
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_window_follows_a_drag_of_its_title()
    {
        var window = await desktop.OpenAsync("xterm -T dragged -geometry 60x12+200+150 -e sleep 1000", "dragged");
        var reply = await desktop.DragAsync(new DragCall
        {
            FromX = window.X + 100, FromY = window.Y - 10, ToX = window.X + 257, ToY = window.Y + 113, DurationMs = 200,
        });
        Assert.Equal((window.X + 257, window.Y + 113), (reply.X, reply.Y));
        await Eventually.TrueAsync(
            async () => (await desktop.WindowsAsync()).Any(one => one.Id == window.Id && (one.X, one.Y) == (window.X + 157, window.Y + 123)), "the window at its new place");
        await desktop.CloseAsync(window);
    }

    [Fact]
    public async Task A_program_that_grabs_everything_stops_neither_input_nor_screenshots()
    {
        await desktop.RunAsync(
            """
            cat > /tmp/grab.py <<'PY'
            import ctypes, time
            x = ctypes.CDLL('libX11.so.6'); x.XOpenDisplay.restype = ctypes.c_void_p; x.XDefaultRootWindow.restype = ctypes.c_ulong
            d = ctypes.c_void_p(x.XOpenDisplay(None)); root = ctypes.c_ulong(x.XDefaultRootWindow(d))
            print(x.XGrabKeyboard(d, root, 1, 1, 1, ctypes.c_ulong(0)), x.XGrabPointer(d, root, 1, 4, 1, 1, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))
            x.XGrabServer(d); x.XSync(d, 0); print('grabbed', flush=True); time.sleep(30)
            PY
            setsid python3 /tmp/grab.py > /tmp/grab.log 2>&1 & echo $! > /tmp/grab.pid
            """);
        await Eventually.TrueAsync(async () => (await desktop.RunAsync("cat /tmp/grab.log")).Contains("grabbed", StringComparison.Ordinal), "the grab");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await desktop.PointAsync(new PointerCall { Action = DesktopWord.Click, X = 640, Y = 300 });
        await desktop.TypeAsync("text with é and 你");
        await desktop.KeysAsync("ctrl", "z");
        await desktop.ScreenshotAsync(new ScreenshotCall());
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{clock.Elapsed}");
        await desktop.RunAsync("kill $(cat /tmp/grab.pid)");
        Assert.Equal(DesktopState.Running, (await desktop.StatusAsync()).State);
    }

    private Task<Done> HoldAsync(string key, string action) =>
        desktop.CallAsync(GuestVerb.DesktopKeys, new KeysCall { Keys = [key], Action = action }, GuestJson.Wire.KeysCall, GuestJson.Wire.Done);
}
