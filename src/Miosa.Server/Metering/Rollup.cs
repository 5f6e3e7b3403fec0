using Microsoft.Data.Sqlite;
using Miosa.Server.Models;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>Whose usage; null fields do not narrow.</summary>
internal sealed record UsageFilter(string TenantId)
{
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? WorkspaceId { get; init; }
    public string? MachineId { get; init; }
}

/// <summary>
/// Adds up spans, clipped to a period. Two ways lead to the same sum: over a long period meter by meter, where the index (meter, end, begin) holds all
/// that a sum needs, without sorting; over a short one by the spans of that time alone, however many meters there are.
/// </summary>
internal static class Rollup
{
    /// <summary>The columns that <see cref="MeterOf"/> reads.</summary>
    public const string Meters = "SELECT m.Id, m.Kind, m.ExternalUserId, m.ExternalProjectId, m.ExternalWorkspaceId, m.WorkspaceId, m.IsRunning, m.Vcpus, m.MemoryMb, m.DiskMb, "
        + "m.ComputeRate, m.StorageRate, ";

    private const string Clipped = "SUM(MIN(s.\"To\", $end) - MAX(s.\"From\", $start))";

    // Also a span that ends as the period begins, and has nothing in it: a machine that lived no millisecond was created all the same.
    private const string Inside = "s.\"To\" >= $start AND s.\"From\" < $end";

    private const long ShortMs = 86_400_000;

    /// <summary>Milliseconds on each meter within the period; meters without any are left out.</summary>
    public static List<(MeterRow Meter, long Ms)> ByMeter(SqliteTransaction transaction, UsageFilter filter, long startMs, long endMs)
    {
        var from = filter.MachineId is not null ? $"{Clipped} FROM usage_spans s CROSS JOIN usage_meters m ON m.Id = s.MeterId WHERE s.MachineId = $machine AND {Inside} AND {Wanted(filter)} GROUP BY m.Id"
            : endMs - startMs <= ShortMs ? $"{Clipped} FROM usage_spans s CROSS JOIN usage_meters m ON m.Id = s.MeterId WHERE {Inside} AND {Wanted(filter)} GROUP BY m.Id"
            : $"(SELECT {Clipped} FROM usage_spans s WHERE s.MeterId = m.Id AND {Inside}) FROM usage_meters m WHERE {Wanted(filter)}";
        return [.. transaction.Rows(Meters + from, row => (Meter: MeterOf(row, filter.TenantId), Ms: row.Number(12) ?? 0), Values(filter, startMs, endMs)).Where(found => found.Ms > 0)];
    }

    /// <summary>The condition on meters; only what is asked for stands in it, so that an index fits.</summary>
    public static string Wanted(UsageFilter filter) => "m.TenantId = $tenant"
        + (filter.ExternalUserId is null ? "" : " AND m.ExternalUserId = $user")
        + (filter.ExternalProjectId is null ? "" : " AND m.ExternalProjectId = $project")
        + (filter.ExternalWorkspaceId is null ? "" : " AND m.ExternalWorkspaceId = $external")
        + (filter.WorkspaceId is null ? "" : " AND m.WorkspaceId = $workspace");

    public static UsageSum Sum(SqliteTransaction transaction, UsageFilter filter, long startMs, long endMs)
    {
        var sum = new UsageSum();
        foreach (var (meter, ms) in ByMeter(transaction, filter, startMs, endMs))
            sum.Add(meter, ms);
        foreach (var use in ModelUsage.Read(transaction, filter, startMs, endMs))
            sum.Add(use);
        return sum;
    }

    /// <summary>The same divided at the given times; the first is the start, the last the end.</summary>
    public static UsageSum[] Divided(SqliteTransaction transaction, UsageFilter filter, IReadOnlyList<DateTimeOffset> bounds, long nowMs)
    {
        var cuts = bounds.Select(b => b.ToUnixTimeMilliseconds()).ToArray();
        var parts = Enumerable.Range(0, cuts.Length - 1).Select(_ => new UsageSum()).ToArray();
        var end = Math.Min(cuts[^1], nowMs);
        var values = Values(filter, cuts[0], end);
        var meters = transaction.Rows(Meters + $"0 FROM usage_meters m WHERE {Wanted(filter)}", row => MeterOf(row, filter.TenantId), values).ToDictionary(meter => meter.Id);
        var spans = $"SELECT s.MeterId, s.\"From\", s.\"To\", s.IsFirst FROM usage_meters m CROSS JOIN usage_spans s WHERE s.MeterId = m.Id AND {Inside} AND {Wanted(filter)}";
        foreach (var (meterId, from, to, isFirst) in transaction.Rows(spans, row => (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetBoolean(3)), values))
        {
            var meter = meters[meterId];
            var until = Math.Min(to, end);
            var at = Array.BinarySearch(cuts, Math.Max(from, cuts[0]));
            at = at < 0 ? ~at - 1 : at;
            if (isFirst && from >= cuts[0])
                parts[at].AddCreated(meter);
            for (; at < parts.Length && cuts[at] < until; at++)
                parts[at].Add(meter, Math.Min(until, cuts[at + 1]) - Math.Max(from, cuts[at]));
        }
        for (var at = 0; at < parts.Length; at++)
        {
            foreach (var use in ModelUsage.Read(transaction, filter, cuts[at], Math.Min(cuts[at + 1], end)))
                parts[at].Add(use);
        }
        return parts;
    }

    public static MeterRow MeterOf(SqliteDataReader row, string tenant) => new()
    {
        Id = row.GetInt64(0),
        TenantId = tenant,
        Kind = row.GetString(1),
        ExternalUserId = row.Text(2),
        ExternalProjectId = row.Text(3),
        ExternalWorkspaceId = row.Text(4),
        WorkspaceId = row.Text(5),
        IsRunning = row.GetBoolean(6),
        Vcpus = row.GetInt32(7),
        MemoryMb = row.GetInt32(8),
        DiskMb = row.GetInt32(9),
        ComputeRate = row.GetInt64(10),
        StorageRate = row.GetInt64(11),
    };

    public static (string, object?)[] Values(UsageFilter filter, long startMs, long endMs) =>
    [
        ("$tenant", filter.TenantId), ("$user", filter.ExternalUserId), ("$project", filter.ExternalProjectId), ("$external", filter.ExternalWorkspaceId),
        ("$workspace", filter.WorkspaceId), ("$machine", filter.MachineId), ("$start", startMs), ("$end", endMs),
    ];
}
