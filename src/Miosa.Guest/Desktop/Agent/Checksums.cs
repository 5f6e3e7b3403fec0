using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>The two checksums of a PNG: CRC-32 of its chunks, Adler-32 of what is compressed in it.</summary>
internal static unsafe class Checksums
{
    private const uint AdlerPrime = 65_521;

    private static readonly uint[] s_tables = Tables();

    public static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        fixed (uint* table = s_tables)
        fixed (byte* first = bytes)
        {
            var at = first;
            var left = bytes.Length;
            // Eight bytes a step, by eight tables.
            for (; left >= 8; left -= 8, at += 8)
            {
                var low = *(uint*)at ^ crc;
                var high = *(uint*)(at + 4);
                crc = table[7 * 256 + (low & 0xff)] ^ table[6 * 256 + (low >> 8 & 0xff)] ^ table[5 * 256 + (low >> 16 & 0xff)] ^ table[4 * 256 + (low >> 24)]
                    ^ table[3 * 256 + (high & 0xff)] ^ table[2 * 256 + (high >> 8 & 0xff)] ^ table[256 + (high >> 16 & 0xff)] ^ table[high >> 24];
            }
            for (; left > 0; left--, at++)
                crc = table[(crc ^ *at) & 0xff] ^ crc >> 8;
        }
        return ~crc;
    }

    public static uint Adler(uint adler, ReadOnlySpan<byte> bytes)
    {
        ulong a = adler & 0xffff, b = adler >> 16;
        fixed (byte* first = bytes)
        {
            var at = 0;
            if (Ssse3.IsSupported)
            {
                var weights = Vector128.Create((sbyte)16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
                var ones = Vector128.Create((short)1);
                while (bytes.Length - at >= 16)
                {
                    var blocks = Math.Min((bytes.Length - at) / 16, 256);
                    var sum = Vector128<ulong>.Zero;
                    var before = Vector128<ulong>.Zero;
                    var weighted = Vector128<int>.Zero;
                    for (var i = 0; i < blocks; i++, at += 16)
                    {
                        var block = Vector128.Load(first + at);
                        before += sum;
                        sum += Sse2.SumAbsoluteDifferences(block, Vector128<byte>.Zero).AsUInt64();
                        weighted += Sse2.MultiplyAddAdjacent(Ssse3.MultiplyAddAdjacent(block, weights), ones);
                    }
                    b = (b + a * (ulong)(16 * blocks) + 16 * Vector128.Sum(before) + (ulong)Vector128.Sum(weighted)) % AdlerPrime;
                    a = (a + Vector128.Sum(sum)) % AdlerPrime;
                }
            }
            for (; at < bytes.Length; at++)
            {
                a = (a + first[at]) % AdlerPrime;
                b = (b + a) % AdlerPrime;
            }
        }
        return (uint)(b << 16 | a);
    }

    /// <summary>The checksum of two pieces, one behind the other, from theirs.</summary>
    public static uint Join(uint first, uint second, long secondBytes)
    {
        var length = (ulong)secondBytes % AdlerPrime;
        ulong a = first & 0xffff, b = first >> 16;
        var joinedA = (a + (second & 0xffff) + AdlerPrime - 1) % AdlerPrime;
        var joinedB = (length * a + b + (second >> 16) + AdlerPrime - length) % AdlerPrime;
        return (uint)(joinedB << 16 | joinedA);
    }

    private static uint[] Tables()
    {
        var tables = new uint[8 * 256];
        for (uint i = 0; i < 256; i++)
        {
            var crc = i;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? 0xedb88320 ^ crc >> 1 : crc >> 1;
            tables[i] = crc;
        }
        for (var i = 256; i < tables.Length; i++)
            tables[i] = tables[tables[i - 256] & 0xff] ^ tables[i - 256] >> 8;
        return tables;
    }
}
