using System.Text.Json;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop;

/// <summary>One <c>desktop.watch</c>: what has happened and is not told yet, in lines. A host that does not read loses the oldest.</summary>
internal sealed class DesktopWatcher(int wake)
{
    private const int MostLines = 512;

    private readonly Lock _lock = new();
    private readonly Queue<byte[]> _lines = new();

    public void Add(byte[] line)
    {
        lock (_lock)
        {
            if (_lines.Count >= MostLines)
                _lines.Dequeue();
            _lines.Enqueue(line);
        }
        Libc.Signal(wake);
    }

    public byte[]? Take()
    {
        lock (_lock)
            return _lines.TryDequeue(out var line) ? line : null;
    }

    public static byte[] Line(GuestDesktopEvent told)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(told, GuestJson.Wire.GuestDesktopEvent);
        return [.. json, (byte)'\n'];
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
        var line = DesktopWatcher.Line(told.AtMs > 0 ? told : told with { AtMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() });
        lock (s_lock)
        {
            foreach (var watcher in s_all)
                watcher.Add(line);
        }
    }
}
