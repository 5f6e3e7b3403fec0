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

    public static long StartedAtMs { get; } = Environment.TickCount64;

    public static int Run(int listener)
    {
        if (!Libc.IsOpen(listener))
        {
            Console.Error.WriteLine("miosa-guest: descriptor 3 is not open; it must be a listening unix socket");
            return 2;
        }
        Libc.UseOneHeap();
        _ = Libc.Umask(0b000_010_010);
        Libc.SetCloseOnExec(listener);
        // A pipe must never become descriptor 0, 1 or 2: the launcher moves pipes there.
        for (var fd = 0; fd < 3; fd++)
        {
            if (!Libc.IsOpen(fd))
                Libc.Dup(listener);
        }
        var childEnded = Libc.EventFd();
        Libc.OnSignal(Libc.SigPipe, 1);
        Libc.OnSignal(Libc.SigChild, LaunchStub.ChildEndedHandler(childEnded));
        var leftovers = new LeftoverPipes(childEnded);
        Serve(listener, childEnded, leftovers);
        return 3;
    }

    private static void Serve(int listener, int childEnded, LeftoverPipes leftovers)
    {
        var polled = new PollEntry[2 + LeftoverPipes.Most];
        while (true)
        {
            while (Libc.ReapOne())
            {
            }
            polled[0] = new PollEntry { Fd = listener, Events = PollEntry.In };
            polled[1] = new PollEntry { Fd = childEnded, Events = PollEntry.In };
            var count = 2 + leftovers.AddTo(polled.AsSpan(2));
            Libc.Poll(polled.AsSpan(0, count), -1);
            if (polled[1].Revents != 0)
                Libc.ClearSignal(childEnded);
            leftovers.Drain(polled.AsSpan(2, count - 2));
            if ((polled[0].Revents & PollEntry.In) != 0)
                Accept(listener, leftovers);
            else if (polled[0].Revents != 0)
                return;
        }
    }

    private static void Accept(int listener, LeftoverPipes leftovers)
    {
        var socket = Libc.Accept(listener);
        if (socket < 0)
            return;
        // Refused by closing: the host sees the end of the connection before HELLO and tries again later.
        if (Interlocked.Increment(ref s_connections) > MaxConnections || !TryServe(new Connection(socket, leftovers)))
        {
            Interlocked.Decrement(ref s_connections);
            Libc.Close(socket);
        }
    }

    private static bool TryServe(Connection connection)
    {
        return Threads.TryStart(
            () =>
            {
                connection.Serve();
                Interlocked.Decrement(ref s_connections);
            },
            ConnectionStack);
    }
}
