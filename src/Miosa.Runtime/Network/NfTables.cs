using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

/// <summary>
/// Elements of the sets of one nft table, added and removed by raw nfnetlink (linux/netfilter/nf_tables.h): all changes of one batch
/// become true together. The nft program would cost 7 ms each time, and DNS answers wait for it.
/// </summary>
internal sealed unsafe class NfTables(string table) : IDisposable
{
    private const int NETLINK_NETFILTER = 12;
    private const ushort Subsystem = 10 << 8;
    private const ushort BatchBegin = 16;
    private const ushort BatchEnd = 17;
    private const ushort GetTable = Subsystem | 1;
    private const ushort TableName = 1;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NewElements = Subsystem | 12;
    private const ushort DeleteElements = Subsystem | 14;
    private const ushort Request = 1;
    private const ushort Ack = 4;
    private const ushort Create = 0x400;
    private const ushort Nested = 0x8000;
    private const byte NFPROTO_INET = 1;
    public const int NameSize = 16;

    private const ushort ListTable = 1;
    private const ushort ListSet = 2;
    private const ushort ListElements = 3;
    private const ushort ElementKey = 1;
    private const ushort ElementData = 2;
    private const ushort DataValue = 1;

    private readonly Fd socket = Sockets.Open(Sockets.AF_NETLINK, Sockets.SOCK_RAW, NETLINK_NETFILTER);
    private readonly Lock turn = new();
    private uint sequence;

    /// <summary>One element: its key, and its value where the set is a map.</summary>
    internal readonly record struct Element(byte[] Key, byte[]? Value = null);

    internal sealed record Change(string Set, bool IsNew, IReadOnlyList<Element> Elements);

    public static byte[] Key(string interfaceName)
    {
        var key = new byte[NameSize];
        Encoding.ASCII.GetBytes(interfaceName, key.AsSpan(0, NameSize - 1));
        return key;
    }

    /// <summary>An interface and an address.</summary>
    public static byte[] Key(string interfaceName, uint address)
    {
        var key = new byte[NameSize + 4];
        Encoding.ASCII.GetBytes(interfaceName, key.AsSpan(0, NameSize - 1));
        BinaryPrimitives.WriteUInt32BigEndian(key.AsSpan(NameSize), address);
        return key;
    }

    /// <summary>A mark, which the kernel keeps in the order of the host.</summary>
    public static byte[] Mark(uint mark) => BitConverter.GetBytes(mark);

    public static byte[] MarkedKey(string interfaceName, uint mark) => [.. Key(interfaceName), .. Mark(mark)];

    /// <returns>0, or the errno of the first change that was refused; then none is done.</returns>
    public int Apply(IReadOnlyList<Change> changes)
    {
        var wanted = changes.Where(change => change.Elements.Count > 0).ToList();
        if (wanted.Count == 0) return 0;
        lock (turn)
        {
            using var batch = new MemoryStream();
            // res_id of the begin message names the subsystem the batch is for, in network order.
            Write(batch, BatchBegin, Request, [0, 0, 0, 10]);
            var first = sequence + 1;
            foreach (var change in wanted)
                Write(batch, change.IsNew ? NewElements : DeleteElements, (ushort)(Request | Ack | (change.IsNew ? Create : 0)), Body(change));
            Write(batch, BatchEnd, Request, [0, 0, 0, 10]);
            return Exchange(batch.ToArray(), first, wanted.Count);
        }
    }

    /// <summary>False when the table is gone.</summary>
    public bool Exists()
    {
        lock (turn)
        {
            var body = (byte[])[NFPROTO_INET, 0, 0, 0, .. Attribute(TableName, Text(table))];
            using var message = new MemoryStream();
            Write(message, GetTable, Request, body);
            var bytes = message.ToArray();
            var wanted = sequence;
            fixed (byte* start = bytes) Libc.Check(Libc.Syscall(Sys.SendTo, socket.Value, (nint)start, bytes.Length), "nft table", table);
            var reply = stackalloc byte[8192];
            while (IsReadable())
            {
                var length = Libc.Syscall(Sys.RecvFrom, socket.Value, (nint)reply, 8192);
                Libc.Check(length, "nft table", table);
                // Not an answer to an older message that ran into its deadline.
                if (length < 20 || *(uint*)(reply + 8) != wanted) continue;
                return *(ushort*)(reply + 4) != NLMSG_ERROR || (-*(int*)(reply + 16) is not Errno.ENOENT and var errno
                    ? throw new LinuxException("nft table", table, errno)
                    : false);
            }
            throw new LinuxException("nft table", table, Errno.EBUSY);
        }
    }

    public void Dispose() => socket.Dispose();

    private int Exchange(byte[] batch, uint first, int count)
    {
        fixed (byte* start = batch)
        {
            if (Libc.Syscall(Sys.SendTo, socket.Value, (nint)start, batch.Length) < 0) return Marshal.GetLastPInvokeError();
        }
        // One acknowledgement per change, whether it was done or not; a refusal of the batch itself comes alone.
        var reply = stackalloc byte[8192];
        var errno = 0;
        for (var answered = 0; answered < count;)
        {
            if (!IsReadable()) return Errno.EBUSY;
            var length = Libc.Syscall(Sys.RecvFrom, socket.Value, (nint)reply, 8192);
            if (length < 0) return Marshal.GetLastPInvokeError();
            for (var at = 0; at + 20 <= length;)
            {
                var size = *(int*)(reply + at);
                if (size < 20) break;
                var number = *(uint*)(reply + at + 8);
                var code = -*(int*)(reply + at + 16);
                at += (size + 3) & ~3;
                // An answer to an older batch that ran into its deadline.
                if ((int)(number - (first - 1)) < 0) continue;
                if (errno == 0) errno = code;
                if (code != 0 && number == first - 1) return code;
                if (number >= first) answered++;
            }
        }
        return errno;
    }

    private bool IsReadable()
    {
        var poll = stackalloc int[2];
        (poll[0], poll[1]) = (socket.Value, 1);
        return Libc.Syscall(Sys.Poll, (nint)poll, 1, 10_000) > 0;
    }

    private void Write(MemoryStream batch, ushort type, ushort flags, byte[] body)
    {
        var header = new byte[16];
        BinaryPrimitives.WriteInt32LittleEndian(header, 16 + body.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(4), type);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(6), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), type == BatchBegin ? sequence : ++sequence);
        batch.Write(header);
        batch.Write(body);
    }

    private byte[] Body(Change change)
    {
        var elements = change.Elements.Select(element => Attribute(1 | Nested,
        [
            .. Attribute(ElementKey | Nested, Attribute(DataValue, element.Key)),
            .. element.Value is { } value && change.IsNew ? Attribute(ElementData | Nested, Attribute(DataValue, value)) : [],
        ])).SelectMany(bytes => bytes).ToArray();
        return
        [
            // nfgenmsg: family, version 0, res_id 0.
            NFPROTO_INET, 0, 0, 0,
            .. Attribute(ListTable, Text(table)), .. Attribute(ListSet, Text(change.Set)), .. Attribute(ListElements | Nested, elements),
        ];
    }

    private static byte[] Attribute(int type, byte[] value)
    {
        var attribute = new byte[(4 + value.Length + 3) & ~3];
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, checked((ushort)(4 + value.Length)));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute.AsSpan(2), (ushort)type);
        value.CopyTo(attribute, 4);
        return attribute;
    }

    private static byte[] Text(string value) => Encoding.ASCII.GetBytes(value + "\0");
}
