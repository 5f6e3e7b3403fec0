using System.Runtime.InteropServices;

namespace Miosa.Guest.Linux;

/// <summary>What inotify reports and can be asked for.</summary>
internal static class ChangeMask
{
    public const uint Modified = 0x2;
    public const uint Attributes = 0x4;
    public const uint WrittenAndClosed = 0x8;
    public const uint MovedFrom = 0x40;
    public const uint MovedTo = 0x80;
    public const uint Created = 0x100;
    public const uint Deleted = 0x200;
    public const uint SelfDeleted = 0x400;
    public const uint SelfMoved = 0x800;
    public const uint Unmounted = 0x2000;
    public const uint Overflow = 0x4000;

    /// <summary>The kernel has dropped the watch: nothing more will come for it.</summary>
    public const uint Ignored = 0x8000;

    public const uint OnlyFolders = 0x0100_0000;

    /// <summary>Not of files that have no name any more.</summary>
    public const uint OnlyLinked = 0x0400_0000;

    public const uint OfFolder = 0x4000_0000;
}

internal static unsafe partial class Libc
{
    public static int WatchDescriptor() => Check(WatchInitRaw(NonBlocking | CloseOnExec), "inotify_init1", "");

    /// <summary>The number of the watch, the same for every name of one folder; -1 with the reason in <see cref="LastErrno"/>.</summary>
    public static int AddWatch(int descriptor, ReadOnlySpan<byte> pathZ, uint mask)
    {
        fixed (byte* path = pathZ)
            return AddWatchRaw(descriptor, path, mask);
    }

    [LibraryImport("libc", EntryPoint = "inotify_rm_watch", SetLastError = true)]
    public static partial int RemoveWatch(int descriptor, int watch);

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int WatchInitRaw(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true)]
    private static partial int AddWatchRaw(int descriptor, byte* path, uint mask);
}
