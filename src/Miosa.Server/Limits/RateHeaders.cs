using System.Globalization;

namespace Miosa.Server.Limits;

/// <summary>The three headers that tell how much of its rate a key has left; on every answer to a good key.</summary>
internal static class RateHeaders
{
    public const string Limit = "X-RateLimit-Limit";
    public const string Remaining = "X-RateLimit-Remaining";
    public const string Reset = "X-RateLimit-Reset";

    public static readonly string[] All = [Limit, Remaining, Reset];

    /// <summary>Reset is when the whole minute's worth is there again, as Unix time.</summary>
    public static void Set(HttpResponse response, TokenBucket bucket, Taken taken, DateTimeOffset now)
    {
        response.Headers[Limit] = bucket.LimitText;
        response.Headers[Remaining] = taken.Left.ToString(CultureInfo.InvariantCulture);
        response.Headers[Reset] = (now.ToUnixTimeSeconds() + taken.FullInSec).ToString(CultureInfo.InvariantCulture);
    }
}
