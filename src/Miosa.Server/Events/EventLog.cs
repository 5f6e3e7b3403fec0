using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Previews;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;
using static Microsoft.EntityFrameworkCore.Storage.DbContextTransactionExtensions;

namespace Miosa.Server.Events;

/// <summary>An event to be written with the change that causes it.</summary>
internal sealed record NewEvent(string Type, JsonObject? Data = null);

/// <summary>What events are about: a thing of a tenant, and the names by which filters, webhooks and usage find its events.</summary>
internal sealed record EventSubject(string TenantId, string Id)
{
    /// <summary>State of the thing after the events, where it has one.</summary>
    public string? Status { get; init; }
    public string? WorkspaceId { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>What else every event of it tells under <c>data</c>.</summary>
    public JsonObject? Fields { get; init; }
}

/// <summary>
/// The event log: one table, written in the transaction of the change, read by everybody who wants to know. A reader subscribes to
/// the wake-up first, reads from the table after, and so misses nothing; the wake-up itself carries no event.
/// </summary>
internal sealed class EventLog(Database database, QuotaGate gate, Meter meter, PreviewView previews, TimeProvider time) : IDisposable
{
    /// <summary>Rows read at a time.</summary>
    public const int PageLength = 500;

    /// <summary>Metadata beyond this is left out of events: the Go client gives up at a line of 64 KiB, sandbox streams promise 32.</summary>
    private const int MaxMetadata = 16 * 1024;

    private const string IdStart = "evt_";

