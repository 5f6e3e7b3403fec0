using Miosa.Guest.Linux;

namespace Miosa.Guest.Ports;

/// <summary>
/// Moves the bytes of every relayed connection on one thread that waits only in poll. A thread per connection would count against the machine's
/// process limit: a browser opens six, a load test hundreds, and most of them are idle.
/// </summary>
internal static class Relay
{
    private const int StackBytes = 128 * 1024;

    private static readonly Lock s_lock = new();
    private static readonly Queue<RelayedConnection> s_new = new();
    private static int s_wake = -1;

    /// <summary>False when no thread can be made.</summary>
    public static bool TryAdd(RelayedConnection connection)
    {
        lock (s_lock)
        {
            if (s_wake < 0)
            {
                var wake = Libc.EventFd();
                if (!Threads.TryStart(() => Run(wake), StackBytes))
                {
                    Libc.Close(wake);
                    return false;
                }
                s_wake = wake;
            }
            s_new.Enqueue(connection);
            connection.WakeBy(s_wake);
        }
        Libc.Signal(s_wake);
        return true;
    }

    private static void Run(int wake)
    {
        var connections = new List<RelayedConnection>();
        var polled = new PollEntry[1];
        using var buffer = new Wire.FrameBuffer();
        while (true)
        {
            TakeNew(connections, buffer);
            var count = 1 + RelayedConnection.Entries * connections.Count;
            if (polled.Length < count)
                polled = new PollEntry[2 * count];
            polled[0] = new PollEntry { Fd = wake, Events = PollEntry.In };
            for (var i = 0; i < connections.Count; i++)
                connections[i].Want(EntriesOf(polled, i));
            Libc.Poll(polled.AsSpan(0, count), -1);
            if (polled[0].Revents != 0)
                Libc.ClearSignal(wake);
            for (var i = connections.Count - 1; i >= 0; i--)
            {
                if (!connections[i].TryGoOn(EntriesOf(polled, i), buffer))
                    connections.RemoveAt(i);
            }
        }
    }

    private static Span<PollEntry> EntriesOf(PollEntry[] polled, int i) => polled.AsSpan(1 + RelayedConnection.Entries * i, RelayedConnection.Entries);

    /// <summary>A new one begins at once: nothing of it could wake the poll before it has a socket.</summary>
    private static void TakeNew(List<RelayedConnection> connections, Wire.FrameBuffer buffer)
    {
        while (true)
        {
            RelayedConnection? added;
            lock (s_lock)
            {
                if (!s_new.TryDequeue(out added))
                    return;
            }
            if (added.TryGoOn(new PollEntry[RelayedConnection.Entries], buffer))
                connections.Add(added);
        }
    }
}
