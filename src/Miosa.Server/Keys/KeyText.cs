using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Miosa.Server.Keys;

/// <summary>The text of an API key: a start that tells its kind, and 32 random bytes in base 62. Only its hash is stored.</summary>
internal static class KeyText
{
    public const string Start = "msk_live_";
    public const string AdminStart = "msk_a_";
    public const string PlatformStart = "msk_p_";
    public const string ScopedStart = "msk_l2_";

    /// <summary>What does not begin so is a token.</summary>
    public const string AnyStart = "msk_";

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static readonly SearchValues<char> AlphabetValues = SearchValues.Create(Alphabet);
    private static readonly string[] Starts = [Start, AdminStart, PlatformStart, ScopedStart];

    /// <summary>62^43 exceeds 2^256, so 43 characters hold 32 bytes.</summary>
    private const int RandomLength = 43;
    private const int PrefixLength = 8;

    public static string New(string start) => start + RandomNumberGenerator.GetString(Alphabet, RandomLength);

    public static bool IsWellFormed(string text) => StartOf(text) is { } start
        && text.Length == start.Length + RandomLength
        && !text.AsSpan(start.Length).ContainsAnyExcept(AlphabetValues);

    /// <summary>What the row is found by, and what people see in lists; of a well-formed text.</summary>
    public static string Prefix(string text) => text[..((StartOf(text)?.Length ?? 0) + PrefixLength)];

    public static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string? StartOf(string text) => Array.Find(Starts, start => text.StartsWith(start, StringComparison.Ordinal));
}
