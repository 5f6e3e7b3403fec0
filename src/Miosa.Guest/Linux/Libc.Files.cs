using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

/// <summary>struct stat of x86-64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FileStatus
{
    public ulong Device;
    public ulong Inode;
    public ulong Links;
    public uint Mode;
    public uint Uid;
    public uint Gid;
    private readonly uint _pad;
    public ulong SpecialDevice;
    public long Size;
    public long BlockSize;
    public long Blocks;
    public long AccessSeconds;
    public long AccessNanoseconds;
    public long ModifiedSeconds;
    public long ModifiedNanoseconds;
    public long ChangeSeconds;
    public long ChangeNanoseconds;
    private unsafe fixed long _unused[3];

    private const uint TypeMask = 0xF000;

    public readonly uint Type => Mode & TypeMask;
    public readonly uint Permissions => Mode & 0xFFF;
    public readonly bool IsRegular => Type == 0x8000;
    public readonly bool IsDirectory => Type == 0x4000;
    public readonly bool IsSymlink => Type == 0xA000;
    public readonly bool IsFifo => Type == 0x1000;
}

internal static unsafe partial class Libc
{
    public const int AtCwd = -100;
    public const int AtNoFollow = 0x100;
    public const int AtRemoveDirectory = 0x200;
    public const int AtFollow = 0x400;
    public const int AtEmptyPath = 0x1000;

    public const int ReadOnly = 0;
    public const int WriteOnly = 1;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NoControllingTerminal = 0x100;
    public const int Append = 0x400;
    public const int Directory = 0x10000;
    public const int NoFollow = 0x20000;
    public const int PathOnly = 0x200000;
    public const int TemporaryFile = 0x400000 | Directory;

    public const uint RenameNoReplace = 1;

    public static int OpenAt(int directory, ReadOnlySpan<byte> name, int flags, uint mode = 0)
    {
        fixed (byte* path = name)
        {
            int fd;
            do
                fd = OpenAtRaw(directory, path, flags | CloseOnExec, mode);
            while (fd < 0 && LastErrno == Errno.EINTR);
            return fd;
        }
    }

    public static int StatAt(int directory, ReadOnlySpan<byte> name, out FileStatus status, int flags)
    {
        fixed (byte* path = name)
        fixed (FileStatus* target = &status)
            return StatAtRaw(directory, path, target, flags);
    }

    public static int Stat(int fd, out FileStatus status)
    {
        fixed (FileStatus* target = &status)
            return FstatRaw(fd, target);
    }

    /// <summary>The link's target, or null with the reason in <see cref="LastErrno"/>.</summary>
    public static byte[]? ReadLinkAt(int directory, ReadOnlySpan<byte> name)
    {
        const int longest = 4096;
        var target = stackalloc byte[longest];
        fixed (byte* path = name)
        {
            var length = ReadLinkAtRaw(directory, path, target, longest);
            return length < 0 ? null : new ReadOnlySpan<byte>(target, (int)length).ToArray();
        }
    }

    public static int UnlinkAt(int directory, ReadOnlySpan<byte> name, int flags)
    {
        fixed (byte* path = name)
            return UnlinkAtRaw(directory, path, flags);
    }

    public static int MkdirAt(int directory, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* path = name)
            return MkdirAtRaw(directory, path, mode);
    }

    public static int ChownAt(int directory, ReadOnlySpan<byte> name, uint uid, uint gid, int flags)
    {
        fixed (byte* path = name)
            return ChownAtRaw(directory, path, uid, gid, flags);
    }

    public static int SymlinkAt(ReadOnlySpan<byte> target, int directory, ReadOnlySpan<byte> name)
    {
        fixed (byte* from = target, path = name)
            return SymlinkAtRaw(from, directory, path);
    }

    public static int FifoAt(int directory, ReadOnlySpan<byte> name, uint mode)
    {
        fixed (byte* path = name)
            return FifoAtRaw(directory, path, mode);
    }

    public static int RenameAt(int fromDirectory, ReadOnlySpan<byte> from, int toDirectory, ReadOnlySpan<byte> to, uint flags)
    {
        fixed (byte* old = from, path = to)
            return RenameAtRaw(fromDirectory, old, toDirectory, path, flags);
    }

    /// <summary>Gives an open file (also one without a name) a name.</summary>
    public static int LinkOpenFile(ReadOnlySpan<byte> procPath, int directory, ReadOnlySpan<byte> name)
    {
        fixed (byte* old = procPath, path = name)
            return LinkAtRaw(AtCwd, old, directory, path, AtFollow);
    }

    public static int Chmod(ReadOnlySpan<byte> path, uint mode)
    {
        fixed (byte* p = path)
            return ChmodRaw(p, mode);
    }

    /// <summary>The kernel's directory records; 0 at the end.</summary>
    public static nint DirectoryRecords(int fd, byte* buffer, nuint count) => DirectoryRecordsRaw(fd, buffer, count);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChmodFile(int fd, uint mode);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    public static partial int ChownFile(int fd, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(int fd);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(int fd, long length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int fd, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    public static partial nint CopyRange(int from, long* fromOffset, int to, long* toOffset, nuint count, uint flags);

    [LibraryImport("libc", EntryPoint = "umask")]
    public static partial uint Umask(uint mask);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAtRaw(int directory, byte* path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fstatat", SetLastError = true)]
    private static partial int StatAtRaw(int directory, byte* path, FileStatus* status, int flags);

    [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
    private static partial int FstatRaw(int fd, FileStatus* status);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint ReadLinkAtRaw(int directory, byte* path, byte* target, nuint size);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    private static partial int UnlinkAtRaw(int directory, byte* path, int flags);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    private static partial int MkdirAtRaw(int directory, byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    private static partial int ChownAtRaw(int directory, byte* path, uint uid, uint gid, int flags);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    private static partial int SymlinkAtRaw(byte* target, int directory, byte* path);

    [LibraryImport("libc", EntryPoint = "mkfifoat", SetLastError = true)]
    private static partial int FifoAtRaw(int directory, byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    private static partial int RenameAtRaw(int fromDirectory, byte* from, int toDirectory, byte* to, uint flags);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    private static partial int LinkAtRaw(int fromDirectory, byte* from, int toDirectory, byte* to, int flags);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    private static partial int ChmodRaw(byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    private static partial nint DirectoryRecordsRaw(int fd, byte* buffer, nuint count);
}
