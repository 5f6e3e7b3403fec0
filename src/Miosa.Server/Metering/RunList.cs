using Microsoft.Data.Sqlite;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>A stretch that a machine ran on one meter.</summary>
internal sealed record UsageRun(SpanRow Span, MeterRow Meter);

/// <summary>The runs of machines one by one, newest first.</summary>
internal static class RunList
{
    public static (IReadOnlyList<UsageRun> Runs, int Total) Read(SqliteTransaction transaction, UsageFilter filter, long fromMs, long toMs, int skip, int take)
    {
        var values = Rollup.Values(filter, fromMs, toMs);
        var from = "FROM usage_spans s JOIN usage_meters m ON m.Id = s.MeterId WHERE m.IsRunning AND s.\"To\" > $start AND s.\"From\" < $end AND " + Rollup.Wanted(filter)
            + (filter.MachineId is null ? "" : " AND s.MachineId = $machine");
        var total = transaction.One("SELECT COUNT(*) " + from, row => row.GetInt32(0), values);
        var runs = transaction.Rows(
            Rollup.Meters + "s.Id, s.MachineId, s.\"From\", s.\"To\", s.IsFirst " + from + " ORDER BY s.\"From\" DESC, s.Id DESC LIMIT $take OFFSET $skip",
            row =>
            {
                var meter = Rollup.MeterOf(row, filter.TenantId);
                var span = new SpanRow { Id = row.GetInt64(12), MachineId = row.GetString(13), MeterId = meter.Id, From = row.GetInt64(14), To = row.GetInt64(15), IsFirst = row.GetBoolean(16) };
                return new UsageRun(span, meter);
            },
            [.. values, ("$take", take), ("$skip", skip)]);
        return (runs.ToList(), total);
    }
}
