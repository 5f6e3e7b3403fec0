using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

internal static unsafe partial class Libc
{
    private const int Unix = 1;

    /// <summary>Memory behind a descriptor that can neither shrink nor grow, so that whoever it is shared with cannot make reading it a fault.</summary>
    public static int SealedMemory(nuint bytes)
    {
        const uint closeOnExecAndSealable = 3;
        const int addSeals = 1033;
        const int sealShrinkAndGrow = 1 | 2 | 4;
        int fd;
        fixed (byte* name = "screen\0"u8)
            fd = Check(MemFdRaw(name, closeOnExecAndSealable), "memfd_create", "screen");
        if (Truncate(fd, (long)bytes) == 0 && Fcntl(fd, addSeals, sealShrinkAndGrow) >= 0)
            return fd;
        var errno = LastErrno;
        Close(fd);
        throw new LinuxException("seal", "screen", errno);
    }

    /// <summary>The memory of a descriptor, shared with everybody who has it.</summary>
    public static byte* MapShared(int fd, nuint bytes)
    {
        const int shared = 1;
        var address = MmapRaw(null, bytes, ProtRead | ProtWrite, shared, fd, 0);
        return address != (void*)-1 ? (byte*)address : throw new LinuxException("mmap", bytes.ToString(), LastErrno);
    }

    /// <summary>A socket connected to a unix socket's path; -1 with the reason in <see cref="LastErrno"/>.</summary>
    public static int ConnectUnix(ReadOnlySpan<byte> path, bool isNonBlocking)
    {
        const int stream = 1;
        const int longest = 107;
        const int nameBytes = 110;
        if (path.Length > longest)
            throw new LinuxException("connect", "the path is longer than " + longest + " bytes", Errno.ENAMETOOLONG);
        var name = stackalloc byte[nameBytes];
        new Span<byte>(name, nameBytes).Clear();
        name[0] = Unix;
        path.CopyTo(new Span<byte>(name + 2, longest));
        var fd = SocketRaw(Unix, stream | CloseOnExec | (isNonBlocking ? NonBlocking : 0), 0);
        if (fd < 0)
            return -1;
        int result;
        do
            result = ConnectRaw(fd, name, nameBytes);
        while (result < 0 && LastErrno == Errno.EINTR);
        if (result == 0)
            return fd;
        var errno = LastErrno;
        Close(fd);
        Marshal.SetLastPInvokeError(errno);
        return -1;
    }

    /// <summary>Sends bytes and, beside them, a descriptor; all bytes or -1.</summary>
    public static nint SendWithDescriptor(int socket, byte* bytes, nuint count, int descriptor)
    {
        const int rights = 1;
        const int controlBytes = 24;
        // struct cmsghdr: length in eight bytes, level, type; then the descriptor, padded to eight.
        var control = stackalloc byte[controlBytes];
        new Span<byte>(control, controlBytes).Clear();
        *(long*)control = 20;
        *(int*)(control + 8) = SocketLevel;
        *(int*)(control + 12) = rights;
        *(int*)(control + 16) = descriptor;
        var vector = stackalloc nint[2] { (nint)bytes, (nint)count };
        // struct msghdr: name, its length, vectors, how many, control, its length, flags.
        var message = stackalloc nint[7] { 0, 0, (nint)vector, 1, (nint)control, controlBytes, 0 };
        nint sent;
        do
            sent = SendMessageRaw(socket, message, NoSignal);
        while (sent < 0 && LastErrno == Errno.EINTR);
        return sent;
    }

    /// <summary>Room for more bytes in a pipe than the usual; without effect where that is not allowed.</summary>
    public static void EnlargePipe(int pipe, int bytes)
    {
        const int setPipeSize = 1031;
        _ = Fcntl(pipe, setPipeSize, bytes);
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true)]
    private static partial int MemFdRaw(byte* name, uint flags);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessageRaw(int socket, void* message, int flags);
}
