using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Snapshots;

/// <summary>The group Sandbox snapshots, but for fork, which stands with the sandboxes.</summary>
internal sealed class SnapshotEndpoints(SnapshotSet snapshots, Restores restores, Machines machines, SandboxFields sandboxFields, SandboxView view)
{
    private const int MaxRetentionSec = 10 * 365 * 86_400;
    private const int MaxComment = 1000;

    private static readonly Aliases CreateAliases = new Aliases()
        .Add("comment", "name", "label")
        .Add("retention_seconds", "expiration_seconds");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<SnapshotEndpoints>();
        Write("POST", "/sandboxes/{sandbox_id}/snapshots", context => it.TakeAsync(context, 201), Scopes.SandboxesWrite);
        Write("POST", "/sandboxes/{sandbox_id}/snapshot", context => it.TakeAsync(context, 200), Scopes.SandboxesWrite);
        Write("POST", "/sandboxes/{sandbox_id}/restore/{snapshot_id}", it.RestoreAsync, Scopes.SandboxesCreate);
        Write("POST", "/sandboxes/{sandbox_id}/snapshots/{snapshot_id}/restore", it.RestoreAsync, Scopes.SandboxesCreate);
        api.Map("GET", "/sandboxes/{sandbox_id}/snapshots", it.ListAsync).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/snapshots/{snapshot_id}", it.GetAsync).Needs(Scopes.SandboxesRead);
        api.Map("DELETE", "/sandboxes/{sandbox_id}/snapshots/{snapshot_id}", it.DeleteAsync).Needs(Scopes.SandboxesWrite);
        api.Map("DELETE", "/snapshots/{snapshot_id}", it.DeleteAsync).Needs(Scopes.SandboxesWrite);

