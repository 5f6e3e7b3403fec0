using Miosa.Server.Metering;

namespace Miosa.Server.Quotas;

/// <summary>
/// Sums of what somebody spent or has left, for two seconds: a month of calls is not added up for each call. Only sums are kept here, no caps and no
/// refusals: a cap that is changed holds at once, and what a sum may lack is what those two seconds cost.
/// </summary>
internal sealed class SpendingMemo(MeterClock clock)
{
    private const long GoodForMs = 2000;

    /// <summary>Names of users are their tenants' to choose, as many as they like.</summary>
    private const int Most = 10_000;

    private readonly Lock gate = new();
    private readonly Dictionary<(Subject Whose, bool IsBalance), (long AtMs, long MicroCents)> sums = [];

    public long Spent(Subject subject, Func<long> sum) => Of((subject, IsBalance: false), sum);

    /// <summary>An empty one is looked at anew every time, so that a grant holds at once.</summary>
    public long Balance(Subject subject, Func<long> sum) => Of((subject, IsBalance: true), sum);

    private long Of((Subject Whose, bool IsBalance) key, Func<long> sum)
    {
        // Before the sum is made: it is that old.
        var now = clock.NowMs;
        lock (gate)
        {
            if (sums.TryGetValue(key, out var known) && now - known.AtMs < GoodForMs)
                return known.MicroCents;
        }
        var made = sum();
        if (key.IsBalance && made <= 0)
            return made;
        lock (gate)
        {
            if (sums.Count >= Most)
                sums.Clear();
            sums[key] = (now, made);
        }
        return made;
    }
}
