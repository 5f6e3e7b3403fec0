using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Miosa.Server.Keys;

/// <summary>The text of an API key: <c>msk_live_</c> and 32 random bytes in base 62. Only its hash is stored.</summary>
internal static class KeyText
{
    public const string Start = "msk_live_";

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static readonly SearchValues<char> AlphabetValues = SearchValues.Create(Alphabet);

    /// <summary>62^43 exceeds 2^256, so 43 characters hold 32 bytes.</summary>
    private const int RandomLength = 43;
    private const int PrefixLength = 8;

    public static string New() => Start + RandomNumberGenerator.GetString(Alphabet, RandomLength);

    public static bool IsWellFormed(string text) =>
        text.Length == Start.Length + RandomLength
        && text.StartsWith(Start, StringComparison.Ordinal)
        && !text.AsSpan(Start.Length).ContainsAnyExcept(AlphabetValues);

    /// <summary>What the row is found by, and what people see in lists.</summary>
    public static string Prefix(string text) => text[..(Start.Length + PrefixLength)];

    public static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
