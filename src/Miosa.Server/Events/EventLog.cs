using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Events;

/// <summary>An event to be written with the change that causes it.</summary>
internal sealed record NewEvent(string Type, JsonObject? Data = null);

/// <summary>What events are about: a thing of a tenant, and the names by which they are found.</summary>
internal sealed record EventSubject(string TenantId, string Id)
{
    /// <summary>State of the thing after the events, where it has one.</summary>
    public string? Status { get; init; }
    public string? WorkspaceId { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
}

/// <summary>
/// The event log: one table, written in the transaction of the change, read by everybody who wants to know. A reader subscribes to
/// the wake-up first, reads from the table after, and so misses nothing; the wake-up itself carries no event.
/// </summary>
internal sealed class EventLog(Database database, QuotaGate gate, Meter meter, TimeProvider time) : IDisposable
{
    private readonly RowWriter<Machine> machines = database.Rows<Machine>();
    private readonly RowWriter<EventRow> rows = database.Rows<EventRow>();
    private readonly SqliteCommand count = database.Command(
        "UPDATE tenants SET LastSequence = LastSequence + $count WHERE Id = $tenant RETURNING LastSequence");
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<Wake, byte>> wakes = [];
    private Ulid lastId;

    /// <summary>Writes a machine and its events in one transaction, then wakes the readers. For changes that no cap can stand against.</summary>
    public async Task CommitAsync(Machine machine, bool isNew, IReadOnlyList<NewEvent> events, CancellationToken ct)
    {
        if (await TryCommitAsync(machine, isNew, events, ct) is { } refusal)
            throw new InvalidOperationException($"a change of {machine.Id} that takes nothing more was refused: {refusal.Message}");
    }

    /// <summary>The same for what may be more than the tenant, the user or the workspace may have: then nothing is written.</summary>
    public async Task<Refusal?> TryCommitAsync(Machine machine, bool isNew, IReadOnlyList<NewEvent> events, CancellationToken ct)
    {
        Refusal? refusal = null;
        await database.TryWriteRowsAsync(
            transaction =>
            {
                var warnings = new List<NewEvent>();
                refusal = gate.Check(transaction, machine, warnings);
                if (refusal is not null)
                    return false;
                if (isNew)
                    machines.Insert(machine, transaction);
                else
                    machines.Update(machine, transaction);
                meter.Record(transaction, machine);
                var subject = SubjectOf(machine);
                Append(transaction, subject, events);
                Append(transaction, subject with { Id = machine.TenantId, Status = null }, warnings);
                return true;
            },
            ct);
        return refusal;
    }

    /// <summary>Runs the write path up to its commit and takes everything back.</summary>
    public async Task RehearseAsync(Machine machine, CancellationToken ct)
    {
        try
        {
            await database.WriteRowsAsync(
                transaction =>
                {
                    gate.Check(transaction, machine, []);
                    meter.Record(transaction, machine);
                    machines.Update(machine, transaction);
                    machines.Insert(machine, transaction);
                },
                ct);
        }
        catch (SqliteException)
        {
            // Its tenant does not exist, so the foreign key refuses the row: that is how it is taken back.
        }
    }

    public void Dispose()
    {
        machines.Dispose();
        rows.Dispose();
        count.Dispose();
    }

    public Wake Subscribe(string machineId)
    {
        var wake = new Wake(this, machineId);
        wakes.GetOrAdd(machineId, _ => [])[wake] = 0;
        return wake;
    }

    /// <summary>Events of a machine after a position, oldest first.</summary>
    public async Task<List<EventRow>> AfterAsync(string machineId, long position, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.MachineId == machineId && e.Position > position).OrderBy(e => e.Position).Take(500).ToListAsync(ct);
    }

    /// <summary>The position before the last <paramref name="count"/> events of a machine.</summary>
    public async Task<long> BeforeLastAsync(string machineId, int count, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.MachineId == machineId).OrderByDescending(e => e.Position)
            .Skip(count).Select(e => e.Position).FirstOrDefaultAsync(ct);
    }

    /// <summary>The position of an event id, or null when this machine has no such event.</summary>
    public async Task<long?> PositionAsync(string machineId, string eventId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.Id == eventId && e.MachineId == machineId).Select(e => (long?)e.Position).FirstOrDefaultAsync(ct);
    }

    /// <summary>Writes events in the transaction of the change that causes them; the readers are woken when it is committed.</summary>
    public void Append(SqliteTransaction transaction, EventSubject subject, params IReadOnlyList<NewEvent> events)
    {
        if (events.Count == 0)
            return;
        // Inside the single write transaction, so neither the sequence nor lastId can race.
        var now = time.GetUtcNow();
        count.Transaction = transaction;
        count.Parameters.Clear();
        count.Parameters.AddWithValue("$count", events.Count);
        count.Parameters.AddWithValue("$tenant", subject.TenantId);
        var sequence = (long)(count.ExecuteScalar() ?? throw new InvalidOperationException($"tenant \"{subject.TenantId}\" has no row")) - events.Count;
        foreach (var item in events)
        {
            var row = new EventRow
            {
                Id = NextId(now),
                TenantId = subject.TenantId,
                Sequence = ++sequence,
                MachineId = subject.Id,
                Type = item.Type,
                Status = subject.Status ?? "",
                At = now,
                Data = item.Data?.ToJsonString() ?? "{}",
            };
            rows.Insert(row, transaction);
        }
        database.AfterCommit(() =>
        {
            if (!wakes.TryGetValue(subject.Id, out var readers))
                return;
            foreach (var (wake, _) in readers)
                wake.Signal();
        });
    }

    private static EventSubject SubjectOf(Machine machine) => new(machine.TenantId, machine.Id)
    {
        Status = machine.State.Wire(),
        WorkspaceId = machine.WorkspaceId,
        ExternalUserId = machine.ExternalUserId,
        ExternalProjectId = machine.ExternalProjectId,
        ExternalWorkspaceId = machine.ExternalWorkspaceId,
    };

    /// <summary>Event ids grow strictly, also within a millisecond and when the clock steps back.</summary>
    private string NextId(DateTimeOffset now)
    {
        var id = Ulid.NewUlid(now);
        if (id.CompareTo(lastId) <= 0)
        {
            var bytes = lastId.ToByteArray();
            for (var i = bytes.Length - 1; i >= 0 && ++bytes[i] == 0; i--)
            {
                // The carry moves on to the next byte.
            }
            id = new Ulid(bytes);
        }
        lastId = id;
        return Ids.From("evt", id);
    }

    /// <summary>Wakes one reader; several signals before it looks are one.</summary>
    internal sealed class Wake(EventLog log, string machineId) : IDisposable
    {
        private readonly Channel<byte> channel = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public ValueTask<byte> WaitAsync(CancellationToken ct) => channel.Reader.ReadAsync(ct);

        public void Signal() => channel.Writer.TryWrite(0);

        public void Dispose()
        {
            if (log.wakes.TryGetValue(machineId, out var readers) && readers.TryRemove(this, out _) && readers.IsEmpty)
                log.wakes.TryRemove(KeyValuePair.Create(machineId, readers));
        }
    }
}
