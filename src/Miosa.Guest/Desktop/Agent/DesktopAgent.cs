using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest.Desktop.X;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>
/// The process that sees and uses the desktop: the guest's own program, started again as the desktop's user, because nothing that talks to an X
/// server belongs into PID 1. One thread: an order from PID 1 on standard input, its answer on standard output, and between the orders the events
/// of the X server, some of which it tells as well. It ends when PID 1 or the X server does.
/// </summary>
internal sealed unsafe class DesktopAgent : IDisposable
{
    /// <summary>The first argument of the guest's program that makes it this; the second is the path of the X server's socket.</summary>
    public const string Mode = "desktop-agent";

    /// <summary>The exit code that says that the X server is to blame.</summary>
    public const int ScreenLostCode = 70;

    private const int Input = 0;
    private const int Output = 1;
    private const int LookMs = 1000;
    private const int ClipboardMs = 3000;

    /// <summary>Nobody asked for it: those who ask for something must not wait long behind it.</summary>
    private const int ClipboardSizeMs = 500;
    private const int MostSettleMs = 4000;
    private const int SettleStepMs = 30;
    private const int SettledAfter = 4;
    private const int EventsAtOnce = 512;

    private const byte ConfigureNotify = 22;
    private const byte PropertyNotify = 28;

    private readonly XConnection _x;
    private readonly Screen _screen;
    private readonly InputEvents _input;
    private readonly WindowList _windows;
    private readonly Keyboard _keyboard;
    private readonly Clipboard _clipboard;
    private readonly PngWriter _whole = new();
    private readonly PngWriter _part = new();
    private readonly Dictionary<uint, GuestWindow> _known = [];
    private uint _focused;
    private bool _mustTellFocus;
    private bool _hasManager;
    private bool _windowsChanged;

    private DesktopAgent(XConnection x)
    {
        const uint propertyAndStructure = 0x0040_0000 | 0x0002_0000 | 0x0008_0000;
        _x = x;
        _screen = new Screen(x);
        _input = new InputEvents(x);
        _windows = new WindowList(x);
        _keyboard = new Keyboard(x, _input, _windows, _screen);
        _clipboard = new Clipboard(x);
        _clipboard.Changed += () => Tell(new GuestDesktopEvent { Event = DesktopEvent.ClipboardChanged });
        x.SelectEvents(x.Root, propertyAndStructure);
        x.Sync();
        // An agent before this one may have died with a key held.
        _keyboard.ReleaseAll();
    }

    public static int Run(string socket)
    {
        Libc.OnSignal(Libc.SigPipe, 1);
        try
        {
            using var x = XConnection.TryOpen(socket) ?? throw new XLostException("no X server listens at " + socket);
            using var agent = new DesktopAgent(x);
            agent.Serve();
            return 0;
        }
        catch (XLostException e)
        {
            Console.Error.WriteLine("desktop agent: " + e.Message);
            return ScreenLostCode;
        }
    }

    public void Dispose()
    {
        _part.Dispose();
        _whole.Dispose();
        _screen.Dispose();
    }

    private void Serve()
    {
        Tell(new GuestDesktopEvent { Event = LinkEvent.Ready, Width = _x.Width, Height = _x.Height });
        _windowsChanged = true;
        Span<PollEntry> polled = [new PollEntry { Fd = Input, Events = PollEntry.In }, new PollEntry { Fd = _x.Socket, Events = PollEntry.In }];
        while (true)
        {
            HandleEvents();
            LookAtWindows();
            _x.Flush();
            if (_x.HasEvents)
                Libc.Poll(polled[..1], 0);
            else
                Libc.Poll(polled, LookMs);
            if (polled[0].Revents != 0 && !TryObey())
                return;
        }
    }

    /// <summary>False when PID 1 is gone.</summary>
    private bool TryObey()
    {
        var head = stackalloc byte[LinkHeader.Bytes];
        if (!LinkPipe.TryRead(Input, head, LinkHeader.Bytes) || !LinkHeader.TryRead(new ReadOnlySpan<byte>(head, LinkHeader.Bytes), out var header))
            return false;
        var body = new byte[header.JsonBytes + header.DataBytes];
        fixed (byte* first = body)
        {
            if (!LinkPipe.TryRead(Input, first, body.Length))
                return false;
        }
        HandleEvents();
        try
        {
            Obey(header.Order, body.AsSpan(0, header.JsonBytes), body.AsSpan(header.JsonBytes));
        }
        catch (GuestFailure e)
        {
            Refuse(e.Code, e.Message);
        }
        catch (XRefusedException e)
        {
            Refuse(GuestErrorCode.Failed, e.Message);
        }
        catch (XLostException e)
        {
            Refuse(GuestErrorCode.Busy, "the desktop is restarting: " + e.Message);
            throw;
        }
        return true;
    }

