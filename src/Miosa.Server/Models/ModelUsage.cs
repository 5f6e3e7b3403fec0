using Microsoft.Data.Sqlite;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Models;

/// <summary>One call of a model that cost something or could have. Written once, when the call ends.</summary>
internal sealed record ModelUsageRow
{
    public long Id { get; init; }
    public required string TenantId { get; init; }

    /// <summary>When it ended, in milliseconds of <see cref="MeterClock"/>.</summary>
    public required long At { get; init; }
    public required string Model { get; init; }
    public required string Provider { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? WorkspaceId { get; init; }
    public required long TokensIn { get; init; }
    public required long TokensOut { get; init; }

    /// <summary>The provider did not count, or the call ended before it did.</summary>
    public required bool IsEstimated { get; init; }

    /// <summary>Millionths of a cent for a thousand tokens.</summary>
    public required long RateIn { get; init; }

    /// <inheritdoc cref="RateIn"/>
    public required long RateOut { get; init; }
}

/// <summary>Calls added up that have these fields in common.</summary>
internal sealed record ModelUse(string? ExternalUserId, string? ExternalProjectId, string? ExternalWorkspaceId, string? WorkspaceId, long RateIn, long RateOut, long Calls, long TokensIn, long TokensOut)
{
    /// <summary>In the unit of <see cref="UsageSum.Cost"/>, exactly: that is why prices are for a thousand tokens.</summary>
    public Int128 Cost => (((Int128)TokensIn * RateIn) + ((Int128)TokensOut * RateOut)) * (UsageSum.MsPerHour / TokensPerRate);

    private const int TokensPerRate = 1000;
}

/// <summary>Usage of models: written call by call, summed beside the spans of machines.</summary>
internal sealed class ModelUsage(Database database, MeterClock clock)
{
    public Task AddAsync(Attribution whose, ModelRoute route, long tokensIn, long tokensOut, bool isEstimated) => database.WriteRowsAsync(
        transaction => transaction.Run(
            "INSERT INTO model_usage (TenantId, At, Model, Provider, ExternalUserId, ExternalProjectId, ExternalWorkspaceId, WorkspaceId, TokensIn, TokensOut, IsEstimated, RateIn, RateOut) "
                + "VALUES ($tenant, $at, $model, $provider, $user, $project, $external, $workspace, $in, $out, $estimated, $ratein, $rateout)",
            ("$tenant", whose.TenantId), ("$at", clock.NowMs), ("$model", route.Model.Name), ("$provider", route.Model.Provider), ("$user", whose.ExternalUserId),
            ("$project", whose.ExternalProjectId), ("$external", whose.ExternalWorkspaceId), ("$workspace", whose.WorkspaceId), ("$in", tokensIn), ("$out", tokensOut),
            ("$estimated", isEstimated), ("$ratein", route.RateIn), ("$rateout", route.RateOut)),
        // What was used is charged, also when the caller has left.
        CancellationToken.None);

    /// <summary>The calls that ended within the period, by whose they are and at what price.</summary>
    public static List<ModelUse> Read(SqliteTransaction transaction, UsageFilter filter, long startMs, long endMs)
    {
        // No machine calls models by itself.
        if (filter.MachineId is not null || endMs <= startMs)
            return [];
        const string Groups = "m.ExternalUserId, m.ExternalProjectId, m.ExternalWorkspaceId, m.WorkspaceId, m.RateIn, m.RateOut";
        return
        [
            .. transaction.Rows(
                $"SELECT {Groups}, COUNT(*), SUM(m.TokensIn), SUM(m.TokensOut) FROM model_usage m WHERE {Rollup.Wanted(filter)} AND m.At >= $start AND m.At < $end GROUP BY {Groups}",
                row => new ModelUse(row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6), row.GetInt64(7), row.GetInt64(8)),
                Rollup.Values(filter, startMs, endMs)),
        ];
    }
}
