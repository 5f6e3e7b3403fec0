using System.Text;

namespace Miosa.Runtime.Linux;

internal static unsafe partial class Tree
{
    private const int Fchownat = 260;
    private const int Fchmodat = 268;
    private const int Newfstatat = 262;
    private const int AT_SYMLINK_NOFOLLOW = 0x100;

    /// <summary>Adds <paramref name="baseId"/> to the owner and group of everything in the tree, the set-id bits kept.</summary>
    public static void ShiftOwners(string path, uint baseId)
    {
        using var parent = Libc.Open(Path.GetDirectoryName(path) ?? "/", Libc.O_RDONLY | Libc.O_DIRECTORY);
        Shift(parent, Encoding.UTF8.GetBytes(Path.GetFileName(path)), baseId);
    }

    private static void Shift(Fd parent, byte[] name, uint baseId)
    {
        // struct stat on x86-64: mode at byte 24, uid at 28, gid at 32.
        var stat = stackalloc uint[36];
        fixed (byte* text = Terminated(name))
        {
            var subject = Encoding.UTF8.GetString(name);
            Libc.Check(Libc.Syscall(Newfstatat, parent.Value, (nint)text, (nint)stat, AT_SYMLINK_NOFOLLOW), "stat", subject);
            var mode = stat[6];
            // A second name of a file that was shifted under its first.
            if (stat[7] >= baseId) return;
            Libc.Check(Libc.Syscall(Fchownat, parent.Value, (nint)text, (nint)(stat[7] + baseId), (nint)(stat[8] + baseId), AT_SYMLINK_NOFOLLOW), "chown", subject);
            // Changing the owner clears set-id bits; a link has no mode of its own.
            if ((mode & 0xc00) != 0 && (mode & 0xf000) != 0xa000)
                Libc.Check(Libc.Syscall(Fchmodat, parent.Value, (nint)text, (nint)(mode & 0xfff)), "chmod", subject);
            if ((mode & 0xf000) != 0x4000) return;
        }
        using var directory = Open(parent, name, Libc.O_RDONLY | Libc.O_DIRECTORY);
        foreach (var (entry, _) in Entries(directory)) Shift(directory, entry, baseId);
    }
}
