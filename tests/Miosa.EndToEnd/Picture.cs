using System.Buffers.Binary;
using System.IO.Compression;

namespace Miosa.EndToEnd;

/// <summary>A PNG that was read to its last pixel, so that a test knows it is one.</summary>
internal sealed class Picture
{
    private static readonly byte[] Signature = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    private readonly byte[] pixels;
    private readonly int channels;

    private Picture(int width, int height, int channels, byte[] pixels) => (Width, Height, this.channels, this.pixels) = (width, height, channels, pixels);

    public int Width { get; }

    public int Height { get; }

    public (byte Red, byte Green, byte Blue) this[int x, int y] => (At(x, y, 0), At(x, y, 1), At(x, y, 2));

    public int Colours
    {
        get
        {
            var seen = new HashSet<(byte, byte, byte)>();
            for (var y = 0; y < Height; y += 4)
            {
                for (var x = 0; x < Width; x += 4)
                    seen.Add(this[x, y]);
            }
            return seen.Count;
        }
    }

    public static Picture Read(byte[] png)
    {
        Assert.True(png.AsSpan().StartsWith(Signature), "it does not begin as a PNG");
        var (width, height, channels) = (0, 0, 0);
        using var packed = new MemoryStream();
        for (var at = Signature.Length; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            var data = png.AsSpan(at + 8, length);
            switch (System.Text.Encoding.ASCII.GetString(png, at + 4, 4))
            {
                case "IHDR":
                    (width, height) = (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]));
                    Assert.Equal(8, data[8]);
                    channels = data[9] switch { 2 => 3, 6 => 4, var other => throw new InvalidDataException($"colour type {other}") };
                    break;
                case "IDAT":
                    packed.Write(data);
                    break;
            }
            at += length + 12;
        }
        packed.Position = 0;
        using var unpacked = new ZLibStream(packed, CompressionMode.Decompress);
        var stride = width * channels;
        var pixels = new byte[height * stride];
        for (var y = 0; y < height; y++)
        {
            var filter = unpacked.ReadByte();
            var row = pixels.AsSpan(y * stride, stride);
            unpacked.ReadExactly(row);
            Unfilter(filter, row, y == 0 ? [] : pixels.AsSpan((y - 1) * stride, stride), channels);
        }
        Assert.Equal(-1, unpacked.ReadByte());
        return new Picture(width, height, channels, pixels);
    }

    // PNG specification, section 9.
    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> above, int channels)
    {
        for (var i = 0; i < row.Length; i++)
        {
            var left = i >= channels ? row[i - channels] : 0;
            var up = above.IsEmpty ? 0 : above[i];
            var corner = above.IsEmpty || i < channels ? 0 : above[i - channels];
            row[i] += (byte)(filter switch
            {
                0 => 0,
                1 => left,
                2 => up,
                3 => (left + up) / 2,
                4 => Paeth(left, up, corner),
                _ => throw new InvalidDataException($"filter {filter}"),
            });
        }
    }

    private static int Paeth(int left, int up, int corner)
    {
        var guess = left + up - corner;
        var (a, b, c) = (Math.Abs(guess - left), Math.Abs(guess - up), Math.Abs(guess - corner));
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }

    private byte At(int x, int y, int channel) => pixels[(((y * Width) + x) * channels) + channel];
}
