using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>
/// The C library as the runtime uses it. Raw imports are private to this folder; callers use the checked verbs below, which
/// throw <see cref="LinuxException"/> and retry EINTR here and nowhere else.
/// SAFETY: every pointer passed down is pinned by the marshaller or by <c>fixed</c> for the length of the call.
/// NEEDED: mount, namespaces, ioctl and descriptor passing have no managed form.
/// </summary>
internal static unsafe partial class Libc
{
    private const string C = "libc";

    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_TRUNC = 0x200;
    public const int O_APPEND = 0x400;
    public const int O_NOFOLLOW = 0x20000;
    public const int O_DIRECTORY = 0x10000;
    public const int O_CLOEXEC = 0x80000;
    public const int O_PATH = 0x200000;

    /// <summary>Everything written to the file system of this path is on its device.</summary>
    public static void SyncFileSystem(string path)
    {
        using var directory = Open(path, O_RDONLY | O_DIRECTORY);
        if (syncfs(directory.Value) < 0) throw LinuxException.Last("syncfs", path);
    }

    /// <summary>The names in the directory are on its device.</summary>
    public static void SyncDirectory(string path)
    {
        using var directory = Open(path, O_RDONLY | O_DIRECTORY);
        if (fsync(directory.Value) < 0) throw LinuxException.Last("fsync", path);
    }

    [LibraryImport(C, SetLastError = true)]
    private static partial int syncfs(int fd);

    [LibraryImport(C, SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport(C, SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [LibraryImport(C, SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, void* argument);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string? source, string target, string? type, nuint flags, string? data);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int umount2(string target, int flags);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int openat(int directory, string path, int flags, uint mode);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdir(string path, uint mode);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rmdir(string path);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint uid, uint gid);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chmod(string path, uint mode);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mknod(string path, uint mode, ulong device);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int symlink(string target, string path);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chdir(string path);

    [LibraryImport(C, SetLastError = true)]
    private static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport(C, SetLastError = true)]
    private static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport(C, SetLastError = true)]
    private static partial int pipe2(int* fds, int flags);

    public static void Check(long result, string operation, string subject)
    {
        if (result < 0) throw LinuxException.Last(operation, subject);
    }

    public static nint Syscall(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        nint result;
        do result = syscall(number, a, b, c, d, e, f);
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return result;
    }

    public static int Ioctl(int fd, nuint request, void* argument)
    {
        int result;
        do result = ioctl(fd, request, argument);
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return result;
    }

    public static Fd Open(string path, int flags, uint mode = 0)
    {
        var fd = TryOpen(path, flags, mode);
        return fd ?? throw LinuxException.Last("open", path);
    }

    public static Fd? TryOpen(string path, int flags, uint mode = 0)
    {
        int fd;
        do fd = open(path, flags | O_CLOEXEC, mode);
        while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return fd < 0 ? null : new Fd(fd);
    }

    public static Fd OpenAt(Fd directory, string path, int flags, uint mode = 0)
    {
        int fd;
        do fd = openat(directory.Value, path, flags | O_CLOEXEC, mode);
        while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return fd < 0 ? throw LinuxException.Last("open", path) : new Fd(fd);
    }

    public static void Mkdir(string path, uint mode)
    {
        if (mkdir(path, mode) < 0 && Marshal.GetLastPInvokeError() != Errno.EEXIST) throw LinuxException.Last("mkdir", path);
    }

    /// <returns>0, or the errno that kept the directory.</returns>
    public static int Rmdir(string path) => rmdir(path) < 0 ? Marshal.GetLastPInvokeError() : 0;

    public static int Unlink(string path) => unlink(path) < 0 ? Marshal.GetLastPInvokeError() : 0;

    public static void Rename(string from, string to) => Check(rename(from, to), "rename", $"{from} -> {to}");

    public static void Chown(string path, uint uid, uint gid) => Check(chown(path, uid, gid), "chown", path);

    public static void Chmod(string path, uint mode) => Check(chmod(path, mode), "chmod", path);

    public static void Mknod(string path, uint mode, uint major, uint minor) =>
        Check(mknod(path, mode, ((ulong)major << 8) | (minor & 0xff)), "mknod", path);

    public static void Symlink(string target, string path) => Check(symlink(target, path), "symlink", path);

    public static void Chdir(string path) => Check(chdir(path), "chdir", path);

    public static void Mount(string? source, string target, string? type, uint flags, string? data = null) =>
        Check(mount(source, target, type, flags, data), "mount", target);

    /// <returns>0, or the errno that kept the mount.</returns>
    public static int Umount(string target, int flags = 0) => umount2(target, flags) < 0 ? Marshal.GetLastPInvokeError() : 0;

    public static int Read(Fd fd, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint count;
            do count = read(fd.Value, start, (nuint)buffer.Length);
            while (count < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            return (int)count;
        }
    }

    /// <returns>0 when all was written, otherwise the errno.</returns>
    public static int TryWrite(Fd fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data)
        {
            for (nint done = 0; done < data.Length;)
            {
                var count = write(fd.Value, start + done, (nuint)(data.Length - done));
                if (count >= 0) done += count;
                else if (Marshal.GetLastPInvokeError() != Errno.EINTR) return Marshal.GetLastPInvokeError();
            }
        }
        return 0;
    }

    /// <summary>Writes a kernel control file in one write, as the kernel wants it.</summary>
    /// <returns>0, or the errno.</returns>
    public static int TryWriteFile(string path, string value)
    {
        using var fd = TryOpen(path, O_WRONLY);
        return fd is null ? Marshal.GetLastPInvokeError() : TryWrite(fd, Encoding.UTF8.GetBytes(value));
    }

    public static void WriteFile(string path, string value)
    {
        var errno = TryWriteFile(path, value);
        if (errno != 0) throw new LinuxException("write", path, errno);
    }

    public static (Fd Read, Fd Write) Pipe()
    {
        var ends = stackalloc int[2];
        Check(pipe2(ends, O_CLOEXEC), "pipe", "");
        return (new Fd(ends[0]), new Fd(ends[1]));
    }
}
