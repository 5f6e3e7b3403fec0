using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Storage;

namespace Miosa.Server.Snapshots;

/// <summary>
/// The snapshots of this node. A row is written before its disk is made and removed after its disk is, so that at any moment of a crash a
/// disk has a row that tells whether it is wanted.
/// </summary>
internal sealed partial class SnapshotSet(
    Database database, RuntimeClient runtime, ServerSettings settings, TimeProvider time, ILogger<SnapshotSet> log)
{
    /// <summary>What a call is making right now, which no sweep may take for half made.</summary>
    private readonly ConcurrentDictionary<string, byte> inWork = [];

    public async Task<SnapshotRow?> FindAsync(string tenantId, string id, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var db = database.Read();
        return await db.Snapshots.FirstOrDefaultAsync(
            s => s.Id == id && s.TenantId == tenantId && s.Status != SnapshotStatus.Deleting && (s.ExpiresAt == null || s.ExpiresAt > now), ct);
    }

    public async Task<IReadOnlyList<SnapshotRow>> ListAsync(string tenantId, string sandboxId, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var db = database.Read();
        return await db.Snapshots
            .Where(s => s.TenantId == tenantId && s.SandboxId == sandboxId && s.Status != SnapshotStatus.Deleting && (s.ExpiresAt == null || s.ExpiresAt > now))
            .OrderByDescending(s => s.CreatedAt).ThenByDescending(s => s.Id).ToListAsync(ct);
    }

    /// <summary>The sandbox that was copied, as it was then.</summary>
    public static Machine SourceOf(SnapshotRow row) =>
        JsonSerializer.Deserialize<Machine>(row.Source) ?? throw new JsonException($"snapshot {row.Id} has no source");

    /// <summary>Copies the sandbox's disk. Not the caller's token once it has begun: the answer of a repeat must find it whole.</summary>
    /// <param name="suspend">Closes the guest's door so that what runs goes along; null leaves it out.</param>
    public async Task<(SnapshotRow? Row, Refusal? Refusal)> TakeAsync(Machine source, Func<Task<Refusal?>>? suspend, string? comment, bool keep, long? retentionSec)
    {
        if (!runtime.IsUp)
            return (null, Refusal.Unavailable("miosa-runtime is not reachable; nothing was made"));
        var now = time.GetUtcNow();
        var row = new SnapshotRow
        {
            Id = Ids.New("snap"),
            TenantId = source.TenantId,
            SandboxId = source.Id,
            NodeId = settings.Node,
            Status = SnapshotStatus.Creating,
            Comment = comment,
            Keep = keep,
            RetentionSec = retentionSec,
            HasMemory = suspend is not null,
            Source = JsonSerializer.Serialize(source),
            CreatedAt = now,
            UpdatedAt = now,
            ExpiresAt = keep || retentionSec is not { } seconds ? null : now.AddSeconds(seconds),
        };
        inWork[row.Id] = 0;
        try
        {
            if (await AddAsync(row) is { } full)
                return (null, full);
            // Last: what closes the guest's door must be followed by the order that opens it.
            if (suspend is not null && await suspend() is { } cannot)
            {
                await ForgetAsync(row.Id);
                return (null, cannot);
            }
            var info = await runtime.SnapshotAsync(source.Id, row.Id, suspend is not null, CancellationToken.None);
            row = row with { Status = SnapshotStatus.Ready, SizeBytes = info.SizeBytes, UpdatedAt = time.GetUtcNow() };
            await database.WriteAsync(db => db.Update(row), CancellationToken.None);
            return (row, null);
        }
        catch (RuntimeRefusedException e)
        {
            await ForgetAsync(row.Id);
            return (null, e.Code switch
            {
                RuntimeErrors.NotFound => Refusal.Conflict($"the {source.Kind} is gone"),
                RuntimeErrors.NoSpace => new Refusal(ErrorCodes.NoSpace, $"the host has no room for a snapshot: {e.Message}"),
                _ => Refusal.Conflict(e.Message),
            });
        }
        catch (RuntimeDownException e)
        {
            // Whether the disk was made is not known: the row stays as the sweep's order to remove both.
            return (null, Refusal.Unavailable($"the snapshot was not taken: {e.Message}"));
        }
        finally
        {
            inWork.TryRemove(row.Id, out _);
        }
    }

    public async Task DeleteAsync(SnapshotRow row)
    {
        await MarkAsync(row.Id, SnapshotStatus.Deleting);
        try
        {
            await runtime.DeleteSnapshotAsync(row.Id, CancellationToken.None);
            await ForgetAsync(row.Id);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            DeleteWaits(log, row.Id, e.Message);
        }
    }

    public async Task UsedAsync(string id)
    {
        var now = time.GetUtcNow();
        await database.WriteAsync(
            db => db.Snapshots.Where(s => s.Id == id).ExecuteUpdate(set => set.SetProperty(s => s.LastUsedAt, now).SetProperty(s => s.UpdatedAt, now)),
            CancellationToken.None);
    }

    /// <summary>
    /// Makes rows and disks agree. The disks are listed first: a disk seen there had its row before, so one without a row is a remnant.
    /// </summary>
    public async Task SweepAsync(CancellationToken ct)
    {
        var disks = (await runtime.SnapshotsAsync(ct)).Select(s => s.Snapshot).Where(id => id.StartsWith("snap_", StringComparison.Ordinal)).ToHashSet();
        var now = time.GetUtcNow();
        List<SnapshotRow> rows;
        await using (var db = database.Read())
            rows = await db.Snapshots.Where(s => s.NodeId == settings.Node).ToListAsync(ct);
        foreach (var row in rows)
        {
            var isHalfMade = row.Status == SnapshotStatus.Creating && !inWork.ContainsKey(row.Id);
            if (isHalfMade || row.Status == SnapshotStatus.Deleting || row.ExpiresAt <= now)
                await DeleteAsync(row);
            // Younger than the list of disks it may simply be missing there.
            else if (row.Status == SnapshotStatus.Ready && !disks.Contains(row.Id) && row.UpdatedAt < now.AddMinutes(-1))
                await MarkAsync(row.Id, SnapshotStatus.Failed);
        }
        foreach (var id in disks.Except(rows.Select(row => row.Id)))
        {
            await runtime.DeleteSnapshotAsync(id, ct);
            Swept(log, id);
        }
    }

    /// <summary>The refusal when the tenant has as many as it may; counted in the transaction that adds one.</summary>
    private async Task<Refusal?> AddAsync(SnapshotRow row)
    {
        var count = 0;
        await database.WriteAsync(
            db =>
            {
                count = db.Snapshots.Count(s => s.TenantId == row.TenantId && s.Status != SnapshotStatus.Deleting);
                if (count < settings.MaxSnapshots)
                    db.Snapshots.Add(row);
            },
            CancellationToken.None);
        return count < settings.MaxSnapshots
            ? null
            : new Refusal(
                ErrorCodes.QuotaExceeded,
                $"the tenant has {count} snapshots and may have {settings.MaxSnapshots}: delete some or give them a retention_seconds",
                new JsonObject { ["what"] = "snapshots", ["limit"] = settings.MaxSnapshots, ["current"] = count });
    }

    private Task MarkAsync(string id, string status)
    {
        var now = time.GetUtcNow();
        return database.WriteAsync(
            db => db.Snapshots.Where(s => s.Id == id).ExecuteUpdate(set => set.SetProperty(s => s.Status, status).SetProperty(s => s.UpdatedAt, now)),
            CancellationToken.None);
    }

    private Task ForgetAsync(string id) => database.WriteAsync(db => db.Snapshots.Where(s => s.Id == id).ExecuteDelete(), CancellationToken.None);

    [LoggerMessage(Level = LogLevel.Warning, Message = "the disk of snapshot {Snapshot} could not be removed yet, a sweep tries again: {Reason}")]
    private static partial void DeleteWaits(ILogger log, string snapshot, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "snapshot {Snapshot} belonged to nobody and was deleted")]
    private static partial void Swept(ILogger log, string snapshot);
}
