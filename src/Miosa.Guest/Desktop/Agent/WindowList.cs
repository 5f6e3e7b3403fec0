using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Miosa.Guest.Desktop.X;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>The windows of applications, as the window manager tells of them (EWMH), and what can be asked of it.</summary>
internal sealed class WindowList(XConnection x)
{
    private const int WaitMs = 1500;
    private const int StepMs = 10;
    private const int MostBorder = 16;
    private const uint ToWindowManager = 0x0018_0000;
    private const uint FromPager = 2;

    private const uint WmName = 39;
    private const uint WmClass = 67;
    private const uint StringType = 31;

    private uint _nextPing = 1;

    /// <summary>Also of panels and the like.</summary>
    public uint[] Ids() => Numbers(x.Property(x.Root, x.Atom("_NET_CLIENT_LIST"), DesktopLimits.MaxWindows * 4));

    public uint Active() => Numbers(x.Property(x.Root, x.Atom("_NET_ACTIVE_WINDOW"), 4)) is [var active, ..] ? active : 0;

    public bool HasManager => x.Property(x.Root, x.Atom("_NET_NUMBER_OF_DESKTOPS"), 4).Length == 4;

    /// <summary>Without those of panels, docks and the desktop itself, and without those that went while they were asked.</summary>
    public List<GuestWindow> Read() => Read(Ids());

    public GuestWindow? Read(uint id) => Read([id]) is [var window] ? window : null;

    public static string Name(uint id) => id.ToString(CultureInfo.InvariantCulture);

