using CsCheck;
using Miosa.Server.Credits;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>That time is counted once: by the meter, in any division, over restarts, reboots and steps of the clock.</summary>
public sealed class MeterTests
{
    private enum Event
    {
        Pass,
        Run,
        Pause,
        Destroy,
        Resize,
        Reassign,
        StepBack,
        StepForward,
        Note,
        Restart,
        Reboot,
    }

    // Time passes far more often than anything happens to clocks and hosts.
    private static readonly Gen<(Event What, int Machine, int Amount)> AnyEvent = Gen.Select(
        Gen.Frequency(
            (8, Gen.Const(Event.Pass)), (4, Gen.Const(Event.Run)), (3, Gen.Const(Event.Pause)), (2, Gen.Const(Event.Destroy)), (2, Gen.Const(Event.Resize)), (2, Gen.Const(Event.Reassign)),
            (1, Gen.Const(Event.StepBack)), (1, Gen.Const(Event.StepForward)), (1, Gen.Const(Event.Note)), (1, Gen.Const(Event.Restart)), (1, Gen.Const(Event.Reboot))),
        Gen.Int[0, 3],
        Gen.Int[1, 10_000_000]);

    private static readonly Gen<(Event What, int Machine, int Amount)[]> AnyHistory = AnyEvent.Array[5, 60];

    [Fact]
    public void Every_millisecond_is_counted_once_and_any_division_adds_up_to_the_whole()
    {
        Gen.Select(AnyHistory, Gen.Double[0, 1].Array[0, 12]).Sample(
            (events, cuts) =>
            {
                using var history = new MeteredHistory();
                foreach (var (what, machine, amount) in events)
                    Apply(history, what, "sbx_" + machine, amount);
                history.Pass(1234);

                var (start, end) = (history.StartMs, history.MeterClock.NowMs);
                var whole = history.Sum(start, end);
                var passed = new UsageSum();
                foreach (var (user, sum) in history.Passed)
                {
                    passed.Add(sum);
                    if (user.Length > 0)
                        Same(sum, history.Sum(start, end, user), $"of {user}");
                }
                Same(passed, whole, "in all");

                var bounds = cuts.Select(cut => start + (long)((end - start) * cut)).Append(start).Append(end).Distinct().Order().ToList();
                var parts = new UsageSum();
                foreach (var (from, to) in bounds.Zip(bounds.Skip(1)))
                    parts.Add(history.Sum(from, to));
                Same(whole, parts, "in parts");
                var divided = history.Database.ReadRows(transaction =>
                    Rollup.Divided(transaction, new UsageFilter(MeteredHistory.Tenant), [.. bounds.Select(DateTimeOffset.FromUnixTimeMilliseconds)], end));
                var added = new UsageSum();
                Array.ForEach(divided, added.Add);
                Same(whole, added, "divided");

                var overlaps = history.Database.ReadRows(transaction => transaction.One(
                    "SELECT COUNT(*) FROM usage_spans a JOIN usage_spans b ON a.MachineId = b.MachineId AND a.Id < b.Id AND a.\"From\" < b.\"To\" AND b.\"From\" < a.\"To\" WHERE a.\"To\" > a.\"From\"",
                    row => row.GetInt32(0)));
                Assert.Equal(0, overlaps);
                Assert.Equal(0, history.Database.ReadRows(transaction => transaction.One("SELECT COUNT(*) FROM usage_spans WHERE \"To\" < \"From\"", row => row.GetInt32(0))));
            },
            iter: 150,
            threads: 1);
    }

    [Fact]
    public void A_clock_that_is_set_back_loses_and_doubles_nothing()
    {
        using var history = new MeteredHistory();
        history.Change("sbx_1", Running);
        history.Pass(600_000);
        history.Clock.Step(-3_600_000);
        history.Pass(600_000);
        history.Restart();
        history.Pass(600_000);
        history.Change("sbx_1", machine => machine with { State = MachineState.Destroyed });
        history.Pass(600_000);

        Assert.Equal(1_800_000, history.Sum(0, long.MaxValue).SandboxMs);
    }

