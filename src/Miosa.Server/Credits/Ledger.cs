using Microsoft.Data.Sqlite;
using Miosa.Server.Host;
using Miosa.Server.Metering;
using Miosa.Server.Models;
using Miosa.Server.Storage;

namespace Miosa.Server.Credits;

/// <summary>What a tenant has and had, in millionths of a cent.</summary>
internal sealed record CreditStanding(long Balance, long Earned, DateTimeOffset? UpdatedAt)
{
    /// <summary>Everything that was taken away: earned less balance.</summary>
    public long Spent => Earned - Balance;
}

/// <summary>
/// The credits of tenants: entries that are only added, each with the sum up to it. Usage is charged every <c>--charge-sec</c>: one transaction adds the
/// cost of all time since the last charge and moves the mark. What was used since that mark counts in every balance as if it had been charged.
/// </summary>
internal static class Ledger
{
    private const long MsPerHour = 3_600_000;
    private const long MicroPerCent = 1_000_000;

    /// <summary>Whole credits of an amount, cut towards less: a balance never looks larger than it is.</summary>
    public static long CreditsOf(long microCents) => (long)Math.Floor((decimal)microCents / MicroPerCent);

    public static CreditRow Add(SqliteTransaction transaction, string tenant, string kind, long microCents, string description, DateTimeOffset at, (long From, long To)? charged = null)
    {
        var row = new CreditRow
        {
            Id = Ids.New("tx"),
            TenantId = tenant,
            Kind = kind,
            Amount = microCents,
            BalanceAfter = checked(EntriesOf(transaction, tenant) + microCents),
            Description = description,
            From = charged?.From,
            To = charged?.To,
            At = at,
        };
        transaction.Run(
            "INSERT INTO credit_entries (Id, TenantId, Kind, Amount, BalanceAfter, Description, \"From\", \"To\", At) VALUES ($id, $tenant, $kind, $amount, $balance, $description, $from, $to, $at)",
            ("$id", row.Id),
            ("$tenant", tenant),
            ("$kind", kind),
            ("$amount", row.Amount),
            ("$balance", row.BalanceAfter),
            ("$description", description),
            ("$from", row.From),
            ("$to", row.To),
            ("$at", at.ToUnixTimeMilliseconds()));
        return row;
    }

    /// <summary>
    /// Charges the tenant's usage up to a moment that is past on the meter clock. Charging twice up to the same moment adds nothing. Gives the external
    /// users, null among them, for whom something was used since the last time, and when that was.
    /// </summary>
    public static (long FromMs, IReadOnlyList<string?> Users) Charge(SqliteTransaction transaction, string tenant, long untilMs, DateTimeOffset at)
    {
        var (from, remainder) = Mark(transaction, tenant);
        if (untilMs <= from)
            return (from, []);
        var used = Rollup.ByMeter(transaction, new UsageFilter(tenant), from, untilMs);
        var models = ModelUsage.Read(transaction, new UsageFilter(tenant), from, untilMs);
        var ofModels = models.Aggregate((Int128)0, (sum, use) => sum + use.Cost);
        var cost = used.Aggregate(remainder + ofModels, (sum, run) => sum + ((Int128)run.Ms * (run.Meter.ComputeRate + run.Meter.StorageRate)));
        // Two entries, and together exactly the whole: what is lost by cutting the one is in the other.
        var wholeOfModels = (long)((used.Count == 0 ? cost : ofModels) / MsPerHour);
        var whole = (long)(cost / MsPerHour) - wholeOfModels;
        if (whole > 0)
            Add(transaction, tenant, CreditKind.Usage, -whole, "machine time and disks", at, (from, untilMs));
        if (wholeOfModels > 0)
            Add(transaction, tenant, CreditKind.Usage, -wholeOfModels, "language models", at, (from, untilMs));
        transaction.Run(
            "INSERT INTO credit_charged (TenantId, UntilMs, Remainder) VALUES ($tenant, $until, $rest) ON CONFLICT (TenantId) DO UPDATE SET UntilMs = $until, Remainder = $rest",
            ("$tenant", tenant),
            ("$until", untilMs),
            ("$rest", (long)(cost % MsPerHour)));
        return (from, [.. used.Select(run => run.Meter.ExternalUserId).Union(models.Select(use => use.ExternalUserId))]);
    }

    public static CreditStanding StandingOf(SqliteTransaction transaction, string tenant, long nowMs)
    {
        var earned = transaction.One("SELECT SUM(Amount) FROM credit_entries WHERE TenantId = $tenant AND Kind <> 'usage' AND Amount > 0", row => row.Number(0), ("$tenant", tenant)) ?? 0;
        var last = transaction.One("SELECT At FROM credit_entries WHERE TenantId = $tenant ORDER BY Position DESC LIMIT 1", row => row.Number(0), ("$tenant", tenant));
        return new CreditStanding(BalanceOf(transaction, tenant, nowMs), earned, last is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null);
    }

    public static long BalanceOf(SqliteTransaction transaction, string tenant, long nowMs)
    {
        var (from, remainder) = Mark(transaction, tenant);
        var cost = (Int128)remainder + Rollup.Sum(transaction, new UsageFilter(tenant), from, Math.Max(from, nowMs)).Cost;
        return EntriesOf(transaction, tenant) - (long)(cost / MsPerHour);
    }

    private static long EntriesOf(SqliteTransaction transaction, string tenant) => transaction.One(
        "SELECT BalanceAfter FROM credit_entries WHERE TenantId = $tenant ORDER BY Position DESC LIMIT 1", row => row.GetInt64(0), ("$tenant", tenant));

    private static (long UntilMs, long Remainder) Mark(SqliteTransaction transaction, string tenant) =>
        transaction.One("SELECT UntilMs, Remainder FROM credit_charged WHERE TenantId = $tenant", row => (row.GetInt64(0), row.GetInt64(1)), ("$tenant", tenant));
}
