using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>Unix sockets with descriptors and peer credentials, which System.Net.Sockets does not offer.</summary>
internal static unsafe partial class Sockets
{
    public const int AF_UNIX = 1;
    public const int AF_NETLINK = 16;
    public const int SOCK_STREAM = 1;
    public const int SOCK_RAW = 3;
    public const int SOCK_SEQPACKET = 5;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int MaxDescriptors = 16;
    public const int PathLimit = 107;

    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;
    private const int SCM_RIGHTS = 1;
    private const int MSG_CMSG_CLOEXEC = 0x40000000;
    private const int MSG_NOSIGNAL = 0x4000;

    [StructLayout(LayoutKind.Sequential)]
    private struct Iovec
    {
        public byte* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Msghdr
    {
        public void* Name;
        public uint NameLength;
        public Iovec* Iov;
        public nuint IovLength;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Cmsghdr
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socketpair(int domain, int type, int protocol, int* pair);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, byte* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockopt(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(int fd, Msghdr* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int fd, Msghdr* message, int flags);

    public static Fd Open(int domain, int type, int protocol = 0)
    {
        var fd = socket(domain, type | SOCK_CLOEXEC, protocol);
        return fd < 0 ? throw LinuxException.Last("socket", "") : new Fd(fd);
    }

    /// <summary>A listening stream socket at <paramref name="path"/>.</summary>
    public static Fd Listen(string path, int backlog)
    {
        var name = Encoding.UTF8.GetBytes(path);
        if (name.Length > PathLimit) throw new LinuxException("bind", path, 36);
        var fd = Open(AF_UNIX, SOCK_STREAM);
        var address = stackalloc byte[110];
        NativeMemory.Clear(address, 110);
        *(ushort*)address = AF_UNIX;
        name.CopyTo(new Span<byte>(address + 2, PathLimit));
        if (bind(fd.Value, address, 110) < 0 || listen(fd.Value, backlog) < 0)
        {
            var error = LinuxException.Last("bind", path);
            fd.Dispose();
            throw error;
        }
        return fd;
    }

    public static (Fd Left, Fd Right) Pair()
    {
        var pair = stackalloc int[2];
        Libc.Check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair", "");
        return (new Fd(pair[0]), new Fd(pair[1]));
    }

    public static (int Pid, uint Uid, uint Gid) PeerCredentials(int fd)
    {
        var credentials = stackalloc int[3];
        uint length = 12;
        Libc.Check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, &length), "getsockopt", "SO_PEERCRED");
        return (credentials[0], (uint)credentials[1], (uint)credentials[2]);
    }

    public static void Send(Fd socket, ReadOnlySpan<byte> data, ReadOnlySpan<int> descriptors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MaxDescriptors);
        var control = stackalloc byte[sizeof(Cmsghdr) + 4 * MaxDescriptors];
        fixed (byte* start = data)
        {
            var iov = new Iovec { Base = start, Length = (nuint)data.Length };
            var message = new Msghdr { Iov = &iov, IovLength = 1 };
            if (descriptors.Length > 0)
            {
                var header = (Cmsghdr*)control;
                *header = new Cmsghdr { Length = (nuint)(sizeof(Cmsghdr) + 4 * descriptors.Length), Level = SOL_SOCKET, Type = SCM_RIGHTS };
                descriptors.CopyTo(new Span<int>(control + sizeof(Cmsghdr), descriptors.Length));
                message.Control = control;
                message.ControlLength = (header->Length + 7) & ~(nuint)7;
            }
            nint sent;
            do sent = sendmsg(socket.Value, &message, MSG_NOSIGNAL);
            while (sent < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            Libc.Check(sent, "sendmsg", socket.ProcPath);
        }
    }

    /// <returns>The bytes of one packet, 0 at the end of the connection; descriptors are added to <paramref name="received"/>.</returns>
    public static int Receive(Fd socket, Span<byte> buffer, List<Fd> received)
    {
        var control = stackalloc byte[sizeof(Cmsghdr) + 4 * MaxDescriptors];
        fixed (byte* start = buffer)
        {
            var iov = new Iovec { Base = start, Length = (nuint)buffer.Length };
            var message = new Msghdr { Iov = &iov, IovLength = 1, Control = control, ControlLength = (nuint)(sizeof(Cmsghdr) + 4 * MaxDescriptors) };
            nint count;
            do count = recvmsg(socket.Value, &message, MSG_CMSG_CLOEXEC);
            while (count < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            Libc.Check(count, "recvmsg", socket.ProcPath);
            var header = (Cmsghdr*)control;
            if (message.ControlLength >= (nuint)sizeof(Cmsghdr) && header->Level == SOL_SOCKET && header->Type == SCM_RIGHTS)
            {
                var fds = (int*)(control + sizeof(Cmsghdr));
                for (var i = 0; i < (int)(header->Length - (nuint)sizeof(Cmsghdr)) / 4; i++) received.Add(new Fd(fds[i]));
            }
            return (int)count;
        }
    }
}