    private readonly RowWriter<Machine> machines = database.Rows<Machine>();
    private readonly RowWriter<EventRow> rows = database.Rows<EventRow>();
    private readonly SqliteCommand count = database.Command(
        "UPDATE tenants SET LastSequence = LastSequence + $count WHERE Id = $tenant RETURNING LastSequence");
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<Wake, byte>> wakes = [];
    private readonly ArrayBufferWriter<byte> json = new(1024);
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
                Append(transaction, subject with { Id = machine.TenantId, Status = null, Fields = null }, warnings);
                return true;
            },
            ct);
        return refusal;
    }

    /// <summary>Writes events in the transaction of the change that causes them; the readers are woken when it is committed.</summary>
    public void Append(ServerDb db, EventSubject subject, params IReadOnlyList<NewEvent> events) =>
        Append((SqliteTransaction)(db.Database.CurrentTransaction ?? throw new InvalidOperationException("events are written in a transaction")).GetDbTransaction(), subject, events);

    /// <inheritdoc cref="Append(ServerDb, EventSubject, IReadOnlyList{NewEvent})"/>
    public void Append(SqliteTransaction transaction, EventSubject subject, params IReadOnlyList<NewEvent> events)
    {
        if (events.Count == 0)
            return;
        var now = time.GetUtcNow();
        count.Transaction = transaction;
        count.Parameters.Clear();
        count.Parameters.AddWithValue("$count", events.Count);
        count.Parameters.AddWithValue("$tenant", subject.TenantId);
        var sequence = (long)(count.ExecuteScalar() ?? throw new InvalidOperationException($"tenant \"{subject.TenantId}\" has no row")) - events.Count;
        // Inside the single write transaction, so neither the sequence nor lastId can race.
        foreach (var item in events)
        {
            var row = new EventRow
            {
                Id = NextId(now),
                TenantId = subject.TenantId,
                Sequence = ++sequence,
                SubjectId = subject.Id,
                Type = item.Type,
                Status = subject.Status,
                WorkspaceId = subject.WorkspaceId,
                ExternalUserId = subject.ExternalUserId,
                ExternalProjectId = subject.ExternalProjectId,
                ExternalWorkspaceId = subject.ExternalWorkspaceId,
                At = now,
                Data = DataOf(subject, item),
            };
            rows.Insert(row, transaction);
        }
        database.AfterCommit(() =>
        {
            Signal(subject.Id);
            Signal(subject.TenantId);
        });
    }

    /// <summary>A machine as its events tell it.</summary>
    public EventSubject SubjectOf(Machine machine)
    {
        var isShort = machine.Metadata.Length <= MaxMetadata;
        var fields = new JsonObject
        {
            ["name"] = machine.Name,
            ["slug"] = machine.Slug,
            ["metadata"] = isShort ? JsonNode.Parse(machine.Metadata) : new JsonObject(),
            ["preview_url"] = previews.UrlInfoOf(machine)?.Url,
        };
        if (!isShort)
            fields["metadata_omitted"] = true;
        return new EventSubject(machine.TenantId, machine.Id)
        {
            Status = machine.State.Wire(machine.Kind),
            WorkspaceId = machine.WorkspaceId,
            ExternalUserId = machine.ExternalUserId,
            ExternalProjectId = machine.ExternalProjectId,
            ExternalWorkspaceId = machine.ExternalWorkspaceId,
            Fields = fields,
        };
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

    /// <param name="id">A subject, or a tenant for whatever happens in it.</param>
    public Wake Subscribe(string id)
    {
        var wake = new Wake(this, id);
        wakes.GetOrAdd(id, _ => [])[wake] = 0;
        return wake;
    }

    /// <summary>Events of a subject after one, oldest first.</summary>
    public async Task<List<EventRow>> OfSubjectAsync(string subjectId, long sequence, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.SubjectId == subjectId && e.Sequence > sequence).OrderBy(e => e.Sequence).Take(PageLength).ToListAsync(ct);
    }

    /// <summary>The number of the event before the last <paramref name="count"/> ones of a subject.</summary>
    public async Task<long> BeforeLastAsync(string subjectId, int count, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.SubjectId == subjectId).OrderByDescending(e => e.Sequence)
            .Skip(count).Select(e => e.Sequence).FirstOrDefaultAsync(ct);
    }

    /// <summary>The number of an event, or null when this subject has no such event.</summary>
    public async Task<long?> SequenceOfSubjectAsync(string subjectId, string eventId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.Id == eventId && e.SubjectId == subjectId).Select(e => (long?)e.Sequence).FirstOrDefaultAsync(ct);
    }

    /// <summary>Events of a tenant after one, oldest first.</summary>
    public async Task<List<EventRow>> OfTenantAsync(string tenantId, long sequence, int count, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.TenantId == tenantId && e.Sequence > sequence).OrderBy(e => e.Sequence).Take(count).ToListAsync(ct);
    }

    /// <summary>The number of the tenant's latest event, 0 when there was none.</summary>
    public async Task<long> LastSequenceAsync(string tenantId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Tenants.Where(t => t.Id == tenantId).Select(t => t.LastSequence).FirstOrDefaultAsync(ct);
    }

    /// <summary>
    /// After which event of the tenant to go on for somebody whose last one this was; null for what is no event id. Ids grow with time, so that
    /// also an event that is not kept any more has its place.
    /// </summary>
    public async Task<long?> SequenceAsync(string tenantId, string eventId, CancellationToken ct)
    {
        if (!eventId.StartsWith(IdStart, StringComparison.Ordinal) || !Ulid.TryParse(eventId.AsSpan(IdStart.Length), out var ulid))
            return null;
        var id = Ids.From("evt", ulid);
        await using var db = database.Read();
        return await db.Events.Where(e => e.Id == id && e.TenantId == tenantId).Select(e => (long?)e.Sequence).FirstOrDefaultAsync(ct)
            ?? await db.Events.Where(e => e.TenantId == tenantId && string.Compare(e.Id, id) < 0).OrderByDescending(e => e.Sequence)
                .Select(e => e.Sequence).FirstOrDefaultAsync(ct);
    }

    /// <summary>The id of the last event up to a number; one that is before all events when there is none.</summary>
    public async Task<string> IdUpToAsync(string tenantId, long sequence, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Events.Where(e => e.TenantId == tenantId && e.Sequence <= sequence).OrderByDescending(e => e.Sequence)
            .Select(e => e.Id).FirstOrDefaultAsync(ct) ?? Ids.From("evt", default(Ulid));
    }

    /// <summary>The subject itself first, then what is particular to this event; the latter wins a name that both have.</summary>
    private string DataOf(EventSubject subject, NewEvent item)
    {
        json.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true }))
        {
            writer.WriteStartObject();
            Text("id", subject.Id);
            if (subject.Status is not null)
                Text("state", subject.Status);
            Text("workspace_id", subject.WorkspaceId);
            Text("external_user_id", subject.ExternalUserId);
            Text("external_project_id", subject.ExternalProjectId);
            Text("external_workspace_id", subject.ExternalWorkspaceId);
            Write(subject.Fields, item.Data);
            Write(item.Data, except: null);
            writer.WriteEndObject();

            void Text(string name, string? value)
            {
                if (item.Data?.ContainsKey(name) != true)
                    writer.WriteString(name, value);
            }

            void Write(JsonObject? fields, JsonObject? except)
            {
                foreach (var (name, value) in fields ?? [])
                {
                    if (except?.ContainsKey(name) == true)
                        continue;
                    writer.WritePropertyName(name);
                    if (value is null)
                        writer.WriteNullValue();
                    else
                        value.WriteTo(writer);
                }
            }
        }
        return Encoding.UTF8.GetString(json.WrittenSpan);
    }

    private void Signal(string id)
    {
        if (!wakes.TryGetValue(id, out var readers))
            return;
        foreach (var (wake, _) in readers)
            wake.Signal();
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
    internal sealed class Wake(EventLog log, string id) : IDisposable
    {
        private readonly Channel<byte> channel = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        public ValueTask<byte> WaitAsync(CancellationToken ct) => channel.Reader.ReadAsync(ct);

        public void Signal() => channel.Writer.TryWrite(0);

        public void Dispose()
        {
            if (log.wakes.TryGetValue(id, out var readers) && readers.TryRemove(this, out _) && readers.IsEmpty)
                log.wakes.TryRemove(KeyValuePair.Create(id, readers));
        }
    }
}
