using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

internal static unsafe partial class Libc
{
    private const int NoSignal = 0x4000;
    private const int SocketLevel = 1;
    private const int SendTimeoutOption = 21;
    private const int BothDirections = 2;

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

    /// <summary>Wakes every thread that reads from or writes to the socket.</summary>
    public static void Shutdown(int socket) => _ = ShutdownRaw(socket, BothDirections);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int AcceptRaw(int socket, void* address, void* length, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendRaw(int socket, byte* bytes, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    private static partial int SetSockOptRaw(int socket, int level, int option, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    private static partial int ShutdownRaw(int socket, int how);
}
