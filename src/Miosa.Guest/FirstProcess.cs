using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest;

/// <summary>
/// The main thread: accepts connections, reaps what is orphaned, and keeps reading pipes whose command is over. It never waits for a peer.
/// </summary>
internal static class FirstProcess
{
    private const int ConnectionStack = 256 * 1024;
    private const int MaxConnections = 64;

    private static int s_connections;
    private static int s_wake = -1;

    public static long StartedAtMs { get; } = Environment.TickCount64;

    /// <param name="path">Where to listen; null for the inherited socket.</param>
    public static int Run(string? path)
    {
        if (Door.Open(path) is not { } door)
            return 2;
        Libc.UseOneHeap();
        _ = Libc.Umask(0b000_010_010);
        var childEnded = Libc.EventFd();
        // A pipe must never become descriptor 0 to 3: the launcher moves pipes there.
        for (var fd = 0; fd <= 3; fd++)
        {
            if (!Libc.IsOpen(fd))
                Libc.Dup(childEnded);
        }
        s_wake = childEnded;
        Libc.OnSignal(Libc.SigPipe, 1);
        Libc.OnSignal(Libc.SigChild, LaunchStub.ChildEndedHandler(childEnded));
        var leftovers = new LeftoverPipes(childEnded);
        door.Listen();
        Serve(door, childEnded, leftovers);
        return 3;
    }

    /// <summary>Lets the main thread look at what has changed.</summary>
    public static void Wake() => Libc.Signal(s_wake);

    private static void Serve(Door door, int childEnded, LeftoverPipes leftovers)
    {
        var polled = new PollEntry[2 + LeftoverPipes.Most];
        while (true)
        {
            while (Libc.ReapOne())
            {
            }
            if (door.IsClosing)
                door.CloseAndReopen();
            polled[0] = new PollEntry { Fd = door.Listener, Events = PollEntry.In };
            polled[1] = new PollEntry { Fd = childEnded, Events = PollEntry.In };
            var count = 2 + leftovers.AddTo(polled.AsSpan(2));
            Libc.Poll(polled.AsSpan(0, count), -1);
            if (polled[1].Revents != 0)
                Libc.ClearSignal(childEnded);
            leftovers.Drain(polled.AsSpan(2, count - 2));
            if ((polled[0].Revents & PollEntry.In) != 0)
                Accept(door, leftovers);
            else if (polled[0].Revents != 0)
                return;
        }
    }

    private static void Accept(Door door, LeftoverPipes leftovers)
    {
        var socket = Libc.Accept(door.Listener);
        if (socket < 0)
            return;
        // Refused by closing: the host sees the end of the connection before HELLO and tries again later.
        if (Interlocked.Increment(ref s_connections) > MaxConnections || !TryServe(door, new Connection(socket, leftovers)))
        {
            Interlocked.Decrement(ref s_connections);
            Libc.Close(socket);
        }
    }

    private static bool TryServe(Door door, Connection connection)
    {
        door.Add(connection);
        if (Threads.TryStart(() => Run(door, connection), ConnectionStack))
            return true;
        door.Remove(connection);
        return false;
    }

    private static void Run(Door door, Connection connection)
    {
        connection.Serve();
        door.Remove(connection);
        Interlocked.Decrement(ref s_connections);
    }
}
