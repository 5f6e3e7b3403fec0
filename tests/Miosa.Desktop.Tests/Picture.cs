using System.Buffers.Binary;
using System.IO.Compression;

namespace Miosa.Desktop.Tests;

/// <summary>The pixels of a screenshot: red, green, blue.</summary>
internal sealed record Picture(int Width, int Height, byte[] Pixels)
{
    public static Picture FromRaw(byte[] data, int width)
    {
        var pixels = new byte[data.Length / 4 * 3];
        for (var i = 0; i < data.Length / 4; i++)
            (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (data[4 * i + 2], data[4 * i + 1], data[4 * i]);
        return new Picture(width, data.Length / 4 / width, pixels);
    }

    /// <summary>Reads what the guest writes, 24 bits without filters, and checks its checksums on the way.</summary>
    public static Picture FromPng(byte[] png)
    {
        Assert.Equal([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], png[..8]);
        var (width, height) = (0, 0);
        var packed = new MemoryStream();
        for (var at = 8; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            var type = System.Text.Encoding.ASCII.GetString(png, at + 4, 4);
            Assert.Equal(Crc(png.AsSpan(at + 4, 4 + length)), BinaryPrimitives.ReadUInt32BigEndian(png.AsSpan(at + 8 + length)));
            if (type == "IHDR")
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at + 8)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at + 12)));
            if (type == "IDAT")
                packed.Write(png, at + 8, length);
            at += 12 + length;
        }
        packed.Position = 0;
        // Checks the checksum of the whole.
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        var pixels = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
        {
            Assert.Equal(0, unpacked.ReadByte());
            unpacked.ReadExactly(pixels, y * width * 3, width * 3);
        }
        Assert.Equal(-1, unpacked.ReadByte());
        return new Picture(width, height, pixels);
    }

    public Picture Part(int x, int y, int width, int height)
    {
        var pixels = new byte[width * height * 3];
        for (var row = 0; row < height; row++)
            Pixels.AsSpan(((y + row) * Width + x) * 3, width * 3).CopyTo(pixels.AsSpan(row * width * 3));
        return new Picture(width, height, pixels);
    }

    public bool Shows(Picture other) => (Width, Height) == (other.Width, other.Height) && Pixels.AsSpan().SequenceEqual(other.Pixels);

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var one in bytes)
        {
            crc ^= one;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? 0xedb88320 ^ crc >> 1 : crc >> 1;
        }
        return ~crc;
    }
}
