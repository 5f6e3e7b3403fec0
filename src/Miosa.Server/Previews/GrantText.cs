using System.Security.Cryptography;
using System.Text;

namespace Miosa.Server.Previews;

internal enum GrantKind
{
    /// <summary>Short-lived, for a person: <c>mp_…</c>.</summary>
    Token,

    /// <summary>A public link to look at the machine: <c>ms_…</c>.</summary>
    Share,

    /// <summary>Belongs to one preview: <c>miosa_pv_…</c>.</summary>
    PreviewShare,

    /// <summary>Opens the live view of a computer and no preview: <c>mst_…</c>.</summary>
    Stream,

    /// <summary>The viewer password of a computer, with which a person gets a <see cref="Stream"/>. It has a text of its own kind.</summary>
    ViewerPassword,
}

/// <summary>The text of the secrets that open previews: a prefix and 32 random bytes in base 62. Only the hash is kept.</summary>
internal static class GrantText
{
    public const int ShownLength = 12;

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    /// <summary>Without what looks like something else: a person reads it from one screen and types it into another.</summary>
    private const string Spoken = "abcdefghjkmnpqrstuvwxyz23456789";

    private const int RandomLength = 43;
    private const int MaxLength = 64;

    private static readonly string[] Prefixes = ["mp_", "ms_", "miosa_pv_", "mst_"];

    public static string New(GrantKind kind) => Prefixes[(int)kind] + RandomNumberGenerator.GetString(Alphabet, RandomLength);

    /// <summary>A password for a person: <c>xxxx-yyyy-zzzz-wwww</c>, 79 bits.</summary>
    public static string NewPassword() => string.Join('-', Enumerable.Range(0, 4).Select(_ => RandomNumberGenerator.GetString(Spoken, 4)));

    public static byte[] HashOfPassword(string text) => SHA256.HashData(Encoding.UTF8.GetBytes("viewer-password:" + text));

    /// <summary>Ours by its looks, good or not: such a text never reaches a sandbox.</summary>
    public static bool IsOurs(string text) => Prefixes.Any(p => text.StartsWith(p, StringComparison.Ordinal));

    /// <summary>Null for a text that cannot be one of ours.</summary>
    public static byte[]? HashOf(string text) => text.Length <= MaxLength && IsOurs(text) ? SHA256.HashData(Encoding.UTF8.GetBytes(text)) : null;
}
