namespace Miosa.Server.Limits;

/// <summary>What came of asking for a token.</summary>
/// <param name="FullInSec">Seconds until the bucket is full again when nobody asks, rounded up.</param>
/// <param name="WaitSec">Seconds until there is a token, rounded up; 0 when one was given.</param>
internal readonly record struct Taken(bool IsGranted, int Left, int FullInSec, int WaitSec);

/// <summary>
/// A minute's worth of tokens that come back evenly. Of our own and not the TokenBucketRateLimiter of .NET: that one gives its tokens back in
/// steps and tells neither what is left nor when it is full without a second, allocating call; the contract wants both on every answer.
/// </summary>
internal sealed class TokenBucket(int perMinute, TimeProvider time)
{
    private readonly Lock turn = new();
    private readonly double perTick = perMinute / 60.0 / time.TimestampFrequency;
    private double tokens = perMinute;
    private long at = time.GetTimestamp();

    public int Limit => perMinute;

    public string LimitText { get; } = perMinute.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public Taken TryTake() => Ask(cost: 1);

    /// <summary>What <see cref="TryTake"/> would answer; takes nothing.</summary>
    public Taken Look() => Ask(cost: 0);

    /// <summary>Nobody asked for a while: a new one would be the same.</summary>
    public bool IsFull
    {
        get
        {
            lock (turn)
            {
                Refill();
                return tokens >= perMinute;
            }
        }
    }

    private Taken Ask(int cost)
    {
        lock (turn)
        {
            Refill();
            var isGranted = tokens >= 1;
            if (isGranted)
                tokens -= cost;
            return new Taken(isGranted, (int)tokens, Seconds(perMinute - tokens), isGranted ? 0 : Seconds(1 - tokens));
        }
    }

    private void Refill()
    {
        var now = time.GetTimestamp();
        tokens = Math.Min(perMinute, tokens + ((now - at) * perTick));
        at = now;
    }

    private int Seconds(double missing) => (int)Math.Ceiling(missing * 60 / perMinute);
}
