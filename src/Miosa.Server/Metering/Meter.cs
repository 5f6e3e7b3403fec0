using Microsoft.Data.Sqlite;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Metering;

/// <summary>
/// Writes spans, always in the transaction of the change that begins or ends them. At any moment a machine that runs or is paused has exactly one
/// open span (an index of the table forbids a second), and any other has none. What lies before now never changes any more.
/// </summary>
internal sealed class Meter(MeterClock clock, Prices prices)
{
    /// <summary>Ends the machine's span and begins another when its state, size, price or attribution is not the span's any more.</summary>
    public void Record(SqliteTransaction transaction, Machine machine)
    {
        var open = OpenSpan(transaction, machine.Id);
        var wanted = prices.MeterOf(machine) is { } meter ? MeterId(transaction, meter) : (long?)null;
        if (open?.MeterId == wanted)
            return;
        var now = clock.NowMs;
        if (open is not null)
            transaction.Run("UPDATE usage_spans SET \"To\" = MAX(\"From\", $now) WHERE Id = $id", ("$now", now), ("$id", open.Id));
        if (wanted is { } id)
            Open(transaction, machine.Id, id, now, isFirst: open is null && !HasSpan(transaction, machine.Id));
        clock.Note(transaction);
    }

    /// <summary>
    /// What a start has to put right: the time between the host's last moment and now was nobody's; machines of a build without meters have no span yet;
    /// prices may have changed.
    /// </summary>
    public void Begin(SqliteTransaction transaction, IReadOnlyList<Machine> machines)
    {
        if (clock.Resume(transaction) is { } hostEndedAt)
            Cut(transaction, hostEndedAt);
        foreach (var machine in machines)
            Record(transaction, machine);
    }

    /// <summary>Follows a wall clock that is ahead. The time that is left out did not pass, or the host slept through it.</summary>
    public void CatchUp(SqliteTransaction transaction)
    {
        if (clock.LagMs is { } lag)
        {
            var end = clock.NowMs;
            clock.JumpBy(lag);
            Cut(transaction, end);
        }
        clock.Note(transaction);
    }

    /// <summary>Ends all open spans at a time and goes on from now.</summary>
    private void Cut(SqliteTransaction transaction, long endMs)
    {
        var now = clock.NowMs;
        var open = transaction.Rows(
            "SELECT MachineId, MeterId FROM usage_spans WHERE \"To\" = 9223372036854775807", row => (Machine: row.GetString(0), Meter: row.GetInt64(1))).ToList();
        // Never before it began.
        transaction.Run("UPDATE usage_spans SET \"To\" = MAX(\"From\", $end) WHERE \"To\" = 9223372036854775807", ("$end", endMs));
        foreach (var (machine, meter) in open)
            Open(transaction, machine, meter, now, isFirst: false);
    }

    private static void Open(SqliteTransaction transaction, string machine, long meter, long from, bool isFirst) => transaction.Run(
        "INSERT INTO usage_spans (MachineId, MeterId, \"From\", \"To\", IsFirst) VALUES ($machine, $meter, $from, $open, $first)",
        ("$machine", machine),
        ("$meter", meter),
        ("$from", from),
        ("$open", SpanRow.Open),
        ("$first", isFirst));

    private static OpenRow? OpenSpan(SqliteTransaction transaction, string machine) => transaction.One(
        // The bare number: only with it does SQLite see that the index of open spans fits.
        "SELECT Id, MeterId FROM usage_spans WHERE MachineId = $machine AND \"To\" = 9223372036854775807",
        row => new OpenRow(row.GetInt64(0), row.GetInt64(1)),
        ("$machine", machine));

    private static bool HasSpan(SqliteTransaction transaction, string machine) =>
        transaction.One("SELECT 1 FROM usage_spans WHERE MachineId = $machine LIMIT 1", row => true, ("$machine", machine));

    private static long MeterId(SqliteTransaction transaction, MeterRow meter)
    {
        ReadOnlySpan<(string, object?)> values =
        [
            ("$tenant", meter.TenantId), ("$kind", meter.Kind), ("$user", meter.ExternalUserId), ("$project", meter.ExternalProjectId), ("$external", meter.ExternalWorkspaceId),
            ("$workspace", meter.WorkspaceId), ("$running", meter.IsRunning), ("$vcpus", meter.Vcpus), ("$memory", meter.MemoryMb), ("$disk", meter.DiskMb),
            ("$compute", meter.ComputeRate), ("$storage", meter.StorageRate),
        ];
        return transaction.One(
                "SELECT Id FROM usage_meters WHERE TenantId = $tenant AND ExternalUserId IS $user AND Vcpus = $vcpus AND MemoryMb = $memory AND DiskMb = $disk AND IsRunning = $running "
                    + "AND Kind = $kind AND ExternalProjectId IS $project AND ExternalWorkspaceId IS $external AND WorkspaceId IS $workspace AND ComputeRate = $compute AND StorageRate = $storage",
                row => (long?)row.GetInt64(0),
                values)
            ?? transaction.One(
                "INSERT INTO usage_meters (TenantId, Kind, ExternalUserId, ExternalProjectId, ExternalWorkspaceId, WorkspaceId, IsRunning, Vcpus, MemoryMb, DiskMb, ComputeRate, StorageRate) "
                    + "VALUES ($tenant, $kind, $user, $project, $external, $workspace, $running, $vcpus, $memory, $disk, $compute, $storage) RETURNING Id",
                row => row.GetInt64(0),
                values);
    }

    private sealed record OpenRow(long Id, long MeterId);
}
