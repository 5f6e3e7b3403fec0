namespace Miosa.Http;

/// <summary>Whether a failed call is sent again, and after how long: a pure decision apart from the jitter.</summary>
internal static class Retry
{
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>Null: give up.</summary>
    public static TimeSpan? Wait(Call call, MiosaException failure, int retries)
    {
        var again = failure switch
        {
            ConnectionException { NeverSent: true } => true,
            ConnectionException => call.Repeat == Repeat.Freely,
            // Refused before it began; the contract forbids both once work has begun.
            { StatusCode: 429 or 503 } => true,
            { StatusCode: 500 or 502 or 504 } => call.Repeat == Repeat.Freely,
            _ => false,
        };
        if (!again || call.Upload is { CanBeSent: false })
            return null;
        return failure.Wait is { } asked ? Min(asked, LongestWait) : BackOff(retries);
    }

    /// <summary>0.5 s doubled with every retry, plus up to 0.5 s so that clients which failed together do not return together.</summary>
    public static TimeSpan BackOff(int retries)
        => Min(TimeSpan.FromSeconds((0.5 * Math.Pow(2, Math.Min(retries, 10))) + (Random.Shared.NextDouble() * 0.5)), LongestWait);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
