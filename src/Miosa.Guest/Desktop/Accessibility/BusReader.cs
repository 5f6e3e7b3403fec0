using System.Buffers.Binary;
using System.Text;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>A peer of the bus broke the rules of the protocol, or is gone.</summary>
internal sealed class BusException(string message) : Exception(message);

/// <summary>
/// Reads the values of one message. Whoever sent it is hostile: every length is checked against what is left, and what does not fit is a
/// <see cref="BusException"/>.
/// </summary>
internal ref struct BusReader(ReadOnlySpan<byte> message, int position)
{
    private const int MaxNesting = 32;

    private readonly ReadOnlySpan<byte> _message = message;

    public int Position { get; private set; } = position;

    public readonly bool IsAtEnd => Position >= _message.Length;

    public void Align(int to)
    {
        Position = (Position + to - 1) / to * to;
        if (Position > _message.Length)
            throw new BusException("a message ends within a value");
    }

    public byte Byte() => Take(1)[0];

    public uint UInt32()
    {
        Align(4);
        return BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
    }

    public int Int32() => (int)UInt32();

    /// <summary>A string or object path; what is behind <paramref name="most"/> characters is left out.</summary>
    public string Text(int most = 256)
    {
        var length = UInt32();
        var bytes = Take(length);
        _ = Take(1);
        // Three bytes a character are the most that a UTF-16 unit stands for.
        var cut = bytes.Length > most * 3 ? bytes[..(most * 3)] : bytes;
        var text = Encoding.UTF8.GetString(cut);
        if (text.Length <= most)
            return text;
        return text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)];
    }

    /// <summary>The bus has checked that it is a path; one of unusual length, which cannot be cut and stay one, is "/".</summary>
    public string ObjectPath()
    {
        const int longest = 255;
        var bytes = Take(UInt32());
        _ = Take(1);
        return bytes.Length > longest ? "/" : Encoding.ASCII.GetString(bytes);
    }

    public void SkipText() => _ = Take(UInt32() + 1);

    public string Signature()
    {
        var bytes = Take(Byte());
        _ = Take(1);
        return Encoding.ASCII.GetString(bytes);
    }

    /// <summary>Where the elements of an array end; <paramref name="alignment"/> is that of an element.</summary>
    public int Array(int alignment)
    {
        var length = UInt32();
        Align(alignment);
        if (length > _message.Length - Position)
            throw new BusException("an array is longer than its message");
        return Position + (int)length;
    }

    /// <summary>Goes over a value of the complete type that begins at <paramref name="at"/> of the signature; <paramref name="at"/> is then behind it.</summary>
    public void Skip(string signature, ref int at, int nesting = 0)
    {
        if (nesting > MaxNesting)
            throw new BusException("values nest too deep");
        switch (TypeAt(signature, at++))
        {
            case 'y':
                _ = Take(1);
                break;
            case 'n' or 'q':
                Align(2);
                _ = Take(2);
                break;
            case 'b' or 'i' or 'u' or 'h':
                _ = UInt32();
                break;
            case 'x' or 't' or 'd':
                Align(8);
                _ = Take(8);
                break;
            case 's' or 'o':
                SkipText();
                break;
            case 'g':
                _ = Signature();
                break;
            case 'v':
                var inner = Signature();
                var start = 0;
                Skip(inner, ref start, nesting + 1);
                break;
            case 'a':
                var end = Array(AlignmentOf(TypeAt(signature, at)));
                at = EndOfType(signature, at, 0);
                Position = end;
                break;
            case '(' or '{':
                Align(8);
                while (TypeAt(signature, at) is not (')' or '}'))
                    Skip(signature, ref at, nesting + 1);
                at++;
                break;
            default:
                throw new BusException("a signature is not valid");
        }
    }

    private static int EndOfType(string signature, int at, int nesting)
    {
        if (nesting > MaxNesting)
            throw new BusException("values nest too deep");
        switch (TypeAt(signature, at++))
        {
            case 'a':
                return EndOfType(signature, at, nesting + 1);
            case '(' or '{':
                while (TypeAt(signature, at) is not (')' or '}'))
                    at = EndOfType(signature, at, nesting + 1);
                return at + 1;
            default:
                return at;
        }
    }

    private static char TypeAt(string signature, int at) => at < signature.Length ? signature[at] : throw new BusException("a signature is not complete");

    private static int AlignmentOf(char type) => type switch
    {
        'y' or 'g' or 'v' => 1,
        'n' or 'q' => 2,
        'x' or 't' or 'd' or '(' or '{' => 8,
        _ => 4,
    };

    private ReadOnlySpan<byte> Take(uint count)
    {
        if (count > _message.Length - Position)
            throw new BusException("a message ends within a value");
        var bytes = _message.Slice(Position, (int)count);
        Position += (int)count;
        return bytes;
    }
}
