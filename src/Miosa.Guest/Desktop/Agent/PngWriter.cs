using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.Intrinsics;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>
/// Pictures as PNG: 24 bits, no filter (which compresses pictures of windows best and costs nothing), in strips that are chunks of their own. A
/// strip that has not changed since the last picture of the same region is not compressed again.
/// </summary>
internal sealed unsafe class PngWriter : IDisposable
{
    private const int MostStrips = 16;
    private const int LeastRows = 16;
    private const int RowsAtOnceBytes = 64 * 1024;
    private const int ChunkFrame = 12;

    private readonly NativeBytes[] _strips = new NativeBytes[MostStrips];
    private readonly uint[] _adlers = new uint[MostStrips];
    private readonly NativeBytes _rows = new();
    private byte* _last;
    private nuint _lastSize;
    private Region _region;
    private int _level;
    private int _count;
    private readonly byte[] _head = new byte[8 + ChunkFrame + 13 + ChunkFrame + 2];
    private readonly byte[] _tail = new byte[ChunkFrame + 6 + ChunkFrame];

    public PngWriter()
    {
        for (var i = 0; i < MostStrips; i++)
            _strips[i] = new NativeBytes();
    }

    /// <summary>The length of the picture that <see cref="Encode"/> made.</summary>
    public int Length { get; private set; }

    /// <summary>Its pieces, in their order.</summary>
    public IEnumerable<NativeBytes> Strips => _strips.Take(_count);

    public ReadOnlySpan<byte> Head => _head;
    public ReadOnlySpan<byte> Tail => _tail;

    public void Encode(byte* pixels, Region region, int level)
    {
        var size = (nuint)region.Width * (nuint)region.Height * 4;
        var isKnown = _last != null && region == _region && level == _level;
        if (size != _lastSize)
        {
            Libc.Unmap(_last, _lastSize);
            _last = null;
            _lastSize = 0;
            _last = Libc.Map(size);
            _lastSize = size;
        }
        // Known again only once every strip is there.
        _level = 0;
        _count = Math.Clamp(region.Height / LeastRows, 1, MostStrips);
        var adler = 1u;
        Length = _head.Length + _tail.Length;
        for (var i = 0; i < _count; i++)
        {
            var top = (int)((long)region.Height * i / _count);
            var bottom = (int)((long)region.Height * (i + 1) / _count);
            var at = (long)top * region.Width * 4;
            var bytes = (bottom - top) * region.Width * 4;
            var strip = new ReadOnlySpan<byte>(pixels + at, bytes);
            var last = new Span<byte>(_last + at, bytes);
            if (!isKnown || !strip.SequenceEqual(last))
            {
                _adlers[i] = Compress(pixels + at, region.Width, bottom - top, level, _strips[i]);
                strip.CopyTo(last);
            }
            adler = Checksums.Join(adler, _adlers[i], (long)(bottom - top) * (region.Width * 3 + 1));
            Length += _strips[i].Count;
        }
        WriteEnds(region, adler);
        (_region, _level) = (region, level);
    }

    public void Dispose()
    {
        foreach (var strip in _strips)
            strip.Dispose();
        _rows.Dispose();
        Libc.Unmap(_last, _lastSize);
        _last = null;
        _lastSize = 0;
    }

    /// <summary>A whole chunk into <paramref name="target"/>; returns the checksum of what is compressed in it.</summary>
    private uint Compress(byte* pixels, int width, int height, int level, NativeBytes target)
    {
        var rowBytes = width * 3 + 1;
        var atOnce = Math.Max(1, RowsAtOnceBytes / rowBytes);
        // Four bytes more: the last pixels are written four at a time.
        _rows.SetCount(atOnce * rowBytes + 16);
        var adler = 1u;
        target.Reset();
        target.Write("\0\0\0\0IDAT"u8);
        int end;
        using (var deflate = new DeflateStream(target, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true))
        {
            for (var y = 0; y < height; y += atOnce)
            {
                var rows = Math.Min(atOnce, height - y);
                for (var i = 0; i < rows; i++)
                {
                    var row = _rows.Pointer + i * rowBytes;
                    row[0] = 0;
                    Pack((uint*)pixels + (long)(y + i) * width, row + 1, width);
                }
                var packed = new ReadOnlySpan<byte>(_rows.Pointer, rows * rowBytes);
                adler = Checksums.Adler(adler, packed);
                deflate.Write(packed);
            }
            // Ends at a whole byte with nothing final, so that the next strip can follow.
            deflate.Flush();
            end = target.Count;
        }
        target.CutTo(end);
        BinaryPrimitives.WriteInt32BigEndian(new Span<byte>(target.Pointer, 4), end - 8);
        Span<byte> crc = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(crc, Checksums.Crc(0, target.Span[4..]));
        target.Write(crc);
        return adler;
    }

    /// <summary>Blue, green, red, nothing becomes red, green, blue.</summary>
    private static void Pack(uint* pixels, byte* target, int width)
    {
        var order = Vector128.Create((byte)2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 0x80, 0x80, 0x80, 0x80);
        var x = 0;
        for (; x + 6 <= width; x += 4, target += 12)
            Vector128.Store(Vector128.Shuffle(Vector128.Load((byte*)(pixels + x)), order), target);
        for (; x < width; x++, target += 3)
        {
            var pixel = pixels[x];
            target[0] = (byte)(pixel >> 16);
            target[1] = (byte)(pixel >> 8);
            target[2] = (byte)pixel;
        }
    }

    private void WriteEnds(Region region, uint adler)
    {
        ReadOnlySpan<byte> signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
        signature.CopyTo(_head);
        Span<byte> facts = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(facts, region.Width);
        BinaryPrimitives.WriteInt32BigEndian(facts[4..], region.Height);
        // Eight bits, red green blue, and the only method of compression, filter and order.
        ReadOnlySpan<byte> kind = [8, 2, 0, 0, 0];
        kind.CopyTo(facts[8..]);
        var at = 8 + Chunk(_head.AsSpan(8), "IHDR"u8, facts);
        Chunk(_head.AsSpan(at), "IDAT"u8, [0x78, 0x01]);
        // An empty last block, and the checksum of everything.
        Span<byte> last = stackalloc byte[6];
        last[0] = 3;
        last[1] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(last[2..], adler);
        at = Chunk(_tail, "IDAT"u8, last);
        Chunk(_tail.AsSpan(at), "IEND"u8, []);
    }

    private static int Chunk(Span<byte> target, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        BinaryPrimitives.WriteInt32BigEndian(target, data.Length);
        type.CopyTo(target[4..]);
        data.CopyTo(target[8..]);
        BinaryPrimitives.WriteUInt32BigEndian(target[(8 + data.Length)..], Checksums.Crc(0, target.Slice(4, 4 + data.Length)));
        return ChunkFrame + data.Length;
    }
}