    [Fact]
    public void A_clock_that_is_set_forward_adds_nothing_and_is_followed()
    {
        using var history = new MeteredHistory();
        history.Change("sbx_1", Running);
        history.Pass(60_000);
        history.Clock.Step(86_400_000);
        history.Pass(60_000);
        history.Note();
        history.Pass(60_000);

        Assert.Equal(180_000, history.Sum(0, long.MaxValue).SandboxMs);
        Assert.Equal(history.Clock.GetUtcNow(), history.MeterClock.Now);
    }

    [Fact]
    public void While_the_host_was_off_nobody_used_it_and_while_the_server_was_away_the_machines_ran()
    {
        using var history = new MeteredHistory();
        history.Change("sbx_1", Running);
        history.Pass(60_000);
        history.Clock.Pass(30_000);
        history.Restart();
        Assert.Equal(90_000, history.Sum(0, long.MaxValue).SandboxMs);

        history.Reboot(7_200_000);
        history.Pass(10_000);
        Assert.Equal(100_000, history.Sum(0, long.MaxValue).SandboxMs);
    }

    [Fact]
    public void A_new_price_counts_from_its_start_and_changes_no_past()
    {
        using var history = new MeteredHistory { Prices = new Prices(3_600_000, 0, 0) };
        history.Restart();
        history.Change("sbx_1", Running);
        history.Pass(3_600_000);
        Assert.Equal(3_600_000, UsageSum.MicroCentsOf(history.Sum(0, long.MaxValue).Cost));

        history.Prices = new Prices(7_200_000, 0, 0);
        history.Restart();
        history.Pass(1_800_000);

        Assert.Equal(3_600_000 + 3_600_000, UsageSum.MicroCentsOf(history.Sum(0, long.MaxValue).Cost));
    }

    [Fact]
    public void Charges_add_up_to_the_cost_however_often_they_are_made_and_repeated()
    {
        Gen.Select(Gen.Int[1, 5_000_000].Array[1, 20], Gen.Int[0, 1_000_000_000]).Sample(
            (steps, price) =>
            {
                using var history = new MeteredHistory { Prices = new Prices(price, 1_600_000, 10_000) };
                history.Restart();
                history.Change("sbx_1", Running);
                foreach (var step in steps)
                {
                    history.Pass(step);
                    Charge(history);
                    Charge(history);
                }
                var (cost, entries) = (UsageSum.MicroCentsOf(history.Sum(0, long.MaxValue).Cost), Entries(history));
                Assert.Equal(-cost, entries.Sum(entry => entry.Amount));
                Assert.Equal(-cost, history.Database.ReadRows(transaction => Ledger.BalanceOf(transaction, MeteredHistory.Tenant, history.MeterClock.NowMs)));
                // What is told in whole credits adds up, too.
                Assert.Equal(Ledger.CreditsOf(-cost), entries.Sum(entry => CreditEndpoints.Of(entry).Amount));
            },
            iter: 40,
            threads: 1);
    }

    [Fact]
    public void What_was_not_charged_yet_counts_in_the_balance()
    {
        using var history = new MeteredHistory { Prices = new Prices(3_600_000_000, 0, 0) };
        history.Restart();
        history.Write(transaction => Ledger.Add(transaction, MeteredHistory.Tenant, CreditKind.Grant, 10_000_000, "g", DateTimeOffset.UnixEpoch));
        history.Change("sbx_1", Running);
        history.Pass(4000);

        var standing = history.Database.ReadRows(transaction => Ledger.StandingOf(transaction, MeteredHistory.Tenant, history.MeterClock.NowMs));

        Assert.Equal((6_000_000, 10_000_000, 4_000_000), (standing.Balance, standing.Earned, standing.Spent));
    }

