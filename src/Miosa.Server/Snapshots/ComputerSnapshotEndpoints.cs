using System.Text.Json.Nodes;
using Miosa.Server.Computers;
using Miosa.Server.ComputerServices;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Snapshots;

/// <summary>
/// The checkpoints of computers: the same snapshots as those of sandboxes, in the words of computers. Two ways lead back: restore makes a new computer, the
/// restore of a checkpoint puts this one back.
/// </summary>
internal sealed class ComputerSnapshotEndpoints(
    SnapshotSet snapshots, Restores restores, Machines machines, ComputerFields fields, ComputerView view, ServiceKeeper services, TimeProvider time)
{
    private const string Computer = "/computers/{computer_id}";
    private const int MaxComment = 1000;
    private const string Progress = "snapshot_progress";

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);
    private static readonly Aliases CreateAliases = new Aliases().Add("comment", "name", "label", "description");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ComputerSnapshotEndpoints>();
        // One client calls them checkpoints.
        foreach (var all in (string[])[Computer + "/snapshots", Computer + "/checkpoints"])
        {
            api.Map("POST", all, it.TakeAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
            api.Map("GET", all, it.ListAsync).Needs(Scopes.ComputersRead);
            api.Map("GET", all + "/{snapshot_id}", it.GetAsync).Needs(Scopes.ComputersRead);
            api.Map("DELETE", all + "/{snapshot_id}", it.DeleteAsync).Needs(Scopes.ComputersWrite);
        }
        api.MapStream("GET", Computer + "/snapshots/{snapshot_id}/events", it.EventsAsync).Needs(Scopes.ComputersRead).WithMetadata(new TicketInQuery());
        api.Map("POST", Computer + "/restore/{snapshot_id}", it.CopyAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("POST", Computer + "/checkpoints/{snapshot_id}/restore", it.RestoreAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.MapStream("GET", Computer + "/checkpoints/{snapshot_id}/restore/stream", it.RestoreStreamAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", "/snapshots/{snapshot_id}/restore", it.CopyByIdAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
    }

    private async Task<IResult> TakeAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, CreateAliases);
        var comment = body.Text("comment", MaxComment, allowEmpty: true);
        if ((refusal ?? body.Errors()) is { } faults)
            return Reply.Refuse(faults);
        if (await context.FindMachineAsync() is not { } source)
            return Reply.Refuse(context.UnknownMachine());
        if (source.State is not (MachineState.Running or MachineState.Paused))
            return Reply.Refuse(Refusal.Conflict($"the computer is {source.State.Wire(source.Kind)}: a checkpoint is taken of a running or stopped one"));
        var (row, no) = await snapshots.TakeAsync(source, suspend: null, comment, keep: false, retentionSec: null);
        if (row is null)
            return Reply.Refuse(no ?? Refusal.Internal());
        restores.Tell(row);
        return One(row, 201);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        if (await context.FindMachineAsync() is not { } computer)
            return Reply.Refuse(context.UnknownMachine());
        List<ComputerSnapshot> all = [.. (await snapshots.ListAsync(computer.TenantId, computer.Id, context.RequestAborted)).Select(row => Of(row))];
        return Reply.Bare(new ComputerSnapshotList { Data = all, Total = all.Count }, WireJson.Default.ComputerSnapshotList);
    }

    private Task<IResult> GetAsync(HttpContext context) => WithAsync(context, (_, row) => Task.FromResult(One(row)));

    private Task<IResult> DeleteAsync(HttpContext context) => WithAsync(context, async (_, row) =>
    {
        if (restores.IsNeeded(row.Id))
            return Reply.Refuse(Refusal.Conflict("the computer goes back to this checkpoint: delete it when that has ended"));
        await snapshots.DeleteAsync(row);
        return One(row with { Status = ComputerSnapshotStatus.Deleted, UpdatedAt = time.GetUtcNow() });
    });

    /// <summary>A new computer. It has the settings and services that the old one has, which are not part of a checkpoint.</summary>
    private async Task<IResult> CopyAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.ChangeAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        return await WithAsync(context, (_, row) => CopyAsync(context, body, row));
    }

    /// <summary>One client names the checkpoint alone.</summary>
    private async Task<IResult> CopyByIdAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.ChangeAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        return await snapshots.FindAsync(context.Caller().TenantId, context.PathValue("snapshot_id"), context.RequestAborted) is { } row && IsOfComputer(row)
            ? await CopyAsync(context, body, row)
            : Reply.Refuse(Refusal.NotFound("checkpoint"));
    }

    private async Task<IResult> CopyAsync(HttpContext context, Fields body, SnapshotRow row)
    {
        if (NotReady(row) is { } no)
            return Reply.Refuse(no);
        var (draft, faults) = fields.Clone(body, SnapshotSet.SourceOf(row), context.Caller());
        if (draft is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var (machine, refused) = await machines.LaunchFromAsync(row.Id, draft, hasMemory: false);
        if (machine is null)
            return Reply.Refuse(refused ?? Refusal.Internal());
        await snapshots.UsedAsync(row.Id);
        await services.AdoptAsync(row.SandboxId, machine.Id);
        var both = new JsonObject
        {
            ["data"] = JsonNode.Parse(Reply.Bytes(view.Of(machine), WireJson.Default.ComputerInfo)),
            ["snapshot"] = JsonNode.Parse(Reply.Bytes(Of(row), WireJson.Default.ComputerSnapshot)),
        };
        return Reply.Bare(both, WireJson.Default.JsonObject, 201);
    }

    private Task<IResult> RestoreAsync(HttpContext context) => WithAsync(context, (computer, row) =>
    {
        var (_, refusal) = Begin(computer, row);
        return Task.FromResult(refusal is null
            ? Reply.Bare(new ComputerActionResult { Id = computer.Id, Status = "restoring" }, WireJson.Default.ComputerActionResult, 202)
            : Reply.Refuse(refusal));
    });

    private async Task RestoreStreamAsync(HttpContext context)
    {
        Restores.Way? way = null;
        var refused = await WithAsync(context, (computer, row) =>
        {
            (way, var refusal) = Begin(computer, row);
            return Task.FromResult(Reply.Refuse(refusal ?? Refusal.Internal()));
        });
        if (way is null)
        {
            await refused.ExecuteAsync(context);
            return;
        }
        await using var sse = await Sse.StartAsync(context);
        try
        {
            for (var i = 0; ; i++)
            {
                var told = await way.AtAsync(i, sse.Ended);
                var isLast = told.Status is ComputerSnapshotStatus.Ready or ComputerSnapshotStatus.Failed;
                await sse.WriteAsync(null, isLast ? "done" : "progress", Reply.Bytes(told, WireJson.Default.ComputerSnapshotProgress));
                if (isLast)
                    return;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left, the restore goes on; or the server stops.
        }
    }

    /// <summary>A checkpoint that is made already is told at once: a reader that comes late waits for that frame.</summary>
    private async Task EventsAsync(HttpContext context)
    {
        SnapshotRow? row = null;
        var refused = await WithAsync(context, (_, found) =>
        {
            row = found;
            return Task.FromResult(Reply.Ok());
        });
        if (row is null)
        {
            await refused.ExecuteAsync(context);
            return;
        }
        await using var sse = await Sse.StartAsync(context);
        using var timer = new PeriodicTimer(LookEvery, time);
        try
        {
            var last = "";
            do
            {
                var status = row?.Status ?? ComputerSnapshotStatus.Deleted;
                var isOver = status is not ComputerSnapshotStatus.Creating;
                if (status != last)
                    await sse.WriteAsync(null, Progress, Reply.Bytes(ProgressOf(context.PathValue("snapshot_id"), row, status), WireJson.Default.ComputerSnapshotProgress));
                if (isOver)
                    return;
                last = status;
                await timer.WaitForNextTickAsync(sse.Ended);
                row = await snapshots.FindAsync(context.Caller().TenantId, context.PathValue("snapshot_id"), sse.Ended);
            }
            while (true);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }
    }

    private static ComputerSnapshotProgress ProgressOf(string id, SnapshotRow? row, string status) => new()
    {
        SnapshotId = id,
        Status = status,
        Step = status == ComputerSnapshotStatus.Ready ? "done" : "disk",
        Progress = status switch { ComputerSnapshotStatus.Ready => 100, ComputerSnapshotStatus.Creating => 0, _ => null },
        Error = row is null ? null : Of(row).Error,
    };

    private (Restores.Way? Way, Refusal? Refusal) Begin(Machine computer, SnapshotRow row)
    {
        if (NotReady(row) is { } no)
            return (null, no);
        if (computer.State == MachineState.Provisioning)
            return (null, Refusal.Conflict("the computer is creating: it goes back to nothing yet"));
        return restores.Begin(computer, row) is { } way ? (way, null) : (null, Refusal.Conflict("the computer goes back to another checkpoint: wait until that has ended"));
    }

    private static Refusal? NotReady(SnapshotRow row) =>
        row.Status == SnapshotStatus.Ready ? null : Refusal.Conflict($"the checkpoint is {row.Status}: only a ready one can be used");

    private async Task<IResult> WithAsync(HttpContext context, Func<Machine, SnapshotRow, Task<IResult>> act)
    {
        if (await context.FindMachineAsync() is not { } computer)
            return Reply.Refuse(context.UnknownMachine());
        return await snapshots.FindAsync(computer.TenantId, context.PathValue("snapshot_id"), context.RequestAborted) is { } row && row.SandboxId == computer.Id
            ? await act(computer, row)
            : Reply.Refuse(Refusal.NotFound("checkpoint"));
    }

    public static bool IsOfComputer(SnapshotRow row) => MachineKind.OfId(row.SandboxId) == MachineKind.Computer;

    public static IResult One(SnapshotRow row, int status = 200) => Reply.One(Of(row), WireJson.Default.ComputerSnapshot, status);

    private static ComputerSnapshot Of(SnapshotRow row) => new()
    {
        Id = row.Id,
        ComputerId = row.SandboxId,
        TenantId = row.TenantId,
        Comment = row.Comment,
        Name = row.Comment,
        Description = row.Comment,
        Status = row.Status,
        SizeBytes = row.SizeBytes,
        RootfsSizeBytes = row.SizeBytes,
        Error = row.Status == SnapshotStatus.Failed ? "its disk is lost" : null,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };
}
