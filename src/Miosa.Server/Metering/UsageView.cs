using Miosa.Server.Host;
using Miosa.Server.Models;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>Sums and series of usage as every group tells them. Nothing after now is counted, however far a period reaches.</summary>
internal sealed class UsageView(Database database, MeterClock clock)
{
    public (Period? Period, Refusal? Refusal) PeriodOf(HttpContext context, string standard) => Period.Read(context.Request.Query, clock.Now, standard);

    /// <summary>The answer for the period that is asked for, or the refusal that names what is wrong with it.</summary>
    public IResult Over(HttpContext context, string standard, Func<HttpContext, Period, IResult> answer) =>
        PeriodOf(context, standard) is var (period, refusal) && period is not null ? answer(context, period) : Reply.Refuse(refusal ?? Refusal.Internal());

    public UsageSum Sum(UsageFilter filter, Period period) => database.ReadRows(transaction => Rollup.Sum(transaction, filter, period.StartMs, Math.Min(period.EndMs, clock.NowMs)));

    public List<(MeterRow Meter, long Ms)> ByMeter(UsageFilter filter, Period period) =>
        database.ReadRows(transaction => Rollup.ByMeter(transaction, filter, period.StartMs, Math.Min(period.EndMs, clock.NowMs)));

    public List<ModelUse> OfModels(UsageFilter filter, Period period) =>
        database.ReadRows(transaction => ModelUsage.Read(transaction, filter, period.StartMs, Math.Min(period.EndMs, clock.NowMs)));

    /// <summary>The sum of each part of the period.</summary>
    public UsageSum[] Parts(UsageFilter filter, IReadOnlyList<DateTimeOffset> bounds) => database.ReadRows(transaction => Rollup.Divided(transaction, filter, bounds, clock.NowMs));

    /// <summary>The whole and its buckets, which add up to it.</summary>
    public (UsageSum Total, IReadOnlyList<UsagePoint> Series) Series(UsageFilter filter, Period period, string granularity)
    {
        var bounds = period.Bounds(granularity);
        var parts = Parts(filter, bounds);
        var total = new UsageSum();
        foreach (var part in parts)
            total.Add(part);
        var cut = new UsageSeries();
        return (total, [.. parts.Select((part, at) => cut.Next(bounds[at], bounds[at + 1], part))]);
    }
}
