using Microsoft.Data.Sqlite;
using Miosa.Server.Credits;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>
/// What metering does by itself: notes the clock every ten seconds, charges every tenant's usage every <c>--charge-sec</c>, warns of caps on spending,
/// and forgets usage that is older than <c>--usage-days</c>.
/// </summary>
internal sealed partial class MeterLoop(
    Database database, Meter meter, MeterClock clock, QuotaSet quotas, EventLog events, ServerSettings settings, TimeProvider time, ILogger<MeterLoop> log) : BackgroundService
{
    private static readonly TimeSpan NoteEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);
    private const int ForgottenAtOnce = 10_000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var charge = TimeSpan.FromSeconds(settings.ChargeSec);
        var (noteAt, chargeAt, forgetAt) = (TimeSpan.Zero, charge, ForgetEvery);
        var begun = time.GetTimestamp();
        using var timer = new PeriodicTimer(charge < NoteEvery ? charge : NoteEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                // By a clock that nobody sets: a step of the wall clock must not delay a charge.
                var now = time.GetElapsedTime(begun);
                if (now >= noteAt)
                {
                    await database.WriteRowsAsync(meter.CatchUp, stoppingToken);
                    noteAt = now + NoteEvery;
                }
                if (now >= chargeAt)
                {
                    await ChargeAsync(stoppingToken);
                    chargeAt = now + charge;
                }
                if (now >= forgetAt)
                {
                    await ForgetAsync(stoppingToken);
                    forgetAt = now + ForgetEvery;
                }
            }
#pragma warning disable CA1031 // A loop's edge: what was not charged now is charged with the next round.
            catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
            {
                RoundFailed(log, e);
            }
        }
    }

    /// <summary>One transaction for each tenant, so that no other writer waits long.</summary>
    public async Task ChargeAsync(CancellationToken ct)
    {
        var tenants = database.ReadRows(transaction => transaction.Rows("SELECT DISTINCT TenantId FROM usage_meters UNION SELECT DISTINCT TenantId FROM model_usage", row => row.GetString(0)).ToList());
        foreach (var tenant in tenants)
        {
            await database.WriteRowsAsync(
                transaction =>
                {
                    var until = clock.NowMs;
                    var (from, users) = Ledger.Charge(transaction, tenant, until, time.GetUtcNow());
                    Warn(transaction, tenant, from, until, users);
                },
                ct);
        }
    }

    /// <summary>An event for everybody whose spending of this month passed 80 % of its cap by what was just charged.</summary>
    private void Warn(SqliteTransaction transaction, string tenant, long fromMs, long untilMs, IReadOnlyList<string?> users)
    {
        var month = Period.MonthOf(DateTimeOffset.FromUnixTimeMilliseconds(untilMs)).ToUnixTimeMilliseconds();
        var subjects = users.OfType<string>().Select(user => new Subject(QuotaSubject.User, tenant, user))
            .Prepend(new Subject(QuotaSubject.Tenant, tenant, ""));
        foreach (var subject in subjects)
        {
            if (users.Count == 0 || quotas.CapsOf(transaction, tenant, subject.ExternalUserId).MaxCreditCents is not { } most)
                continue;
            var before = fromMs <= month ? 0 : Cents(QuotaSet.Spent(transaction, subject, fromMs));
            var warnings = new List<NewEvent>();
            QuotaGate.Warn(warnings, subject, Caps.CreditCents, most, before, Cents(QuotaSet.Spent(transaction, subject, untilMs)));
            events.Append(transaction, new EventSubject(tenant, tenant) { ExternalUserId = subject.ExternalUserId }, warnings);
        }
    }

    private async Task ForgetAsync(CancellationToken ct)
    {
        var limit = clock.NowMs - (long)TimeSpan.FromDays(settings.UsageDays).TotalMilliseconds;
        foreach (var (table, column) in ((string, string)[])[("usage_spans", "\"To\""), ("model_usage", "At")])
        {
            var count = ForgottenAtOnce;
            while (count == ForgottenAtOnce)
            {
                await database.WriteRowsAsync(
                    transaction => count = transaction.Run(
                        $"DELETE FROM {table} WHERE Id IN (SELECT Id FROM {table} WHERE {column} < $limit LIMIT $count)", ("$limit", limit), ("$count", ForgottenAtOnce)),
                    ct);
            }
        }
    }

    private static double Cents(Int128 cost) => UsageSum.MicroCentsOf(cost) / 1e6;

    [LoggerMessage(Level = LogLevel.Error, Message = "a round of metering failed; the next one makes up for it")]
    private static partial void RoundFailed(ILogger log, Exception exception);
}
