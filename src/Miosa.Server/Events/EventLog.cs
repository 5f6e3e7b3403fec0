using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Database = Miosa.Server.Storage.Database;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Policies;
using Miosa.Server.Storage;

namespace Miosa.Server.Events;

/// <summary>An event to be written with the change that causes it.</summary>
internal sealed record NewEvent(string Type, JsonObject? Data = null);

/// <summary>
/// The event log: one table, written in the transaction of the change, read by everybody who wants to know. A reader subscribes to
/// the wake-up first, reads from the table after, and so misses nothing; the wake-up itself carries no event.
/// </summary>
internal sealed class EventLog(Database database, MachineCap cap, TimeProvider time) : IDisposable
{
    private readonly RowWriter<Machine> machines = database.Rows<Machine>();
    private readonly RowWriter<EventRow> rows = database.Rows<EventRow>();
    private readonly SqliteCommand count = database.Command(
        "UPDATE tenants SET LastSequence = LastSequence + $count WHERE Id = $tenant RETURNING LastSequence");
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<Wake, byte>> wakes = [];
    private Ulid lastId;

    /// <summary>Writes a machine and its events in one transaction, then wakes the readers.</summary>
    /// <exception cref="CapReachedException">The tenant may have no new one.</exception>
    public async Task CommitAsync(Machine machine, bool isNew, IReadOnlyList<NewEvent> events, CancellationToken ct)
    {
        await database.WriteRowsAsync(
            transaction =>
            {
                if (isNew)
                {
                    cap.Check(machine, transaction);
                    machines.Insert(machine, transaction);
                }
                else
                {
                    machines.Update(machine, transaction);
                }
                Append(transaction, machine.TenantId, machine.Id, machine.State.Wire(), events);
            },
            ct);
        if (events.Count > 0 && wakes.TryGetValue(machine.Id, out var readers))
        {
            foreach (var (wake, _) in readers)
                wake.Signal();
        }
    }

    /// <summary>Writes events that are of no machine, in the transaction of the change that causes them.</summary>
    public void AppendOfTenant(ServerDb db, string tenantId, params IReadOnlyList<NewEvent> events) =>
        Append((SqliteTransaction)(db.Database.CurrentTransaction ?? throw new InvalidOperationException("events are written in a transaction")).GetDbTransaction(), tenantId, machineId: "", status: "", events);

    /// <summary>Runs the write path up to its commit and takes everything back.</summary>
    public async Task RehearseAsync(Machine machine, CancellationToken ct)
    {
        try
        {
            await database.WriteRowsAsync(
                transaction =>
                {
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

    // Runs inside the single write transaction, so neither the sequence nor lastId can race.
    private void Append(SqliteTransaction transaction, string tenant, string machineId, string status, IReadOnlyList<NewEvent> events)
    {
        if (events.Count == 0)
            return;
        var now = time.GetUtcNow();
        count.Transaction = transaction;
        count.Parameters.Clear();
        count.Parameters.AddWithValue("$count", events.Count);
        count.Parameters.AddWithValue("$tenant", tenant);
        var sequence = (long)(count.ExecuteScalar() ?? throw new InvalidOperationException($"tenant \"{tenant}\" has no row")) - events.Count;
        foreach (var item in events)
        {
            var row = new EventRow
            {
                Id = NextId(now),
                TenantId = tenant,
                Sequence = ++sequence,
                MachineId = machineId,
                Type = item.Type,
                Status = status,
                At = now,
                Data = item.Data?.ToJsonString() ?? "{}",
            };
            rows.Insert(row, transaction);
        }
    }

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
