using System.Text;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest;

/// <summary>
/// Where the host comes in: a listening socket that was inherited, or, in a machine that nothing can be handed into (gVisor), one made at a
/// path in a folder that the host has, too. The host moves that socket out of the folder, to where nobody in the machine can reach it.
///
/// A machine's memory can be written to disk only while nothing of the host is open in it, so the door of the second kind can be closed:
///   1  <c>suspend</c> refuses while a call runs whose caller waits for its end; no call begins from then on
///   2  it answers; the main thread closes the socket, ends every connection, which ends watches, followers and port connections, and says so by
///      a file "closed" beside the place of the socket
///   3  the machine is written to disk, and goes on there, in a copy, or in both
///   4  the host puts a file "open" beside the place of the socket; the main thread listens anew (without such a file: after a while)
/// </summary>
internal sealed class Door
{
    private const int Inherited = 3;
    private const int LookMs = 5;
    private const int MostClosedMs = 30_000;

    private static readonly Lock s_lock = new();
    private static Door? s_only;

    private readonly string? _path;
    private readonly List<Connection> _connections = [];
    private int _calls;
    private bool _isClosing;

    private Door(string? path) => _path = path;

    public int Listener { get; private set; } = -1;

    /// <summary>The door of this guest, which has one; null with the reason on standard error.</summary>
    public static Door? Open(string? path)
    {
        var door = new Door(path);
        if (path is null)
        {
            if (!Libc.IsOpen(Inherited))
            {
                Console.Error.WriteLine("miosa-guest: descriptor 3 is not open; it must be a listening unix socket, or the first argument a path to make one at");
                return null;
            }
            door.Listener = Inherited;
        }
        return s_only = door;
    }

    /// <summary>Makes the socket at the path; nothing to do where it was inherited.</summary>
    public void Listen()
    {
        if (_path is not null)
        {
            // The host takes the socket away as soon as it has its name, which it gets when it is ready for that.
            Listener = Libc.Listen(Encoding.UTF8.GetBytes(_path + ".new"));
            Libc.Check(Libc.RenameAt(Libc.AtCwd, Terminated(_path + ".new"), Libc.AtCwd, Terminated(_path), 0), "rename", _path);
        }
        Libc.SetCloseOnExec(Listener);
    }

    public void Add(Connection connection)
    {
        lock (s_lock)
            _connections.Add(connection);
    }

    public void Remove(Connection connection)
    {
        lock (s_lock)
            _connections.Remove(connection);
    }

    /// <summary>A call begins; to be disposed of at its end. Calls that are for looking on do not hold the door open.</summary>
    public static Call Begin(string verb)
    {
        var isHeld = verb is not (GuestVerb.FileWatch or GuestVerb.ProcessFollow or GuestVerb.TerminalAttach or GuestVerb.DesktopWatch or GuestVerb.Suspend);
        lock (s_lock)
        {
            if (s_only is not { } door)
                return default;
            if (door._isClosing)
                throw new GuestFailure(GuestErrorCode.Busy, "the machine is being written to disk");
            if (isHeld)
                door._calls++;
            return new Call(isHeld ? door : null);
        }
    }

    /// <summary>From here on no call begins.</summary>
    public static void BeginClosing()
    {
        lock (s_lock)
        {
            if (s_only is not { _path: not null } door)
                throw new GuestFailure(GuestErrorCode.Unsupported, "the memory of this machine cannot be written to disk");
            if (door._calls > 0)
                throw new GuestFailure(GuestErrorCode.Busy, door._calls + " calls are running in the machine");
            // One that is there from the last time would open the door at once.
            _ = Libc.UnlinkAt(Libc.AtCwd, door.OpenFile, 0);
            door._isClosing = true;
        }
    }

    public bool IsClosing => Volatile.Read(ref _isClosing);

    /// <summary>Steps 2 to 4 on the main thread.</summary>
    public void CloseAndReopen()
    {
        Libc.Close(Listener);
        Listener = -1;
        while (true)
        {
            lock (s_lock)
            {
                if (_connections.Count == 0)
                    break;
                foreach (var connection in _connections)
                    connection.Lose();
            }
            Libc.Poll([], LookMs);
        }
        // What the host waits for: only now can the machine be written.
        Libc.Close(Libc.OpenAt(Libc.AtCwd, ClosedFile, Libc.WriteOnly | Libc.Create | Libc.NoFollow, 0x180));
        var since = Environment.TickCount64;
        while (Libc.StatAt(Libc.AtCwd, OpenFile, out _, Libc.AtNoFollow) < 0 && Environment.TickCount64 - since < MostClosedMs)
            Libc.Poll([], LookMs);
        _ = Libc.UnlinkAt(Libc.AtCwd, ClosedFile, 0);
        Listen();
        Volatile.Write(ref _isClosing, false);
    }

    private byte[] OpenFile => Terminated(Path.GetDirectoryName(_path) + "/open");

    private byte[] ClosedFile => Terminated(Path.GetDirectoryName(_path) + "/closed");

    private static byte[] Terminated(string path) => Encoding.UTF8.GetBytes(path + "\0");

    internal readonly struct Call(Door? door) : IDisposable
    {
        public void Dispose()
        {
            if (door is null)
                return;
            lock (s_lock)
                door._calls--;
        }
    }
}
