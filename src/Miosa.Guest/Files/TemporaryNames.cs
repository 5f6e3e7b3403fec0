using System.Buffers.Text;

namespace Miosa.Guest.Files;

/// <summary>
/// Names that nobody else uses. Not from <c>RandomNumberGenerator</c>: that loads OpenSSL, which a static program on a foreign
/// image must not do (it crashed there). Uniqueness is checked by the kernel (O_EXCL, RENAME_NOREPLACE); this only makes a clash unlikely.
/// </summary>
internal static class TemporaryNames
{
    private static long _next = Environment.TickCount64 << 20;

    private const string New = ".miosa-";
    private const string Replacing = ".miosa=";
    private const int Length = 7 + 16;

    /// <summary>A name, ending in the zero byte the kernel wants; it also tells who sees it whether its bearer will replace another file.</summary>
    public static byte[] Next(bool replaces = false)
    {
        byte[] name = [.. replaces ? ".miosa=0000000000000000\0"u8 : ".miosa-0000000000000000\0"u8];
        Utf8Formatter.TryFormat(Interlocked.Increment(ref _next), name.AsSpan(7, 16), out _, new('x', 16));
        return name;
    }

    /// <summary>Whether a name is one of these: files that are not there yet, or not any more.</summary>
    public static bool Is(string name) =>
        name.Length == Length
        && (name.StartsWith(New, StringComparison.Ordinal) || Replaces(name))
        && name.Skip(New.Length).All(char.IsAsciiHexDigitLower);

    public static bool Replaces(string name) => name.StartsWith(Replacing, StringComparison.Ordinal);
}
