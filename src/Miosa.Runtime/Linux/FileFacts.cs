using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>What the kernel knows of a file; links are not followed.</summary>
internal readonly record struct FileFacts(ulong Device, ulong Inode, ulong Links, uint Mode, uint Uid, uint Gid, ulong Rdev, long Size, long ModifiedSeconds)
{
    public const uint KindMask = 0xf000, Folder = 0x4000, Regular = 0x8000, Link = 0xa000, CharacterDevice = 0x2000, Socket = 0xc000;

    private const int Newfstatat = 262;
    private const int AtSymlinkNoFollow = 0x100;
    private const int AtEmptyPath = 0x1000;

    public uint Kind => Mode & KindMask;

    public static FileFacts Of(Fd file) => Of(file, []);

    /// <param name="name">Raw bytes; empty for <paramref name="directory"/> itself.</param>
    public static unsafe FileFacts Of(Fd directory, byte[] name)
    {
        // struct stat on x86-64.
        var stat = stackalloc ulong[18];
        fixed (byte* text = Tree.Terminated(name))
            Libc.Check(Libc.Syscall(Newfstatat, directory.Value, (nint)text, (nint)stat, AtSymlinkNoFollow | AtEmptyPath), "stat", Encoding.UTF8.GetString(name));
        return new(stat[0], stat[1], stat[2], (uint)stat[3], (uint)(stat[3] >> 32), (uint)stat[4], stat[5], (long)stat[6], (long)stat[11]);
    }
}
