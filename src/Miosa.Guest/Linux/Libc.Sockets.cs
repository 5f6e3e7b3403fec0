using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Guest.Linux;

internal static unsafe partial class Libc
{
    private const int NoSignal = 0x4000;
    private const int SocketLevel = 1;
    private const int SendTimeoutOption = 21;
    private const int BothDirections = 2;
    private const int InternetV4 = 2;
    private const int InternetV6 = 10;

    /// <summary>A listening unix socket at a path, which must be free or a socket that nobody listens at any more.</summary>
    public static int Listen(ReadOnlySpan<byte> path)
    {
        const int unix = 1;
        const int stream = 1;
        const int backlog = 128;
        // struct sockaddr_un: the family in two bytes, the path and its zero.
        const int longest = 107;
        if (path.Length > longest)
            throw new LinuxException("bind", "the path is longer than " + longest + " bytes", Errno.ENAMETOOLONG);
        var name = stackalloc byte[110];
        new Span<byte>(name, 110).Clear();
        name[0] = unix;
        path.CopyTo(new Span<byte>(name + 2, longest));
        _ = UnlinkAt(AtCwd, new ReadOnlySpan<byte>(name + 2, path.Length + 1), 0);
        var fd = Check(SocketRaw(unix, stream | CloseOnExec, 0), "socket", "unix");
        Check(BindRaw(fd, name, 110), "bind", Encoding.UTF8.GetString(path));
        Check(ListenRaw(fd, backlog), "listen", Encoding.UTF8.GetString(path));
        return fd;
    }

    /// <summary>A connection, or -1 with the reason in <see cref="LastErrno"/>.</summary>
    public static int Accept(int listener)
    {
        int fd;
        do
            fd = AcceptRaw(listener, null, null, CloseOnExec);
        while (fd < 0 && LastErrno == Errno.EINTR);
        return fd;
    }

    /// <summary>Bytes taken, or -1: EAGAIN when the peer took nothing for the send timeout.</summary>
    public static nint Send(int socket, byte* bytes, nuint count)
    {
        nint sent;
        do
            sent = SendRaw(socket, bytes, count, NoSignal);
        while (sent < 0 && LastErrno == Errno.EINTR);
        return sent;
    }

    public static void SetSendTimeout(int socket, int seconds)
    {
        var time = stackalloc long[2] { seconds, 0 };
        Check(SetSockOptRaw(socket, SocketLevel, SendTimeoutOption, time, 2 * sizeof(long)), "setsockopt", "SO_SNDTIMEO");
    }

    /// <summary>A TCP socket that never blocks and sends small pieces at once; -1 when there is none to be had.</summary>
    public static int TcpSocket(bool isV6)
    {
        const int stream = 1;
        const int tcp = 6;
        const int noDelay = 1;
        var fd = SocketRaw(isV6 ? InternetV6 : InternetV4, stream | NonBlocking | CloseOnExec, 0);
        if (fd < 0)
            return -1;
        var yes = 1;
        _ = SetSockOptRaw(fd, tcp, noDelay, &yes, sizeof(int));
        return fd;
    }

    /// <summary>0, or -1 with EINPROGRESS while it is under way.</summary>
    public static int Connect(int socket, ReadOnlySpan<byte> address, int port)
    {
        // struct sockaddr_in and sockaddr_in6: family in host order, port in network order.
        Span<byte> name = stackalloc byte[28];
        name.Clear();
        var isV6 = address.Length == 16;
        name[0] = isV6 ? (byte)InternetV6 : (byte)InternetV4;
        name[2] = (byte)(port >> 8);
        name[3] = (byte)port;
        address.CopyTo(name[(isV6 ? 8 : 4)..]);
        int result;
        fixed (byte* first = name)
        {
            do
                result = ConnectRaw(socket, first, isV6 ? 28u : 16u);
            while (result < 0 && LastErrno == Errno.EINTR);
        }
        return result;
    }

    /// <summary>How an attempt to connect ended: 0 or an errno.</summary>
    public static int SocketError(int socket)
    {
        const int error = 4;
        var value = 0;
        var length = (uint)sizeof(int);
        return GetSockOptRaw(socket, SocketLevel, error, &value, &length) < 0 ? LastErrno : value;
    }

    /// <summary>No more bytes will be written; the peer reads the end.</summary>
    public static void ShutdownWrite(int socket)
    {
        const int write = 1;
        _ = ShutdownRaw(socket, write);
    }

    /// <summary>Wakes every thread that reads from or writes to the socket.</summary>
    public static void Shutdown(int socket) => _ = ShutdownRaw(socket, BothDirections);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int AcceptRaw(int socket, void* address, void* length, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendRaw(int socket, byte* bytes, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketRaw(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int BindRaw(int socket, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int ListenRaw(int socket, int backlog);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectRaw(int socket, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int GetSockOptRaw(int socket, int level, int option, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetSockOptRaw(int socket, int level, int option, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    private static partial int ShutdownRaw(int socket, int how);
}
