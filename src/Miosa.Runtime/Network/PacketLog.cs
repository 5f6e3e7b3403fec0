using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

/// <summary>
/// The reader of one nflog group (linux/netfilter/nfnetlink_log.h): the rules copy the first bytes of refused packets to it, at most
/// twenty a second of one machine.
/// </summary>
internal sealed unsafe class PacketLog : IDisposable
{
    private const int NETLINK_NETFILTER = 12;
    private const ushort Packet = 4 << 8;
    private const ushort Config = (4 << 8) | 1;
    private const ushort CommandAttribute = 1;
    private const ushort ModeAttribute = 2;
    private const ushort TimeoutAttribute = 4;
    private const ushort ThresholdAttribute = 5;
    private const ushort PayloadAttribute = 9;
    private const ushort PrefixAttribute = 10;
    private const ushort AttributeType = 0x3fff;
    private const int CopyBytes = 64;
    private const int BufferSize = 65_536;

    /// <summary>Groups are numbers that all programs of the host share: the first free one of so many.</summary>
    private const int Attempts = 64;

    private readonly Fd socket;

    private PacketLog(Fd socket, int group) => (this.socket, Group) = (socket, group);

    public int Group { get; }

    /// <summary>Opens the first free group from <paramref name="wanted"/> on.</summary>
    public static PacketLog Open(int wanted)
    {
        for (var group = wanted; ; group++)
        {
            var socket = Sockets.Open(Sockets.AF_NETLINK, Sockets.SOCK_RAW, NETLINK_NETFILTER);
            // Bind; copy packets; send after a tenth of a second or thirty-two of them.
            byte[] mode = [0, 0, 0, CopyBytes, 2, 0];
            var errno = Configure(socket, group,
            [
                .. Attribute(CommandAttribute, [1]), .. Attribute(ModeAttribute, mode),
                .. Attribute(TimeoutAttribute, [0, 0, 0, 10]), .. Attribute(ThresholdAttribute, [0, 0, 0, 32]),
            ]);
            if (errno == 0) return new PacketLog(socket, group);
            socket.Dispose();
            if (group == wanted + Attempts || errno is not (Errno.EBUSY or Errno.EEXIST)) throw new LinuxException("nflog", $"group {group}", errno);
        }
    }

    /// <summary>Reads on a thread of its own, to the end of the process; the rule's prefix says why the packet was refused.</summary>
    public void Start(Action<string, ReadOnlySpan<byte>> refused) =>
        new Thread(() => Read(refused)) { IsBackground = true, Name = "packet log" }.Start();

    public void Dispose() => socket.Dispose();

    private void Read(Action<string, ReadOnlySpan<byte>> refused)
    {
        var buffer = new byte[BufferSize];
        while (!socket.IsClosed)
        {
            nint length;
            fixed (byte* start = buffer) length = Libc.Syscall(Sys.RecvFrom, socket.Value, (nint)start, BufferSize);
            if (length < 0)
            {
                // Packets were lost because they came faster than they were read: a log of refusals may miss some.
                if (Marshal.GetLastPInvokeError() == Errno.ENOBUFS) continue;
                Log.Line($"the log of refused packets ends: {LinuxException.Describe(Marshal.GetLastPInvokeError())}");
                return;
            }
            Take(buffer.AsSpan(0, (int)length), refused);
        }
    }

    private static void Take(ReadOnlySpan<byte> messages, Action<string, ReadOnlySpan<byte>> refused)
    {
        while (messages.Length >= 20)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(messages);
            if (size < 20 || size > messages.Length) return;
            if (BinaryPrimitives.ReadUInt16LittleEndian(messages[4..]) == Packet)
            {
                var reason = "";
                var payload = ReadOnlySpan<byte>.Empty;
                for (var rest = messages[20..size]; rest.Length >= 4;)
                {
                    var length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
                    if (length < 4 || length > rest.Length) break;
                    var type = BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]) & AttributeType;
                    if (type == PayloadAttribute) payload = rest[4..length];
                    if (type == PrefixAttribute) reason = Encoding.ASCII.GetString(rest[4..length]).TrimEnd('\0');
                    rest = rest[Math.Min((length + 3) & ~3, rest.Length)..];
                }
                refused(reason, payload);
            }
            messages = messages[Math.Min((size + 3) & ~3, messages.Length)..];
        }
    }

    private static int Configure(Fd socket, int group, byte[] attributes)
    {
        var message = new byte[20 + attributes.Length];
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), Config);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), 1 | 4);
        // nfgenmsg: family, version, then the group in network order.
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(18), (ushort)group);
        attributes.CopyTo(message, 20);
        return Netlink.Exchange(socket, message);
    }

    private static byte[] Attribute(int type, byte[] value)
    {
        var attribute = new byte[(4 + value.Length + 3) & ~3];
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute.AsSpan(2), (ushort)type);
        value.CopyTo(attribute, 4);
        return attribute;
    }
}
