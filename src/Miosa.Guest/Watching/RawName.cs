using System.Text;

namespace Miosa.Guest.Watching;

/// <summary>
/// File names as the kernel has them, which need not be UTF-8. Held as strings with one character per byte, so that they can be keys and be
/// put together without losing any.
/// </summary>
internal static class RawName
{
    public static string Of(ReadOnlySpan<byte> name) => Encoding.Latin1.GetString(name);

    public static byte[] WithZero(string raw)
    {
        var bytes = new byte[raw.Length + 1];
        Encoding.Latin1.GetBytes(raw, bytes);
        return bytes;
    }

    /// <summary>As the host is told: what is not UTF-8 becomes U+FFFD.</summary>
    public static string Text(string raw) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(raw));

    public static string Join(string folder, string name) => folder.Length == 0 ? name : folder == "/" ? "/" + name : folder + "/" + name;
}
