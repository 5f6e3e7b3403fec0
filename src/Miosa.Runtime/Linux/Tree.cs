using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Miosa.Runtime.Linux;

/// <summary>Walks directories by descriptor and by raw name, because a machine may leave names that are no UTF-8 and links that lead away.</summary>
internal static unsafe partial class Tree
{
    private const int Unlinkat = 263;
    private const int AT_REMOVEDIR = 0x200;

    internal const byte Directory = 4;

    /// <summary>The names in an open directory (without . and ..) with their d_type, sorted by bytes.</summary>
    public static List<(byte[] Name, byte Type)> Entries(Fd directory)
    {
        var entries = new List<(byte[], byte)>();
        var buffer = new byte[32 * 1024];
        while (true)
        {
            int length;
            fixed (byte* start = buffer) length = (int)Libc.Syscall(Sys.Getdents64, directory.Value, (nint)start, buffer.Length);
            Libc.Check(length, "getdents", directory.ProcPath);
            if (length == 0) break;
            for (var at = 0; at < length;)
            {
                var size = BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + 16));
                var type = buffer[at + 18];
                var name = buffer.AsSpan(at + 19, size - 19);
                name = name[..name.IndexOf((byte)0)];
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8)) entries.Add((name.ToArray(), type));
                at += size;
            }
        }
        entries.Sort((left, right) => left.Item1.AsSpan().SequenceCompareTo(right.Item1));
        return entries;
    }

    public static Fd Open(Fd directory, byte[] name, int flags)
    {
        fixed (byte* text = Terminated(name))
        {
            var fd = Libc.Syscall(Sys.Openat, directory.Value, (nint)text, flags | Libc.O_CLOEXEC | Libc.O_NOFOLLOW);
            return fd < 0 ? throw LinuxException.Last("open", Encoding.UTF8.GetString(name)) : new Fd((int)fd);
        }
    }

    /// <returns>False when there is something of this name.</returns>
    public static bool MakeDirectory(Fd parent, ReadOnlySpan<byte> name, uint mode)
    {
        const int mkdirat = 258;
        fixed (byte* text = Terminated(name.ToArray()))
        {
            if (Libc.Syscall(mkdirat, parent.Value, (nint)text, (nint)mode) == 0) return true;
            var errno = Marshal.GetLastPInvokeError();
            return errno == Errno.EEXIST ? false : throw new LinuxException("mkdir", Encoding.UTF8.GetString(name), errno);
        }
    }

    /// <summary>Removes the tree; one that does not exist is fine.</summary>
    public static void Delete(string path)
    {
        using var parent = Libc.TryOpen(Path.GetDirectoryName(path) ?? "/", Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (parent is null) return;
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(path));
        var kept = Unlink(parent, name, 0);
        if (kept is 0 or Errno.ENOENT) return;
        DeleteDirectory(parent, name);
    }

    private static void DeleteDirectory(Fd parent, byte[] name)
    {
        using (var directory = Open(parent, name, Libc.O_RDONLY | Libc.O_DIRECTORY))
        {
            foreach (var (entry, type) in Entries(directory))
                if (type == Directory || Unlink(directory, entry, 0) != 0) DeleteDirectory(directory, entry);
        }
        var errno = Unlink(parent, name, AT_REMOVEDIR);
        if (errno is not (0 or Errno.ENOENT)) throw new LinuxException("rmdir", Encoding.UTF8.GetString(name), errno);
    }

    private static int Unlink(Fd directory, byte[] name, int flags)
    {
        fixed (byte* text = Terminated(name))
            return Libc.Syscall(Unlinkat, directory.Value, (nint)text, flags) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    internal static byte[] Terminated(byte[] name) => [.. name, 0];
}
