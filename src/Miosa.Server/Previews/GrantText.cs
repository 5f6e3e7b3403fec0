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
}

/// <summary>The text of the secrets that open previews: a prefix and 32 random bytes in base 62. Only the hash is kept.</summary>
internal static class GrantText
{
    public const int ShownLength = 12;

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int RandomLength = 43;
    private const int MaxLength = 64;

    private static readonly string[] Prefixes = ["mp_", "ms_", "miosa_pv_"];

    public static string New(GrantKind kind) => Prefixes[(int)kind] + RandomNumberGenerator.GetString(Alphabet, RandomLength);

    /// <summary>Ours by its looks, good or not: such a text never reaches a sandbox.</summary>
    public static bool IsOurs(string text) => Prefixes.Any(p => text.StartsWith(p, StringComparison.Ordinal));

    /// <summary>Null for a text that cannot be one of ours.</summary>
    public static byte[]? HashOf(string text) => text.Length <= MaxLength && IsOurs(text) ? SHA256.HashData(Encoding.UTF8.GetBytes(text)) : null;
}
