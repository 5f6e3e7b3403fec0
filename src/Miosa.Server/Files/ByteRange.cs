using System.Globalization;

namespace Miosa.Server.Files;

/// <summary>A part of a file asked for with <c>Range</c>.</summary>
internal readonly record struct ByteRange(long Offset, long Length)
{
    /// <summary>What a Range header means for a file of this size (RFC 9110, 14.2).</summary>
    public enum Verdict
    {
        /// <summary>No range, one we do not serve (several ranges, another unit) or one that is malformed: the whole file.</summary>
        Whole,
        Part,

        /// <summary>Begins after the end: 416.</summary>
        Unsatisfiable,
    }

    public static Verdict Of(string? header, long size, out ByteRange range)
    {
        range = new ByteRange(0, size);
        if (header is null || !header.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
            return Verdict.Whole;
        var spec = header.AsSpan("bytes=".Length).Trim();
        var dash = spec.IndexOf('-');
        if (dash < 0 || spec.Contains(','))
            return Verdict.Whole;
        var from = spec[..dash].Trim();
        var to = spec[(dash + 1)..].Trim();

        if (from.IsEmpty)
        {
            if (!Number(to, out var suffix))
                return Verdict.Whole;
            if (suffix == 0 || size == 0)
                return Verdict.Unsatisfiable;
            var length = Math.Min(suffix, size);
            range = new ByteRange(size - length, length);
            return Verdict.Part;
        }

        var last = long.MaxValue;
        if (!Number(from, out var first) || (!to.IsEmpty && !Number(to, out last)) || last < first)
            return Verdict.Whole;
        if (first >= size)
            return Verdict.Unsatisfiable;
        range = new ByteRange(first, Math.Min(last, size - 1) - first + 1);
        return Verdict.Part;
    }

    private static bool Number(ReadOnlySpan<char> text, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
