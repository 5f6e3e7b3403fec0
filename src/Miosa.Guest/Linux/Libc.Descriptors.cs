using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Guest.Linux;

[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    public const short In = 1;
    public const short Out = 4;
    public const short Error = 8;
    public const short HangUp = 16;

    public int Fd;
    public short Events;
    public short Revents;
}

internal static unsafe partial class Libc
{
    public const int CloseOnExec = 0x80000;
    public const int NonBlocking = 0x800;

    private const int SetDescriptorFlags = 2;
    private const int GetDescriptorFlags = 1;
    private const int SetStatusFlags = 4;
    private const uint ReadableBytes = 0x541B;

    public static nint Read(int fd, void* buffer, nuint count)
    {
        nint read;
        do
            read = ReadRaw(fd, buffer, count);
        while (read < 0 && LastErrno == Errno.EINTR);
        return read;
    }

    public static nint Write(int fd, void* buffer, nuint count)
    {
        nint written;
        do
            written = WriteRaw(fd, buffer, count);
        while (written < 0 && LastErrno == Errno.EINTR);
        return written;
    }

    /// <summary>Returns early with 0 on EINTR: every caller polls in a loop over facts.</summary>
    public static int Poll(Span<PollEntry> entries, int timeoutMs)
    {
        fixed (PollEntry* first = entries)
        {
            var ready = PollRaw(first, (nuint)entries.Length, timeoutMs);
            return ready < 0 && LastErrno == Errno.EINTR ? 0 : Check(ready, "poll", "descriptors");
        }
    }

    public static (int Read, int Write) Pipe()
    {
        var ends = stackalloc int[2];
        Check(PipeRaw(ends, CloseOnExec), "pipe2", "");
        return (ends[0], ends[1]);
    }

    public static int EventFd() => Check(EventFdRaw(0, CloseOnExec | NonBlocking), "eventfd", "");

    public static void Signal(int eventFd)
    {
        ulong one = 1;
        _ = Write(eventFd, &one, sizeof(ulong));
    }

    public static void ClearSignal(int eventFd)
    {
        ulong count;
        _ = Read(eventFd, &count, sizeof(ulong));
    }

    public static void SetNonBlocking(int fd) => Check(Fcntl(fd, SetStatusFlags, NonBlocking), "fcntl", "pipe");

    public static void SetCloseOnExec(int fd) => Check(Fcntl(fd, SetDescriptorFlags, 1), "fcntl", "socket");

    public static bool IsOpen(int fd) => Fcntl(fd, GetDescriptorFlags, 0) >= 0;

    /// <summary>How many bytes wait in a pipe.</summary>
    public static int Readable(int fd)
    {
        int count;
        return Ioctl(fd, ReadableBytes, &count) < 0 ? 0 : count;
    }

    /// <summary>A new pseudo-terminal: our side and the side of the command.</summary>
    public static (int Master, int Slave) OpenTerminal(int cols, int rows)
    {
        const int readWrite = 2;
        const nuint unlock = 0x40045431;
        const nuint openPeer = 0x5441;
        var master = Check(OpenAt(AtCwd, "/dev/ptmx\0"u8, readWrite | NoControllingTerminal), "open", "/dev/ptmx");
        var locked = 0;
        var slave = Ioctl(master, unlock, &locked) < 0 ? -1 : Ioctl(master, openPeer, (int*)(readWrite | NoControllingTerminal | CloseOnExec));
        // gVisor has no such call: there its name must do.
        if (slave < 0 && LastErrno == Errno.ENOTTY)
        {
            const nuint getNumber = 0x80045430;
            int number;
            if (Ioctl(master, getNumber, &number) == 0)
                slave = OpenAt(AtCwd, Encoding.ASCII.GetBytes($"/dev/pts/{number}\0"), readWrite | NoControllingTerminal);
        }
        if (slave >= 0)
        {
            ResizeTerminal(master, cols, rows);
            return (master, slave);
        }
        var errno = LastErrno;
        Close(master);
        throw new LinuxException("open", "pseudo-terminal", errno);
    }

    public static void ResizeTerminal(int master, int cols, int rows)
    {
        const nuint setWindowSize = 0x5414;
        var size = stackalloc ushort[4] { (ushort)rows, (ushort)cols, 0, 0 };
        _ = Ioctl(master, setWindowSize, (int*)size);
    }

    /// <summary>Close and forget: after EINTR the descriptor is gone all the same.</summary>
    public static void Close(int fd)
    {
        if (fd >= 0)
            _ = CloseRaw(fd);
    }

    [LibraryImport("libc", EntryPoint = "dup", SetLastError = true)]
    public static partial int Dup(int fd);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint ReadRaw(int fd, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteRaw(int fd, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int PollRaw(PollEntry* entries, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    private static partial int PipeRaw(int* ends, int flags);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFdRaw(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(int fd, int command, long argument);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int fd, nuint request, int* argument);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseRaw(int fd);
}