    [Fact]
    public void An_entry_of_the_ledger_can_be_neither_changed_nor_deleted()
    {
        using var history = new MeteredHistory();
        history.Write(transaction => Ledger.Add(transaction, MeteredHistory.Tenant, CreditKind.Grant, 5, "g", DateTimeOffset.UnixEpoch));
        foreach (var sql in (string[])["UPDATE credit_entries SET Amount = 6", "DELETE FROM credit_entries"])
            Assert.Contains("ledger", Assert.ThrowsAny<Exception>(() => history.Write(transaction => transaction.Run(sql))).ToString(), StringComparison.Ordinal);
        Assert.Equal(5, Entries(history).Single().Amount);
    }

    [Fact]
    public void The_whole_numbers_of_a_series_add_up_to_those_of_its_total()
    {
        Gen.Int[0, 40_000].Array[1, 50].Sample(
            amounts =>
            {
                var meter = new Prices(5_000_000, 0, 0).MeterOf(new Machine { Id = "m", TenantId = "t", OwnerId = "o", NodeId = "n", Slug = "s", Image = "i", Vcpus = 3, State = MachineState.Running })
                    ?? throw new InvalidOperationException("it runs");
                var (total, series) = (new UsageSum(), new UsageSeries());
                var points = amounts.Select(ms =>
                {
                    var part = new UsageSum();
                    part.Add(meter, ms * 977L);
                    total.Add(part);
                    return series.Next(default, default, part);
                }).ToList();
                Assert.Equal(UsageSum.CentsOf(total.Cost), points.Sum(point => point.CreditCents));
                Assert.Equal(UsageSum.SecondsOf(total.SandboxMs), points.Sum(point => point.SandboxSeconds));
                Assert.All(points, point => Assert.True(point.CreditCents >= 0));
            },
            iter: 300,
            threads: 1);
    }

    private static Machine Running(Machine machine) => machine with { State = MachineState.Running };

    private static void Apply(MeteredHistory history, Event what, string machine, int amount)
    {
        switch (what)
        {
            case Event.Pass:
                history.Pass(amount);
                break;
            case Event.Run:
                history.Change(machine, Running);
                break;
            case Event.Pause:
                history.Change(machine, m => m with { State = MachineState.Paused });
                break;
            case Event.Destroy:
                history.Change(machine, m => m with { State = MachineState.Destroyed });
                break;
            case Event.Resize:
                history.Change(machine, m => m with { Vcpus = 1 + (amount % 16), MemoryMb = 128 * (1 + (amount % 100)), DiskMb = 512 * (1 + (amount % 50)) });
                break;
            case Event.Reassign:
                history.Change(machine, m => m with { ExternalUserId = "user " + (amount % 3) });
                break;
            case Event.StepBack:
                history.Clock.Step(-amount);
                break;
            case Event.StepForward:
                history.Clock.Step(amount);
                break;
            case Event.Note:
                history.Note();
                break;
            case Event.Restart:
                history.Restart();
                break;
            case Event.Reboot:
                history.Reboot(amount);
                break;
        }
    }

    private static void Same(UsageSum expected, UsageSum actual, string what) => Assert.Equal(
        (what, expected.SandboxMs, expected.SandboxVcpuMs, expected.Exact.MemoryMbMs, expected.Exact.DiskMbMs, expected.Cost),
        (what, actual.SandboxMs, actual.SandboxVcpuMs, actual.Exact.MemoryMbMs, actual.Exact.DiskMbMs, actual.Cost));

    private static void Charge(MeteredHistory history) =>
        history.Write(transaction => Ledger.Charge(transaction, MeteredHistory.Tenant, history.MeterClock.NowMs, DateTimeOffset.UnixEpoch));

    private static List<CreditRow> Entries(MeteredHistory history)
    {
        using var db = history.Database.Read();
        return [.. db.Credits.OrderBy(entry => entry.Position)];
    }
}
