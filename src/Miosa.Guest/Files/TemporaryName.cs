using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>A name nobody has: ".miosa-" and 64 random bits, with a final zero.</summary>
internal static class TemporaryName
{
    public static byte[] Next()
    {
        // Straight from the kernel. System.Security.Cryptography would load OpenSSL, and with it a second libc into a static program,
        // which overwrites memory of the first.
        Span<byte> name = stackalloc byte[24];
        ".miosa-"u8.CopyTo(name);
        Libc.Random().TryFormat(name[7..], out var digits, "x16");
        return [.. name[..(7 + digits)], 0];
    }
}
