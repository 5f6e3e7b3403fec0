using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Miosa.Runtime.Dns;

/// <summary>Reads a DNS message (RFC 1035) front to back; every step says whether the bytes were there. What it reads was written by others.</summary>
internal ref struct DnsReader(ReadOnlySpan<byte> message, int at)
{
    /// <summary>Bytes of a name on the wire.</summary>
    private const int NameLimit = 255;

    private readonly ReadOnlySpan<byte> message = message;

    public int At { get; private set; } = at;

    public bool TryUInt16(out ushort value)
    {
        value = 0;
        if (message.Length - At < 2) return false;
        value = BinaryPrimitives.ReadUInt16BigEndian(message[At..]);
        At += 2;
        return true;
    }

    public bool TryUInt32(out uint value)
    {
        value = 0;
        if (message.Length - At < 4) return false;
        value = BinaryPrimitives.ReadUInt32BigEndian(message[At..]);
        At += 4;
        return true;
    }

    public bool TrySkip(int count)
    {
        if (count > message.Length - At) return false;
        At += count;
        return true;
    }

    /// <summary>
    /// A name in lower case without its last dot. Pointers must lead backwards, each before the one that led there, so reading ends.
    /// Bytes that are no letter, digit, hyphen or underscore are written as <c>\DDD</c>: no two names read alike.
    /// </summary>
    public bool TryName(bool mayPoint, out string name)
    {
        name = "";
        var text = new StringBuilder();
        var (at, furthest, length, end) = (At, At, 0, -1);
        while (true)
        {
            if (at >= message.Length) return false;
            int size = message[at++];
            if (size >= 0xc0)
            {
                if (!mayPoint || at >= message.Length) return false;
                var target = ((size & 0x3f) << 8) | message[at++];
                if (end < 0) end = at;
                if (target >= furthest) return false;
                (at, furthest) = (target, target);
                continue;
            }
            if (size > 63 || size > message.Length - at) return false;
            length += size + 1;
            if (length > NameLimit) return false;
            if (size == 0) break;
            if (text.Length > 0) text.Append('.');
            foreach (var letter in message.Slice(at, size))
            {
                if (letter < 128 && (char.IsAsciiLetterOrDigit((char)letter) || letter is (byte)'-' or (byte)'_')) text.Append(char.ToLowerInvariant((char)letter));
                else text.Append(CultureInfo.InvariantCulture, $"\\{letter:D3}");
            }
            at += size;
        }
        At = end < 0 ? at : end;
        name = text.ToString();
        return true;
    }
}
