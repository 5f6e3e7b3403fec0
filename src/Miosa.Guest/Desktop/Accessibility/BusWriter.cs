using System.Buffers.Binary;
using System.Text;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>Marshals D-Bus values, little endian, aligned from the start of this buffer (D-Bus specification, "Marshaling").</summary>
internal sealed class BusWriter
{
    private byte[] _bytes = new byte[256];

    public int Length { get; private set; }

    public Span<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void DropFirst(int count)
    {
        _bytes.AsSpan(count, Length - count).CopyTo(_bytes);
        Length -= count;
    }

    public void Align(int to)
    {
        while (Length % to != 0)
            Byte(0);
    }

    public void Byte(byte value)
    {
        Room(1);
        _bytes[Length++] = value;
    }

    public void UInt32(uint value)
    {
        Align(4);
        Room(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(Length), value);
        Length += 4;
    }

    public void Text(string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        UInt32((uint)length);
        Room(length + 1);
        Encoding.UTF8.GetBytes(value, _bytes.AsSpan(Length));
        Length += length;
        Byte(0);
    }

    public void Signature(string value)
    {
        Byte((byte)value.Length);
        foreach (var letter in value)
            Byte((byte)letter);
        Byte(0);
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(Length));
        Length += bytes.Length;
    }

    private void Room(int count)
    {
        if (_bytes.Length - Length < count)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
    }
}