    /// <summary>What a window manager did of a call; null for a window that is not there.</summary>
    public GuestWindow? Control(WindowCall call)
    {
        if (!uint.TryParse(call.Id, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || Array.IndexOf(Ids(), id) < 0 || Read(id) is not { } before)
            return null;
        switch (call.Action)
        {
            case DesktopWord.Focus:
                Activate(id);
                return WaitFor(id, window => window.Focused) ?? before;
            case DesktopWord.Close:
                Ask(id, "_NET_CLOSE_WINDOW", 0, FromPager);
                x.Sync();
                return before;
            case DesktopWord.Maximize:
                if (before.Minimized)
                    Activate(id);
                SetMaximized(id, 1);
                return WaitForSize(id, before, window => window is { Maximized: true, Minimized: false }) ?? before;
            case DesktopWord.Minimize:
                Ask(id, "WM_CHANGE_STATE", 3);
                return WaitFor(id, window => window is { Minimized: true, Focused: false }, window => window.Minimized) ?? before;
            case DesktopWord.Restore:
                if (before.Minimized)
                    Activate(id);
                SetMaximized(id, 0);
                return WaitForSize(id, before, window => window is { Maximized: false, Minimized: false }) ?? before;
            default:
                return MoveResize(id, before, call);
        }
    }

    /// <summary>True when the program that has the focus has read everything sent to it before.</summary>
    public bool TryPingFocus(int timeoutMs)
    {
        const byte clientMessage = 33;
        var window = Active();
        var ping = x.Atom("_NET_WM_PING");
        var protocols = x.Atom("WM_PROTOCOLS");
        if (window == 0 || Array.IndexOf(Numbers(x.Property(window, protocols, 256)), ping) < 0)
            return false;
        // The answer goes to the root window, whose SubstructureNotify the agent has selected.
        var number = _nextPing++;
        x.SendMessage(window, window, protocols, 0, [ping, number, window]);
        var until = Environment.TickCount64 + timeoutMs;
        var others = new List<byte[]>();
        var isAnswered = false;
        while (!isAnswered && Environment.TickCount64 < until)
        {
            if (x.NextEvent((int)(until - Environment.TickCount64)) is not { } packet)
                continue;
            if ((packet[0] & 0x7f) == clientMessage && XConnection.U32(packet, 12) == ping && XConnection.U32(packet, 16) == number)
                isAnswered = true;
            else
                others.Add(packet);
        }
        others.ForEach(x.PutBack);
        return isAnswered;
    }

    private GuestWindow? MoveResize(uint id, GuestWindow before, WindowCall call)
    {
        const uint staticGravity = 10;
        const uint hasX = 1 << 8;
        const uint hasY = 1 << 9;
        const uint hasWidth = 1 << 10;
        const uint hasHeight = 1 << 11;
        const uint fromPager = FromPager << 12;
        if (before.Maximized)
            SetMaximized(id, 0);
        if (call.Action == DesktopWord.Resize)
        {
            // A window may keep to sizes of its own (a terminal's are whole letters); then it has at least changed.
            Send(hasWidth | hasHeight, 0, 0);
            return WaitFor(
                id,
                window => window.Width == call.Width && window.Height == call.Height,
                window => (window.Width, window.Height) != (before.Width, before.Height)) ?? before;
        }
        int left = call.X ?? before.X, top = call.Y ?? before.Y;
        var moved = MoveTo(left, top) ?? before;
        // A window manager counts a border that the window once had: it is a few pixels off, and always by the same.
        if ((moved.X, moved.Y) != (left, top) && Math.Abs(moved.X - left) <= MostBorder && Math.Abs(moved.Y - top) <= MostBorder)
            moved = MoveTo(2 * left - moved.X, 2 * top - moved.Y) ?? moved;
        return moved;

        GuestWindow? MoveTo(int toX, int toY)
        {
            Send(hasX | hasY, toX, toY);
            return WaitFor(id, window => window.X == left && window.Y == top, window => (window.X, window.Y) != (before.X, before.Y));
        }

        void Send(uint what, int toX, int toY) => x.SendMessage(
            x.Root, id, x.Atom("_NET_MOVERESIZE_WINDOW"), ToWindowManager,
            [staticGravity | fromPager | what, (uint)toX, (uint)toY, (uint)(call.Width ?? 0), (uint)(call.Height ?? 0)]);
    }

    private void Activate(uint id) => Ask(id, "_NET_ACTIVE_WINDOW", FromPager, 0, 0);

    private void SetMaximized(uint id, uint action) =>
        Ask(id, "_NET_WM_STATE", action, x.Atom("_NET_WM_STATE_MAXIMIZED_VERT"), x.Atom("_NET_WM_STATE_MAXIMIZED_HORZ"), FromPager);

    private void Ask(uint id, string what, params ReadOnlySpan<uint> data) => x.SendMessage(x.Root, id, x.Atom(what), ToWindowManager, data);

    /// <summary>A window manager tells of the new state before it has given the window its new size.</summary>
    private GuestWindow? WaitForSize(uint id, GuestWindow before, Func<GuestWindow, bool> isDone) => WaitFor(
        id,
        window => isDone(window) && (isDone(before) || (window.Width, window.Height) != (before.Width, before.Height)),
        isDone);

    /// <summary>The window once it is as wanted, or is enough and has not changed for a while; null when that does not come or the window went.</summary>
    private GuestWindow? WaitFor(uint id, Func<GuestWindow, bool> isDone, Func<GuestWindow, bool>? isEnough = null)
    {
        const int steadyMs = 80;
        var until = Environment.TickCount64 + WaitMs;
        var enoughSince = 0L;
        while (true)
        {
            if (Read(id) is not { } window)
                return null;
            if (isDone(window))
                return window;
            var now = Environment.TickCount64;
            if (isEnough?.Invoke(window) == true)
            {
                enoughSince = enoughSince == 0 ? now : enoughSince;
                if (now - enoughSince > steadyMs)
                    return window;
            }
            if (now >= until)
                return null;
            Linux.Libc.Poll([], StepMs);
        }
    }

    /// <summary>All questions first, then all answers: one way to the server and back for a whole list.</summary>
    private List<GuestWindow> Read(uint[] ids)
    {
        const byte getGeometry = 14;
        const byte translate = 40;
        string[] properties = ["_NET_WM_NAME", "_NET_WM_PID", "_NET_WM_STATE", "_NET_WM_WINDOW_TYPE"];
        var atoms = Array.ConvertAll(properties, x.Atom);
        var active = Active();
        var hidden = x.Atom("_NET_WM_STATE_HIDDEN");
        var tall = x.Atom("_NET_WM_STATE_MAXIMIZED_VERT");
        var wide = x.Atom("_NET_WM_STATE_MAXIMIZED_HORZ");
        uint[] kept = [x.Atom("_NET_WM_WINDOW_TYPE_DESKTOP"), x.Atom("_NET_WM_WINDOW_TYPE_DOCK")];
        var utf8 = x.Atom("UTF8_STRING");
        var asked = new List<ushort[]>();
        foreach (var id in ids)
        {
            var questions = new ushort[8];
            for (var i = 0; i < atoms.Length; i++)
                questions[i] = x.AskProperty(id, atoms[i], i == 0 ? DesktopLimits.MaxTitleBytes : 64);
            questions[4] = x.AskProperty(id, WmName, DesktopLimits.MaxTitleBytes);
            questions[5] = x.AskProperty(id, WmClass, 256);
            x.Begin(getGeometry).Int(id);
            questions[6] = x.End();
            x.Begin(translate).Int(id).Int(x.Root).Short(0).Short(0);
            questions[7] = x.End();
            asked.Add(questions);
        }
        var windows = new List<GuestWindow>();
        for (var i = 0; i < ids.Length; i++)
        {
            var answers = Array.ConvertAll(asked[i], x.TryReply);
            if (answers[6] is not { } geometry || answers[7] is not { } place)
                continue;
            var types = Numbers(XConnection.PropertyIn(answers[3], out _, out _));
            if (types.AsSpan().IndexOfAny(kept) >= 0)
                continue;
            var state = Numbers(XConnection.PropertyIn(answers[2], out _, out _));
            windows.Add(new GuestWindow
            {
                Id = Name(ids[i]),
                Title = Title(answers[0], answers[4], utf8),
                App = Class(XConnection.PropertyIn(answers[5], out _, out _)),
                Pid = Numbers(XConnection.PropertyIn(answers[1], out _, out _)) is [var pid, ..] && pid <= int.MaxValue ? (int)pid : 0,
                X = XConnection.S16(place, 12),
                Y = XConnection.S16(place, 14),
                Width = XConnection.U16(geometry, 16),
                Height = XConnection.U16(geometry, 18),
                Focused = ids[i] == active,
                Minimized = Array.IndexOf(state, hidden) >= 0,
                Maximized = Array.IndexOf(state, tall) >= 0 && Array.IndexOf(state, wide) >= 0,
            });
        }
        return windows;
    }

    private static string Title(byte[]? modern, byte[]? old, uint utf8)
    {
        var title = XConnection.PropertyIn(modern, out _, out _);
        if (!title.IsEmpty)
            return Clean(Encoding.UTF8.GetString(title));
        title = XConnection.PropertyIn(old, out var type, out _);
        return Clean(type == StringType ? Encoding.Latin1.GetString(title) : type == utf8 ? Encoding.UTF8.GetString(title) : Encoding.Latin1.GetString(title));
    }

    /// <summary>Two names, each with a zero behind it; the second is the class.</summary>
    private static string Class(ReadOnlySpan<byte> value)
    {
        var first = value.IndexOf((byte)0);
        if (first >= 0 && first + 1 < value.Length)
            value = value[(first + 1)..];
        var end = value.IndexOf((byte)0);
        return Clean(Encoding.UTF8.GetString(end >= 0 ? value[..end] : value));
    }

    private static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            clean.Append(Rune.IsControl(rune) ? " " : rune.ToString());
        return clean.ToString();
    }

    private static uint[] Numbers(ReadOnlySpan<byte> value)
    {
        var numbers = new uint[value.Length / 4];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = BinaryPrimitives.ReadUInt32LittleEndian(value[(4 * i)..]);
        return numbers;
    }
}
