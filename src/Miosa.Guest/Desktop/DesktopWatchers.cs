using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>One <c>desktop.watch</c>: what has happened and is not told yet. A host that does not read loses the oldest.</summary>
internal sealed class DesktopWatcher(int wake, bool hearsClipboard)
{
    private const int MostEvents = 512;

    private readonly Lock _lock = new();
    private readonly Queue<GuestDesktopEvent> _events = new();
    private bool _clipboardWaits;

    public void Add(GuestDesktopEvent told)
    {
        lock (_lock)
        {
            if (told.Event == DesktopEvent.ClipboardChanged)
            {
                // Its size is read when it is told: one says all of those that wait.
                if (!hearsClipboard || _clipboardWaits)
                    return;
                _clipboardWaits = true;
            }
            if (_events.Count >= MostEvents)
                Remove();
            _events.Enqueue(told);
        }
        Libc.Signal(wake);
    }

    public GuestDesktopEvent? Take()
    {
        lock (_lock)
            return _events.Count > 0 ? Remove() : null;
    }

    private GuestDesktopEvent Remove()
    {
        var told = _events.Dequeue();
        if (told.Event == DesktopEvent.ClipboardChanged)
            _clipboardWaits = false;
        return told;
    }
}

/// <summary>Everybody who watches the desktop.</summary>
internal static class DesktopWatchers
{
    private const int MostWatchers = 64;

    private static readonly Lock s_lock = new();
    private static readonly List<DesktopWatcher> s_all = [];

    public static void Add(DesktopWatcher watcher)
    {
        lock (s_lock)
        {
            if (s_all.Count >= MostWatchers)
                throw new GuestFailure(GuestErrorCode.Busy, "the desktop is watched by " + MostWatchers + " already");
            s_all.Add(watcher);
        }
    }

    public static void Remove(DesktopWatcher watcher)
    {
        lock (s_lock)
            s_all.Remove(watcher);
    }

    public static void Tell(GuestDesktopEvent told)
    {
        var dated = told.AtMs > 0 ? told : told with { AtMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() };
        lock (s_lock)
        {
            foreach (var watcher in s_all)
                watcher.Add(dated);
        }
    }
}