    private void Obey(LinkOrder order, ReadOnlySpan<byte> json, ReadOnlySpan<byte> data)
    {
        switch (order)
        {
            case LinkOrder.Screenshot:
                TakeScreenshot(Call(json, GuestJson.Wire.ScreenshotCall));
                return;
            case LinkOrder.Pointer:
                Point(Call(json, GuestJson.Wire.PointerCall));
                break;
            case LinkOrder.Scroll:
                Scroll(Call(json, GuestJson.Wire.ScrollCall));
                break;
            case LinkOrder.Cursor:
                break;
            case LinkOrder.Type:
                Type(data);
                return;
            case LinkOrder.Keys:
                PressKeys(Call(json, GuestJson.Wire.KeysCall));
                Answer(new Done(), GuestJson.Wire.Done);
                return;
            case LinkOrder.GetClipboard:
                var text = ReadClipboard(ClipboardMs);
                Begin(JsonSerializer.SerializeToUtf8Bytes(new ClipboardReply { Size = text.Length }, GuestJson.Wire.ClipboardReply), text.Length);
                Write(text);
                return;
            case LinkOrder.ClipboardSize:
                Answer(new ClipboardReply { Size = ReadClipboard(ClipboardSizeMs).Length }, GuestJson.Wire.ClipboardReply);
                return;
            case LinkOrder.SetClipboard:
                _clipboard.Set(data.ToArray());
                Answer(new ClipboardReply { Size = data.Length }, GuestJson.Wire.ClipboardReply);
                return;
            case LinkOrder.Windows:
                Answer(new WindowsReply { Windows = [.. _windows.Read()] }, GuestJson.Wire.WindowsReply);
                return;
            case LinkOrder.Window:
                var call = Call(json, GuestJson.Wire.WindowCall);
                Answer(
                    _windows.Control(call) ?? throw new GuestFailure(GuestErrorCode.NotFound, "there is no window \"" + call.Id + "\""),
                    GuestJson.Wire.GuestWindow);
                return;
            case LinkOrder.Resize:
                Resize(Call(json, GuestJson.Wire.DesktopResizeCall));
                return;
            case LinkOrder.Idle:
                Answer(new GuestDesktopEvent { IdleMs = _input.IdleMs() }, GuestJson.Wire.GuestDesktopEvent);
                return;
            case LinkOrder.Settle:
                Settle();
                Answer(new Done(), GuestJson.Wire.Done);
                return;
            default:
                throw GuestFailure.BadRequest("the agent has no order " + (byte)order);
        }
        var (x, y, _) = _input.Pointer();
        Answer(new PointerReply { X = x, Y = y }, GuestJson.Wire.PointerReply);
    }

    private void TakeScreenshot(ScreenshotCall call)
    {
        var region = call.X is { } x && call.Y is { } y && call.Width is { } width && call.Height is { } height
            ? new Region(x, y, width, height)
            : new Region(0, 0, _x.Width, _x.Height);
        if (region.Width < 1 || region.Height < 1 || region.X < 0 || region.Y < 0 || region.X > _x.Width - region.Width || region.Y > _x.Height - region.Height)
            throw GuestFailure.BadRequest($"the region {region.X},{region.Y} {region.Width}x{region.Height} is not inside the screen, which is {_x.Width}x{_x.Height}");
        var began = Stopwatch.GetTimestamp();
        _screen.Grab(region, call.Cursor);
        var grabbed = Stopwatch.GetTimestamp();
        if (call.Format == DesktopWord.Raw)
        {
            var bytes = region.Width * region.Height * 4;
            Begin(Picture(region, began, grabbed), bytes);
            Write(new ReadOnlySpan<byte>(_screen.Pixels, bytes));
            return;
        }
        var writer = region.Width == _x.Width && region.Height == _x.Height ? _whole : _part;
        writer.Encode(_screen.Pixels, region, Math.Clamp(call.Level, 1, 9));
        Begin(Picture(region, began, grabbed), writer.Length);
        Write(writer.Head);
        foreach (var strip in writer.Strips)
            Write(strip.Span);
        Write(writer.Tail);
    }

