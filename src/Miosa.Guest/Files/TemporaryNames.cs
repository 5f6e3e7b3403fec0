using System.Buffers.Text;

namespace Miosa.Guest.Files;

/// <summary>
/// Names that nobody else uses. Not from <c>RandomNumberGenerator</c>: that loads OpenSSL, which a static program on a foreign
/// image must not do (it crashed there). Uniqueness is checked by the kernel (O_EXCL, RENAME_NOREPLACE); this only makes a clash unlikely.
/// </summary>
internal static class TemporaryNames
{
    private static long _next = Environment.TickCount64 << 20;

    /// <summary>A name, ending in the zero byte the kernel wants.</summary>
    public static byte[] Next()
    {
        byte[] name = [.. ".miosa-0000000000000000\0"u8];
        Utf8Formatter.TryFormat(Interlocked.Increment(ref _next), name.AsSpan(7, 16), out _, new('x', 16));
        return name;
    }
}
