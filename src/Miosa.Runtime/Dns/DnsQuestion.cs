using System.Buffers.Binary;

namespace Miosa.Runtime.Dns;

/// <summary>One question of a machine, and the answers that we give ourselves.</summary>
internal sealed class DnsQuestion
{
    public const int HeaderSize = 12;

    public const ushort TypeA = 1;
    public const ushort TypeCname = 5;
    public const ushort TypeOpt = 41;
    public const ushort TypeAaaa = 28;
    public const ushort ClassInternet = 1;

    /// <summary>What fits any path without fragments (dnsflagday.net/2020).</summary>
    private const int LargestDatagram = 1232;
    private const int SmallestDatagram = 512;

    private readonly byte[] question;

    private DnsQuestion(ushort id, bool wantsRecursion, string name, ushort type, ushort @class, byte[] question, int? datagramSize)
    {
        (Id, WantsRecursion, Name, Type, Class, this.question) = (id, wantsRecursion, name, type, @class, question);
        HasEdns = datagramSize is not null;
        DatagramSize = Math.Clamp(datagramSize ?? SmallestDatagram, SmallestDatagram, LargestDatagram);
    }

    public ushort Id { get; }

    /// <summary>In lower case, without the last dot.</summary>
    public string Name { get; }

    public ushort Type { get; }

    public ushort Class { get; }

    public bool HasEdns { get; }

    /// <summary>The longest answer that may go back as one datagram.</summary>
    public int DatagramSize { get; }

    private bool WantsRecursion { get; }

    /// <summary>ANY and the transfers of whole zones: nothing a machine needs, and answers of any size.</summary>
    public bool IsUnanswerable => Class != ClassInternet || Type is >= 249 and <= 255 or TypeOpt or 0;

    /// <summary>Null when the packet is no single plain question.</summary>
    public static DnsQuestion? Read(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < HeaderSize) return null;
        var flags = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        var (questions, answers, authorities, additions) = Counts(packet);
        // A response, another kind of request, or a message cut off.
        if ((flags & 0xfa00) != 0 || questions != 1 || answers != 0 || authorities != 0 || additions > 1) return null;
        var reader = new DnsReader(packet, HeaderSize);
        if (!reader.TryName(mayPoint: false, out var name) || !reader.TryUInt16(out var type) || !reader.TryUInt16(out var @class)) return null;
        var question = packet[HeaderSize..reader.At].ToArray();
        int? size = null;
        if (additions == 1)
        {
            if (!reader.TryName(mayPoint: false, out var root) || !reader.TryUInt16(out var kind) || !reader.TryUInt16(out var datagram)) return null;
            if (root.Length > 0 || kind != TypeOpt) return null;
            size = datagram;
        }
        return new DnsQuestion(BinaryPrimitives.ReadUInt16BigEndian(packet), (flags & 0x0100) != 0, name, type, @class, question, size);
    }

    public static (int Questions, int Answers, int Authorities, int Additions) Counts(ReadOnlySpan<byte> packet) => (
        BinaryPrimitives.ReadUInt16BigEndian(packet[4..]), BinaryPrimitives.ReadUInt16BigEndian(packet[6..]),
        BinaryPrimitives.ReadUInt16BigEndian(packet[8..]), BinaryPrimitives.ReadUInt16BigEndian(packet[10..]));

    /// <summary>The same question under an id of our own; nothing else of what the machine sent goes on.</summary>
    public byte[] ToUpstream(ushort id)
    {
        var message = new byte[HeaderSize + question.Length + (HasEdns ? 11 : 0)];
        BinaryPrimitives.WriteUInt16BigEndian(message, id);
        message[2] = 1;
        message[5] = 1;
        question.CopyTo(message, HeaderSize);
        if (!HasEdns) return message;
        message[11] = 1;
        var option = message.AsSpan(HeaderSize + question.Length);
        BinaryPrimitives.WriteUInt16BigEndian(option[1..], TypeOpt);
        BinaryPrimitives.WriteUInt16BigEndian(option[3..], LargestDatagram);
        return message;
    }

    /// <summary>An answer without records.</summary>
    public byte[] Empty(DnsStatus status, bool isCut = false)
    {
        var message = new byte[HeaderSize + question.Length];
        BinaryPrimitives.WriteUInt16BigEndian(message, Id);
        message[2] = (byte)(0x80 | (isCut ? 2 : 0) | (WantsRecursion ? 1 : 0));
        message[3] = (byte)(0x80 | (int)status);
        message[5] = 1;
        question.CopyTo(message, HeaderSize);
        return message;
    }
}

/// <summary>The status of an answer (RCODE).</summary>
internal enum DnsStatus
{
    Done = 0,
    ServerFailed = 2,
    NoSuchName = 3,
    Refused = 5,
}