    private static ScreenshotReply Picture(Region region, long began, long grabbed) => new()
    {
        Width = region.Width,
        Height = region.Height,
        GrabUs = (long)Stopwatch.GetElapsedTime(began, grabbed).TotalMicroseconds,
        EncodeUs = (long)Stopwatch.GetElapsedTime(grabbed).TotalMicroseconds,
    };

    private void Point(PointerCall call)
    {
        if (call.X is { } x && call.Y is { } y)
            _input.Move(x, y);
        byte button = call.Button switch { DesktopWord.Middle => 2, DesktopWord.Right => 3, _ => 1 };
        for (var i = 0; i < (call.Action == DesktopWord.Click ? call.Count : 0); i++)
        {
            _input.Button(button, isDown: true);
            _input.Button(button, isDown: false);
        }
        if (call.Action is DesktopWord.Down or DesktopWord.Up)
            _input.Button(button, call.Action == DesktopWord.Down);
        _x.Sync();
    }

    private void Scroll(ScrollCall call)
    {
        const int syncEvery = 64;
        if (call.X is { } x && call.Y is { } y)
            _input.Move(x, y);
        byte button = call.Direction switch { "up" => 4, "down" => 5, "left" => 6, _ => 7 };
        for (var i = 0; i < call.Amount; i++)
        {
            _input.Button(button, isDown: true);
            _input.Button(button, isDown: false);
            if (i % syncEvery == 0)
                _x.Sync();
        }
        _x.Sync();
    }

    private void Type(ReadOnlySpan<byte> text)
    {
        var keysyms = new List<uint>(text.Length);
        var last = 0;
        foreach (var rune in Encoding.UTF8.GetString(text).EnumerateRunes())
        {
            // The end of a line in two characters is one key.
            if (!(rune.Value == '\n' && last == '\r'))
                keysyms.Add(Keysyms.OfText(rune.Value) ?? throw GuestFailure.BadRequest($"no key types the character U+{rune.Value:X4}"));
            last = rune.Value;
        }
        _keyboard.Type(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(keysyms));
        Answer(new TypeReply { Characters = keysyms.Count }, GuestJson.Wire.TypeReply);
    }

    private void PressKeys(KeysCall call)
    {
        var keysyms = Array.ConvertAll(
            call.Keys ?? [], name => Keysyms.Find(name) ?? throw GuestFailure.BadRequest("there is no key \"" + name + "\""));
        _keyboard.Press(keysyms, call.Action is null or DesktopWord.Press or DesktopWord.Down, call.Action is null or DesktopWord.Press or DesktopWord.Up);
    }

    private byte[] ReadClipboard(int timeoutMs)
    {
        var isDone = false;
        var isTooLong = false;
        byte[]? text = null;
        _clipboard.Read((read, tooLong) => (isDone, isTooLong, text) = (true, tooLong, read));
        var until = Environment.TickCount64 + timeoutMs;
        while (!isDone && Environment.TickCount64 < until)
        {
            if (_x.NextEvent((int)Math.Max(0, until - Environment.TickCount64)) is { } packet)
                Handle(packet);
        }
        if (!isDone)
        {
            _clipboard.StopReading();
            throw new GuestFailure(GuestErrorCode.Failed, "the program that has the clipboard does not hand it out");
        }
        if (isTooLong || text is null)
            throw new GuestFailure(GuestErrorCode.TooLarge, "the clipboard has more than " + DesktopLimits.MaxTextBytes + " bytes");
        return text;
    }

    private void Resize(DesktopResizeCall call)
    {
        const int waitMs = 3000;
        if ((call.Width, call.Height) != (_x.Width, _x.Height))
        {
            new ScreenSize(_x).Set(call.Width, call.Height);
            var until = Environment.TickCount64 + waitMs;
            while ((call.Width, call.Height) != (_x.Width, _x.Height) && Environment.TickCount64 < until)
            {
                if (_x.NextEvent((int)Math.Max(0, until - Environment.TickCount64)) is { } packet)
                    Handle(packet);
            }
            if ((call.Width, call.Height) != (_x.Width, _x.Height))
                throw new GuestFailure(GuestErrorCode.Failed, $"the screen stayed {_x.Width}x{_x.Height}");
        }
        Answer(new GuestDesktop { Width = _x.Width, Height = _x.Height }, GuestJson.Wire.GuestDesktop);
    }

    /// <summary>Until the picture has not changed for a while; a desktop that never rests is taken as it is.</summary>
    private void Settle()
    {
        var until = Environment.TickCount64 + MostSettleMs;
        var last = 0UL;
        var same = 0;
        while (same < SettledAfter && Environment.TickCount64 < until)
        {
            var now = _screen.Digest();
            same = now == last ? same + 1 : 0;
            last = now;
            if (same < SettledAfter)
                Libc.Poll([], SettleStepMs);
            HandleEvents();
        }
    }

