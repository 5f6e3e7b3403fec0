using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Miosa;

/// <summary>
/// Signatures of deliveries, made by the server and checked by the SDK. The secret counts as its UTF-8 bytes, prefix included.
/// Plain: HMAC-SHA256 of the body as lower-case hex, alone or behind <c>sha256=</c>. Timed: <c>t=SECONDS,v1=HEX</c> over the time, a dot and
/// the body; after a rotation there is a second <c>v1=</c>, of the secret before.
/// </summary>
internal static class WebhookSignature
{
    public const string PlainHeader = "X-Miosa-Signature";
    public const string TimedHeader = "Miosa-Signature";
    public const string HexHeader = "X-Miosa-Signature-Hex";

    /// <summary>Ours: the plain form with the secret before, during the overlap of a rotation. The other plain headers hold one value only.</summary>
    public const string PreviousHeader = "X-Miosa-Signature-Previous";

    public const string PlainPrefix = "sha256=";

    public static readonly TimeSpan DefaultTolerance = TimeSpan.FromMinutes(5);

    private const string Time = "t=";
    private const string Version1 = "v1=";
    private const int MaxLength = 4096;
    private const long MaxSeconds = 253_402_300_799;

    public static string Plain(ReadOnlySpan<byte> payload, string secret) => Convert.ToHexStringLower(HashOf(payload, secret, seconds: null));

    /// <param name="secrets">The present one first.</param>
    public static string Timed(ReadOnlySpan<byte> payload, long seconds, params ReadOnlySpan<string> secrets)
    {
        var text = new StringBuilder(Time).Append(CultureInfo.InvariantCulture, $"{seconds}");
        foreach (var secret in secrets)
            text.Append(',').Append(Version1).Append(Convert.ToHexStringLower(HashOf(payload, secret, seconds)));
        return text.ToString();
    }

    /// <param name="payload">The body, byte for byte.</param>
    /// <param name="signature">Any of the forms.</param>
    /// <param name="secret">The secret.</param>
    /// <param name="now">What the time of a timed form is compared with.</param>
    /// <param name="tolerance">By how much it may differ, either way; infinite: by any.</param>
    /// <param name="needsTime">Whether a form without a time is no signature at all.</param>
    public static bool Verify(ReadOnlySpan<byte> payload, string signature, string secret, DateTimeOffset now, TimeSpan tolerance, bool needsTime)
    {
        if (signature.Length > MaxLength)
            return false;
        long? seconds = null;
        var timed = new List<byte[]>();
        var plain = new List<byte[]>();
        foreach (var range in signature.AsSpan().Split(','))
        {
            var part = signature.AsSpan(range).Trim();
            if (part.StartsWith(Time, StringComparison.Ordinal))
            {
                if (!long.TryParse(part[Time.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var read) || read > MaxSeconds || seconds is not null)
                    return false;
                seconds = read;
            }
            else if (part.StartsWith(Version1, StringComparison.Ordinal))
            {
                Add(timed, part[Version1.Length..]);
            }
            else
            {
                Add(plain, part.StartsWith(PlainPrefix, StringComparison.Ordinal) ? part[PlainPrefix.Length..] : part);
            }
        }
        if (seconds is not { } at)
            return !needsTime && timed.Count == 0 && Matches(plain, HashOf(payload, secret, seconds: null));
        var isInTime = tolerance == Timeout.InfiniteTimeSpan || Math.Abs(now.ToUnixTimeSeconds() - at) <= tolerance.TotalSeconds;
        return Matches(timed, HashOf(payload, secret, at)) && isInTime;
    }

    private static void Add(List<byte[]> candidates, ReadOnlySpan<char> hex)
    {
        var hash = new byte[SHA256.HashSizeInBytes];
        if (hex.Length == hash.Length * 2 && Convert.FromHexString(hex, hash, out _, out _) == System.Buffers.OperationStatus.Done)
            candidates.Add(hash);
    }

    /// <summary>Each in constant time, and all of them: how long it takes says nothing of the secret.</summary>
    private static bool Matches(List<byte[]> candidates, byte[] expected)
    {
        var found = false;
        foreach (var candidate in candidates)
            found |= CryptographicOperations.FixedTimeEquals(candidate, expected);
        return found;
    }

    private static byte[] HashOf(ReadOnlySpan<byte> payload, string secret, long? seconds)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret));
        if (seconds is { } time)
            hmac.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time}.")));
        hmac.AppendData(payload);
        return hmac.GetHashAndReset();
    }
}
