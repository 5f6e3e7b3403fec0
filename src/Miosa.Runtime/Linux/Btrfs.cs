using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>Subvolumes and quota groups by raw ioctl (uapi/linux/btrfs.h); the btrfs program would cost a process each.</summary>
internal static unsafe partial class Btrfs
{
    private const long SuperMagic = 0x9123683E;
    private const nuint SUBVOL_CREATE = 0x5000940E;
    private const nuint SNAP_DESTROY = 0x5000940F;
    private const nuint SNAP_CREATE_V2 = 0x50009417;
    private const nuint TREE_SEARCH = 0xD0009411;
    private const nuint INO_LOOKUP = 0xD0009412;
    private const nuint QUOTA_CTL = 0xC0109428;
    private const nuint QGROUP_CREATE = 0x4010942A;
    private const nuint QGROUP_LIMIT = 0x8030942B;

    private const ulong QuotaEnable = 1;
    private const ulong QuotaEnableSimple = 4;
    private const ulong LimitMaxReferenced = 1;
    private const ulong QuotaTree = 8;
    private const uint QgroupInfoKey = 242;
    private const int ArgsSize = 4096;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statfs(string path, long* buffer);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fstatfs(int fd, long* buffer);

    public static bool IsAt(string path)
    {
        var buffer = stackalloc long[32];
        return statfs(path, buffer) == 0 && buffer[0] == SuperMagic;
    }

    /// <summary>Free and total bytes of the file system at <paramref name="path"/>.</summary>
    public static (long Free, long Total) Space(string path)
    {
        var buffer = stackalloc long[32];
        Libc.Check(statfs(path, buffer), "statfs", path);
        var block = buffer[1];
        return (buffer[4] * block, buffer[2] * block);
    }

    /// <summary>Simple quotas (6.7 and later) count by owner and cost almost nothing; full ones walk back references.</summary>
    /// <returns>Which kind is on.</returns>
    public static string EnableQuotas(string path)
    {
        using var fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_DIRECTORY);
        var args = stackalloc ulong[2];
        foreach (var (command, name) in new[] { (QuotaEnableSimple, "simple"), (QuotaEnable, "full") })
        {
            (args[0], args[1]) = (command, 0);
            if (Libc.Ioctl(fd.Value, QUOTA_CTL, args) == 0 || Marshal.GetLastPInvokeError() == Errno.EEXIST) return name;
            if (Marshal.GetLastPInvokeError() != Errno.EINVAL) break;
        }
        throw LinuxException.Last("enable quotas", path);
    }

    public static void CreateSubvolume(Fd parent, string name) =>
        Libc.Check(Named(parent, SUBVOL_CREATE, name), "create subvolume", name);

    /// <summary>A writable copy of a subvolume, at once and at any size.</summary>
    public static void Snapshot(Fd source, Fd parent, string name)
    {
        // struct btrfs_ioctl_vol_args_v2: fd, transid, flags, four unused, then the name at byte 56.
        var args = stackalloc byte[ArgsSize];
        NativeMemory.Clear(args, ArgsSize);
        *(long*)args = source.Value;
        Encoding.UTF8.GetBytes(name, new Span<byte>(args + 56, ArgsSize - 57));
        Libc.Check(Libc.Ioctl(parent.Value, SNAP_CREATE_V2, args), "snapshot", name);
    }

    /// <summary>True for the root of a subvolume, which always has inode 256.</summary>
    public static bool IsSubvolume(Fd folder)
    {
        var buffer = stackalloc long[32];
        return fstatfs(folder.Value, buffer) == 0 && buffer[0] == SuperMagic && FileFacts.Of(folder).Inode == 256;
    }

    /// <returns>0, or the errno that kept the subvolume.</returns>
    public static int DeleteSubvolume(string path)
    {
        using var parent = Libc.TryOpen(Path.GetDirectoryName(path) ?? "/", Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (parent is null) return Marshal.GetLastPInvokeError();
        return Named(parent, SNAP_DESTROY, Path.GetFileName(path)) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    public static ulong SubvolumeId(Fd subvolume)
    {
        var args = stackalloc byte[ArgsSize];
        NativeMemory.Clear(args, ArgsSize);
        ((ulong*)args)[1] = 256;
        Libc.Check(Libc.Ioctl(subvolume.Value, INO_LOOKUP, args), "subvolume id", subvolume.ProcPath);
        return ((ulong*)args)[0];
    }

    public static void LimitBytes(Fd subvolume, ulong bytes)
    {
        // qgroup id 0 means the subvolume the descriptor is in.
        var args = stackalloc ulong[6] { 0, LimitMaxReferenced, bytes, 0, 0, 0 };
        Libc.Check(Libc.Ioctl(subvolume.Value, QGROUP_LIMIT, args), "disk limit", subvolume.ProcPath);
    }

    /// <returns>False while the deleted subvolume is still being cleaned up and the group has to wait.</returns>
    public static bool RemoveQgroup(Fd volume, ulong subvolumeId)
    {
        var args = stackalloc ulong[2] { 0, subvolumeId };
        return Libc.Ioctl(volume.Value, QGROUP_CREATE, args) == 0 || Marshal.GetLastPInvokeError() is Errno.ENOENT;
    }

    /// <summary>Bytes charged to the subvolume at the last commit (up to 30 s ago).</summary>
    public static long UsedBytes(Fd volume, ulong subvolumeId)
    {
        var args = stackalloc byte[ArgsSize];
        NativeMemory.Clear(args, ArgsSize);
        var key = (ulong*)args;
        (key[0], key[1], key[2]) = (QuotaTree, 0, 0);
        (key[3], key[4]) = (subvolumeId, subvolumeId);
        (key[5], key[6]) = (0, ulong.MaxValue);
        var types = (uint*)(args + 56);
        (types[0], types[1], types[2]) = (QgroupInfoKey, QgroupInfoKey, 1);
        if (Libc.Ioctl(volume.Value, TREE_SEARCH, args) < 0 || types[2] == 0) return 0;
        // Results begin after the 104-byte key: a 32-byte header, then generation and referenced bytes.
        var item = new ReadOnlySpan<byte>(args + 104 + 32, 16);
        return BinaryPrimitives.ReadInt64LittleEndian(item[8..]);
    }

    private static int Named(Fd parent, nuint request, string name)
    {
        var args = stackalloc byte[ArgsSize];
        NativeMemory.Clear(args, ArgsSize);
        Encoding.UTF8.GetBytes(name, new Span<byte>(args + 8, ArgsSize - 9));
        return Libc.Ioctl(parent.Value, request, args);
    }
}
