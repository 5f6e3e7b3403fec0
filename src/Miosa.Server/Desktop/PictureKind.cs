namespace Miosa.Server.Desktop;

/// <summary>What a picture is by its first bytes; what a server or a name says of it counts for nothing.</summary>
internal static class PictureKind
{
    /// <summary>So many bytes tell it.</summary>
    public const int Needed = 12;

    /// <summary>The ending of a file name; null for what is no picture.</summary>
    public static string? Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Needed)
            return null;
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]))
            return "png";
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return "jpg";
        if (bytes.StartsWith("GIF87a"u8) || bytes.StartsWith("GIF89a"u8))
            return "gif";
        if (bytes.StartsWith("RIFF"u8) && bytes[8..].StartsWith("WEBP"u8))
            return "webp";
        if (bytes.StartsWith("BM"u8))
            return "bmp";
        return bytes.StartsWith("II*\0"u8) || bytes.StartsWith("MM\0*"u8) ? "tiff" : null;
    }
}