        void Write(string method, string pattern, Func<HttpContext, Task<IResult>> handler, string scope) =>
            api.Map(method, pattern, handler).Needs(scope).WithMetadata(new Replayable(KeyInBody: false));
    }

    private async Task<IResult> TakeAsync(HttpContext context, int status)
    {
        var (body, refusal) = await Body.ReadAsync(context, CreateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var comment = body.Text("comment", MaxComment, allowEmpty: true);
        var keep = body.Bool("keep") ?? false;
        var hasMemory = body.Bool("memory") ?? false;
        var retentionSec = body.Int("retention_seconds", 1, MaxRetentionSec) ?? body.Int("expiration_days", 1, MaxRetentionSec / 86_400) * 86_400L;
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } source)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        if (source.State is not (MachineState.Running or MachineState.Paused))
            return Reply.Refuse(Refusal.Conflict($"the sandbox is {source.State.Wire()}: only a running or paused one has files to keep"));
        if (hasMemory && IsolationFields.MemoryFault(source.Isolation) is { } fault)
            return Reply.Refuse(fault);
        var (row, no) = await snapshots.TakeAsync(source, hasMemory ? () => machines.SuspendAsync(source) : null, comment, keep, retentionSec);
        if (row is null)
            return Reply.Refuse(no ?? Refusal.Internal());
        await machines.SnapshotTakenAsync(source.Id, row.Id);
        return Reply.One(Of(row), WireJson.Default.SandboxSnapshot, status);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        if (await SandboxIdAsync(context) is not { } sandbox)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var rows = await snapshots.ListAsync(context.Caller().TenantId, sandbox, context.RequestAborted);
        // A destroyed sandbox is forgotten one day, its snapshots are not.
        if (rows.Count == 0 && await machines.FindAsync(context.Caller(), sandbox, context.RequestAborted) is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        // Exactly one key at the top: Python unwraps a body of more than two keys no further.
        return Reply.Bare(new SandboxSnapshotList { Data = [.. rows.Select(Of)] }, WireJson.Default.SandboxSnapshotList);
    }

    private async Task<IResult> GetAsync(HttpContext context) => await FindAsync(context) is not { } row ? Reply.Refuse(Refusal.NotFound("snapshot"))
        : ComputerSnapshotEndpoints.IsOfComputer(row) ? ComputerSnapshotEndpoints.One(row)
        : Reply.One(Of(row), WireJson.Default.SandboxSnapshot);

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } row)
            return Reply.Refuse(Refusal.NotFound("snapshot"));
        if (restores.IsNeeded(row.Id))
            return Reply.Refuse(Refusal.Conflict("a computer goes back to this snapshot: delete it when that has ended"));
        await snapshots.DeleteAsync(row);
        return Reply.Ok();
    }

    private async Task<IResult> RestoreAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, SandboxFields.UpdateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await FindAsync(context) is not { } row || ComputerSnapshotEndpoints.IsOfComputer(row))
            return Reply.Refuse(Refusal.NotFound("snapshot"));
        var hasMemory = body.Bool("memory");
        var (draft, faults) = sandboxFields.Fork(body, SnapshotSet.SourceOf(row), context.Caller());
        if (draft is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (machine, no) = await LaunchAsync(row, draft, hasMemory);
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : Reply.One(view.Of(machine), WireJson.Default.SandboxInfo);
    }

    /// <summary>Makes a sandbox of a snapshot; also fork with a <c>snapshot_id</c> comes here.</summary>
    /// <param name="hasMemory">What ran goes on; null: if it is in the snapshot.</param>
    public async Task<(Machine? Machine, Refusal? Refusal)> LaunchAsync(SnapshotRow row, Machine draft, bool? hasMemory)
    {
        if (hasMemory == true && !row.HasMemory)
            return (null, Refusal.Invalid("memory", "is not in this snapshot: it was taken without"));
        if (row.Status != SnapshotStatus.Ready)
            return (null, Refusal.Conflict($"the snapshot is {row.Status}: only a ready one can be used"));
        var (machine, refusal) = await machines.LaunchFromAsync(row.Id, draft, hasMemory ?? row.HasMemory);
        if (machine is not null)
            await snapshots.UsedAsync(row.Id);
        return (machine, refusal);
    }

    /// <summary>The snapshot that a fork of this sandbox names; null also when it is another sandbox's.</summary>
    public async Task<SnapshotRow?> OfSandboxAsync(HttpContext context, string snapshotId) =>
        await SandboxIdAsync(context) is { } sandbox
        && await snapshots.FindAsync(context.Caller().TenantId, snapshotId, context.RequestAborted) is { } row
        && row.SandboxId == sandbox
            ? row
            : null;

    private async Task<SnapshotRow?> FindAsync(HttpContext context)
    {
        var id = context.PathValue("snapshot_id");
        return context.Request.RouteValues.ContainsKey("sandbox_id")
            ? await OfSandboxAsync(context, id)
            // By its own id it may be a computer's, for keys that may do the same there.
            : await snapshots.FindAsync(context.Caller().TenantId, id, context.RequestAborted) is { } row
                && (!ComputerSnapshotEndpoints.IsOfComputer(row) || context.Caller().Has(HttpMethods.IsGet(context.Request.Method) ? Scopes.ComputersRead : Scopes.ComputersWrite))
                ? row
                : null;
    }

    /// <summary>The id behind the path's id, slug or name; an id stands for itself, so that the snapshots of a forgotten sandbox are found.</summary>
    private async Task<string?> SandboxIdAsync(HttpContext context)
    {
        var named = context.PathValue("sandbox_id");
        var found = await machines.FindAsync(context.Caller(), named, context.RequestAborted);
        return found?.Id ?? (named.StartsWith("sbx_", StringComparison.Ordinal) ? named : null);
    }

    private static SandboxSnapshot Of(SnapshotRow row) => new()
    {
        Id = row.Id,
        SnapshotId = row.Id,
        SandboxId = row.SandboxId,
        Status = row.Status,
        State = row.Status,
        Comment = row.Comment,
        Keep = row.Keep,
        RetentionSeconds = row.RetentionSec,
        SizeBytes = row.SizeBytes,
        Memory = row.HasMemory,
        LastUsedAt = row.LastUsedAt,
        ExpiresAt = row.ExpiresAt,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };
}