    private void HandleEvents()
    {
        // Not for ever: a program that sends without end must not keep orders waiting.
        for (var i = 0; i < EventsAtOnce && _x.NextEvent(0) is { } packet; i++)
            Handle(packet);
        _clipboard.DropStale();
    }

    private void Handle(byte[] packet)
    {
        if (_clipboard.Handle(packet))
            return;
        switch (packet[0] & 0x7f)
        {
            case ConfigureNotify when XConnection.U32(packet, 8) == _x.Root:
                int width = XConnection.U16(packet, 20), height = XConnection.U16(packet, 22);
                if ((width, height) == (_x.Width, _x.Height) || width == 0 || height == 0)
                    break;
                (_x.Width, _x.Height) = (width, height);
                _screen.Fit();
                Tell(new GuestDesktopEvent { Event = DesktopEvent.Resized, Width = width, Height = height });
                break;
            case PropertyNotify when XConnection.U32(packet, 4) == _x.Root:
                _windowsChanged = true;
                break;
        }
    }

    private void LookAtWindows()
    {
        if (!_windowsChanged && !_x.HasLostEvents)
            return;
        _windowsChanged = _x.HasLostEvents = false;
        if (!_hasManager && _windows.HasManager)
        {
            _hasManager = true;
            Tell(new GuestDesktopEvent { Event = LinkEvent.WindowManager });
        }
        var ids = _windows.Ids();
        foreach (var (id, window) in _known.Where(one => Array.IndexOf(ids, one.Key) < 0).ToArray())
        {
            _known.Remove(id);
            // The next window may get the same id, and the window manager still tell it as the one with the focus.
            _focused = id == _focused ? 0 : _focused;
            Tell(About(DesktopEvent.WindowClosed, window));
        }
        foreach (var id in ids)
        {
            // A window of a panel is none; it is asked again with the next change, of which there are few.
            if (!_known.ContainsKey(id) && _windows.Read(id) is { } window)
            {
                _known[id] = window;
                Tell(About(DesktopEvent.WindowOpened, window));
            }
        }
        var active = _windows.Active();
        _mustTellFocus |= active != _focused;
        _focused = active;
        // A window may have the focus before it is listed. Its title may have changed since it was.
        if (!_mustTellFocus || !_known.ContainsKey(active) || _windows.Read(active) is not { } focused)
            return;
        _mustTellFocus = false;
        Tell(About(DesktopEvent.WindowFocusChanged, _known[active] = focused));
    }

    private static GuestDesktopEvent About(string what, GuestWindow window) =>
        new() { Event = what, WindowId = window.Id, Pid = window.Pid, Title = window.Title, App = window.App };

    private static T Call<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type) where T : class =>
        JsonSerializer.Deserialize(json, type) ?? throw GuestFailure.BadRequest("the order is null");

    private static void Answer<T>(T reply, JsonTypeInfo<T> type) => Send(LinkKind.Reply, JsonSerializer.SerializeToUtf8Bytes(reply, type));

    private static void Refuse(string code, string message) =>
        Send(LinkKind.Error, JsonSerializer.SerializeToUtf8Bytes(new GuestError { Code = code, Message = message }, GuestJson.Wire.GuestError));

    private static void Tell(GuestDesktopEvent told) => Send(
        LinkKind.Event,
        JsonSerializer.SerializeToUtf8Bytes(told with { AtMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }, GuestJson.Wire.GuestDesktopEvent));

    private static void Begin(ScreenshotReply reply, int dataBytes) =>
        Begin(JsonSerializer.SerializeToUtf8Bytes(reply, GuestJson.Wire.ScreenshotReply), dataBytes);

    private static void Begin(byte[] json, int dataBytes) => Send(LinkKind.Reply, json, dataBytes);

    private static void Send(LinkKind kind, byte[] json, int dataBytes = 0)
    {
        var message = new byte[LinkHeader.Bytes + json.Length];
        new LinkHeader(kind, LinkOrder.None, json.Length, dataBytes).Write(message);
        json.CopyTo(message.AsSpan(LinkHeader.Bytes));
        Write(message);
    }

    private static void Write(ReadOnlySpan<byte> bytes)
    {
        // Without PID 1 there is nothing left to do.
        if (!LinkPipe.TryWrite(Output, bytes))
            Environment.Exit(0);
    }
}
