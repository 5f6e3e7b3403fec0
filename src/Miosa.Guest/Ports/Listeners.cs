using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Net;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Ports;

/// <summary>A TCP socket of the machine that listens; the address in network order, 4 or 16 bytes.</summary>
internal readonly record struct Listener(byte[] Address, int Port, ulong Inode)
{
    public string Text => new IPAddress(Address).ToString();
}

/// <summary>Reads the kernel's tables of TCP sockets. Works the same under gVisor, whose /proc/net has the two files, too.</summary>
internal static unsafe class Listeners
{
    /// <summary>About 7,000 sockets: a machine that has more is not listed to the end.</summary>
    private const int MostBytes = 1024 * 1024;

    public static List<Listener> Read()
    {
        var found = new List<Listener>();
        Read("/proc/net/tcp\0"u8, found);
        Read("/proc/net/tcp6\0"u8, found);
        return found;
    }

    /// <summary>Which process holds which socket: (inode, pid), for the inodes asked for.</summary>
    public static Dictionary<ulong, int> Owners(IReadOnlySet<ulong> inodes)
    {
        var owners = new Dictionary<ulong, int>();
        foreach (var process in ProcessTable.Read())
        {
            if (owners.Count == inodes.Count)
                break;
            AddSocketsOf(process.Pid, inodes, owners);
        }
        return owners;
    }

    private static void Read(ReadOnlySpan<byte> fileZ, List<Listener> found)
    {
        ReadOnlySpan<byte> table = SmallFile.Read(fileZ, MostBytes);
        foreach (var range in table.Split((byte)'\n'))
        {
            if (TryLine(table[range], out var listener))
                found.Add(listener);
        }
    }

    /// <summary><c>  0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …</c></summary>
    private static bool TryLine(ReadOnlySpan<byte> line, out Listener listener)
    {
        const int local = 1;
        const int state = 3;
        const int inode = 9;
        listener = default;
        Span<Range> fields = stackalloc Range[inode + 1];
        var count = 0;
        for (var at = 0; at < line.Length && count < fields.Length;)
        {
            var start = at + line[at..].IndexOfAnyExcept((byte)' ');
            if (start < at)
                break;
            var length = line[start..].IndexOf((byte)' ');
            at = length < 0 ? line.Length : start + length;
            fields[count++] = start..at;
        }
        if (count <= inode || !line[fields[state]].SequenceEqual("0A"u8))
            return false;
        var name = line[fields[local]];
        var colon = name.IndexOf((byte)':');
        if (colon is not (8 or 32) || !Utf8Parser.TryParse(name[(colon + 1)..], out int port, out _, 'X') || !Utf8Parser.TryParse(line[fields[inode]], out ulong number, out _))
            return false;
        var address = new byte[colon / 2];
        for (var word = 0; word < address.Length; word += 4)
        {
            if (!uint.TryParse(name.Slice(word * 2, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var value))
                return false;
            // The kernel prints each word of the address as a number of this machine, which is little endian.
            BinaryPrimitives.WriteUInt32LittleEndian(address.AsSpan(word), value);
        }
        listener = new Listener(address, port, number);
        return true;
    }

    private static void AddSocketsOf(int pid, IReadOnlySet<ulong> inodes, Dictionary<ulong, int> owners)
    {
        const int bufferBytes = 16 * 1024;
        const int nameOffset = 19;
        var folder = Libc.OpenAt(Libc.AtCwd, System.Text.Encoding.ASCII.GetBytes($"/proc/{pid}/fd\0"), Libc.ReadOnly | Libc.Directory);
        if (folder < 0)
            return;
        var buffer = stackalloc byte[bufferBytes];
        nint count;
        while ((count = Libc.DirectoryRecords(folder, buffer, bufferBytes)) > 0)
        {
            for (nint at = 0; at < count; at += *(ushort*)(buffer + at + 16))
            {
                var name = System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer + at + nameOffset);
                if (Libc.ReadLinkAt(folder, (byte[])[.. name, 0]) is { } target && TryInode(target, out var inode) && inodes.Contains(inode))
                    owners.TryAdd(inode, pid);
            }
        }
        Libc.Close(folder);
    }

    private static bool TryInode(ReadOnlySpan<byte> link, out ulong inode)
    {
        inode = 0;
        return link.StartsWith("socket:["u8) && Utf8Parser.TryParse(link["socket:["u8.Length..], out inode, out _);
    }
}
