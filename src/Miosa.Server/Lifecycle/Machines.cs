using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Computers;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Previews;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Lifecycle;

/// <summary>What the endpoints know of machines: find one, make one, ask one, be admitted to one.</summary>
internal sealed class Machines(
    MachineDirectory directory, IGrainFactory grains, WarmPool pool, RuntimeClient runtime, Database database, QuotaGate gate, EnvSeal seal, ServerSettings settings, TimeProvider time)
{
    /// <summary>A destroyed machine can be read this long, so that late clients learn its end.</summary>
    private static readonly TimeSpan DestroyedIsReadable = TimeSpan.FromHours(24);

    /// <summary>Commands to a machine just launched or restarted wait this long for its guest.</summary>
    private static readonly TimeSpan GuestPatience = TimeSpan.FromSeconds(5);

    private const int DeathLooks = 10;
    private static readonly TimeSpan BetweenDeathLooks = TimeSpan.FromMilliseconds(50);

    public RuntimeClient Runtime => runtime;

    /// <summary>A machine of one kind, which is <see cref="MachineKind.Sandbox"/> unless said otherwise: the routes of one kind never see the other.</summary>
    public async ValueTask<Machine?> FindAsync(Caller caller, string idOrSlugOrName, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is { } resident)
            return resident.Row with { LastActivityAt = resident.LastUsed };
        if (!idOrSlugOrName.StartsWith(MachineKind.PrefixOf(kind) + "_", StringComparison.Ordinal))
            return null;
        var limit = time.GetUtcNow() - DestroyedIsReadable;
        await using var db = database.Read();
        return await db.Machines.FirstOrDefaultAsync(m => m.Id == idOrSlugOrName && m.TenantId == caller.TenantId && m.Kind == kind && m.DestroyedAt > limit, ct);
    }

    /// <summary>The computer of a route with <c>{computer_id}</c>; null when there is none, and for one that was deleted.</summary>
    public ValueTask<Machine?> FindComputerAsync(Caller caller, string idOrSlug) =>
        ValueTask.FromResult(directory.Find(caller.TenantId, idOrSlug, MachineKind.Computer) is { } resident ? resident.Row with { LastActivityAt = resident.LastUsed } : null);

    /// <summary>The machine that the path of the request names, of the kind that the route is about.</summary>
    public ValueTask<Machine?> FindAsync(HttpContext context)
    {
        var (kind, id) = context.MachinePath();
        return kind == MachineKind.Computer ? FindComputerAsync(context.Caller(), id) : FindAsync(context.Caller(), id, context.RequestAborted);
    }

    /// <summary>The same as <see cref="FindAsync(HttpContext)"/>, to be used until the request ends.</summary>
    public ValueTask<Admitted> AdmitAsync(HttpContext context, AdmitFor purpose)
    {
        var (kind, id) = context.MachinePath();
        return AdmitAsync(context, id, purpose, kind);
    }

    /// <summary>A computer that is to be used now: 404 when there is none, 409 with what to do when it does not run. It is never started by this.</summary>
    public ValueTask<Admitted> AdmitComputerAsync(HttpContext context, string idOrSlug, AdmitFor purpose) => AdmitAsync(context, idOrSlug, purpose, MachineKind.Computer);

    public Machine? FindByName(Caller caller, string name) =>
        directory.FindByName(caller.TenantId, name)?.Row is { } row && caller.Sees(row) ? row : null;

    /// <summary>
    /// Asks the machine whether it may be used now. No database on the way for a known machine; a persistent machine that is paused
    /// is resumed first. Needs the route's caller; the machine counts as busy until the request ends.
    /// </summary>
    public async ValueTask<Admitted> AdmitAsync(HttpContext context, string idOrSlugOrName, AdmitFor purpose, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(context.Caller().TenantId, idOrSlugOrName, kind) is not { } resident)
            return new Admitted(await UnknownAsync(context, idOrSlugOrName, kind));
        context.Response.RegisterForDispose(resident.Enter(time));
        return await AdmitAsync(resident, purpose, context.RequestAborted);
    }

    /// <summary>The same for a request that stays open and only looks on: the machine is busy while it is admitted, not until it ends.</summary>
    public async ValueTask<Admitted> AdmitOnlookerAsync(HttpContext context, string idOrSlugOrName, AdmitFor purpose, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(context.Caller().TenantId, idOrSlugOrName, kind) is not { } resident)
            return new Admitted(await UnknownAsync(context, idOrSlugOrName, kind));
        using var admitted = resident.Enter(time);
        return await AdmitAsync(resident, purpose, context.RequestAborted);
    }

    /// <summary>
    /// The same for what comes without a key of ours, such as a preview: the caller has found the machine, says why it may, and holds
    /// <see cref="Resident.Enter"/> for as long as it uses it.
    /// </summary>
    public async ValueTask<Admitted> AdmitAsync(Resident resident, AdmitFor purpose, CancellationToken ct)
    {
        var admitted = await TryAdmitAsync(resident, purpose, ct);
        if (admitted.Refusal is not { Code: ErrorCodes.AgentUnavailable } || !resident.Row.Persistent)
            return admitted;
        // It may have died a moment ago, before anybody told: then it starts again for this call. If it lives, nothing changes.
        for (var look = 0; look < DeathLooks && admitted.Refusal is { Code: ErrorCodes.AgentUnavailable }; look++)
        {
            await Task.Delay(BetweenDeathLooks, time, ct);
            await GrainOf(resident.Row.Id).Ask(Want.Died, "it did not answer");
            if (resident.Row.State != MachineState.Running)
                admitted = await TryAdmitAsync(resident, purpose, ct);
        }
        return admitted;
    }

    private async ValueTask<Admitted> TryAdmitAsync(Resident resident, AdmitFor purpose, CancellationToken ct)
    {
        var answer = await GrainOf(resident.Row.Id).Ask(Want.Use, reason: null);
        if (answer.Refusal is { } refusal)
            return new Admitted(refusal);
        if (resident.Road is not { } road)
            return new Admitted(Refusal.Unavailable($"the {resident.Row.Kind} is being connected"));
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
            patience.CancelAfter(GuestPatience);
            var guest = await road.ConnectAsync(patience.Token);
            return new Admitted(resident, guest, resident.Env(seal).Values);
        }
        catch (Exception e) when (e is SocketException or IOException or GuestException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return new Admitted(Refusal.AgentUnavailable($"the {resident.Row.Kind} does not answer ({purpose}): {e.Message}"));
        }
    }

    // A deleted computer is 404 everywhere: its clients know no such state.
    private async ValueTask<Refusal> UnknownAsync(HttpContext context, string idOrSlugOrName, string kind) =>
        kind == MachineKind.Computer || await FindAsync(context.Caller(), idOrSlugOrName, context.RequestAborted) is null
            ? Refusal.NotFound(kind)
            : Refusal.Conflict("the sandbox is destroyed");

    /// <summary>Makes a machine of a checked draft (its id is filled in here): from the pool when one is ready, else cold.</summary>
    public async Task<(Machine? Machine, Refusal? Refusal)> CreateAsync(Machine draft)
    {
        if (gate.Look(draft) is { } full)
            return (null, full);
        // Sandboxes in the pool do not sync, and all have the default isolation: others are made for themselves.
        while (draft is { Isolation: null } and ({ IsComputer: true } or { Persistent: false }) && pool.TryClaim(new WarmKind(draft.Image, draft.IsComputer)) is { } warm)
        {
            var slug = draft.Slug == PreviewHosts.OwnPart(draft.Id) ? PreviewHosts.OwnPart(warm.Id) : draft.Slug;
            var name = draft.IsComputer && draft.Name == ComputerFields.NameOf(draft.Id) ? ComputerFields.NameOf(warm.Id) : draft.Name;
            var claimed = await GrainOf(warm.Id).Create(draft with { Id = warm.Id, Slug = slug, Name = name }, isWarm: true);
            if (claimed.Code is null)
                return (claimed.Machine, null);
            var isGone = claimed.Code == MachineAnswer.WarmGone;
            pool.GiveBack(warm, isBroken: isGone);
            if (!isGone)
                return (null, claimed.Refusal);
        }
        using var _ = pool.ColdCreate();
        var answer = await GrainOf(draft.Id).Create(draft, isWarm: false);
        return (answer.Machine, answer.Refusal);
    }

    /// <summary>Makes a machine with a copy of the source's files; the source may be running or paused, and is neither resumed nor used by it.</summary>
    /// <param name="hasMemory">What runs in the source goes on in the copy, too.</param>
    public async Task<(Machine? Machine, Refusal? Refusal)> ForkAsync(Machine source, Machine draft, bool hasMemory)
    {
        if (source.State is not (MachineState.Running or MachineState.Paused))
            return (null, source.IsComputer
                ? Refusal.Conflict($"the computer is {source.State.Wire(source.Kind)}: only a running or stopped one can be cloned")
                : Refusal.Conflict($"the sandbox is {source.State.Wire()}: only a running or paused one can be forked"));
        if (gate.Look(draft) is { } full)
            return (null, full);
        using var _ = pool.ColdCreate();
        var answer = await GrainOf(draft.Id).Create(draft, isWarm: false, source.Id, hasMemory);
        return (answer.Machine, answer.Refusal);
    }

    /// <summary>Makes a machine with a copy of a snapshot's files.</summary>
    public async Task<(Machine? Machine, Refusal? Refusal)> LaunchFromAsync(string snapshot, Machine draft, bool hasMemory)
    {
        if (gate.Look(draft) is { } full)
            return (null, full);
        using var _ = pool.ColdCreate();
        var answer = await GrainOf(draft.Id).Create(draft, isWarm: false, snapshot, hasMemory);
        return (answer.Machine, answer.Refusal);
    }

    /// <summary>Prepares a sandbox for a copy that takes along what runs; null when the copy may be ordered, which opens the guest's door again.</summary>
    public async Task<Refusal?> SuspendAsync(Machine source) =>
        directory.Find(source.TenantId, source.Id) is { } resident ? await GuestMemory.SuspendAsync(resident, runtime) : Refusal.NotFound("sandbox");

    /// <summary>Puts a computer back to a checkpoint, whatever it is doing.</summary>
    public async Task<(Machine? Machine, Refusal? Refusal)> RestoreAsync(Machine computer, string snapshot)
    {
        var answer = await GrainOf(computer.Id).Restore(snapshot);
        return (answer.Machine, answer.Refusal);
    }

    /// <summary>Tells the readers of the sandbox's events.</summary>
    public async Task SnapshotTakenAsync(string machine, string snapshot) => await GrainOf(machine).SnapshotTaken(snapshot);

    public async Task<(Machine? Machine, Refusal? Refusal)> AskAsync(Caller caller, string idOrSlugOrName, Want want, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is { } resident)
        {
            var answer = await GrainOf(resident.Row.Id).Ask(want, reason: null);
            return (answer.Machine, answer.Refusal);
        }
        // Not of the living: a destroyed machine stays destroyed, whatever is wanted of it.
        if (await FindAsync(caller, idOrSlugOrName, ct, kind) is not { } row)
            return (null, Refusal.NotFound(kind));
        if (row.IsComputer)
            return want == Want.Destroy ? (row, null) : (null, Refusal.NotFound(kind));
        var decision = Lifecycle.Decide(row.State, row.Persistent, want);
        return decision.Refusal is null ? (row, null) : (null, decision.Refusal);
    }

    public async Task<(Machine? Machine, Refusal? Refusal)> ChangeAsync(Caller caller, string idOrSlugOrName, RowChange change, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is { } resident)
        {
            var answer = await GrainOf(resident.Row.Id).Change(change);
            return (answer.Machine, answer.Refusal);
        }
        return (null, kind == MachineKind.Computer || await FindAsync(caller, idOrSlugOrName, ct) is null ? Refusal.NotFound(kind) : Refusal.Conflict("the sandbox is destroyed"));
    }

    /// <summary>The environment that the next command gets; an ended machine has none.</summary>
    public async Task<(MachineEnv? Env, Refusal? Refusal)> EnvAsync(Caller caller, string idOrSlugOrName, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is { } resident)
            return (resident.Env(seal), null);
        return kind == MachineKind.Computer || await FindAsync(caller, idOrSlugOrName, ct) is null ? (null, Refusal.NotFound(kind)) : (MachineEnv.Empty, null);
    }

    public async Task<(MachineEnv? Env, Refusal? Refusal)> ChangeEnvAsync(Caller caller, string idOrSlugOrName, EnvChange change, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is not { } resident)
            return (null, kind == MachineKind.Computer || await FindAsync(caller, idOrSlugOrName, ct) is null ? Refusal.NotFound(kind) : Refusal.Conflict("the sandbox is destroyed"));
        var answer = await GrainOf(resident.Row.Id).ChangeEnv(change);
        return answer.Refusal is { } refusal ? (null, refusal) : (seal.Open(answer.Machine?.SealedEnv), null);
    }

    public async Task<(Machine? Machine, Refusal? Refusal)> ChangeEgressAsync(Caller caller, string idOrSlugOrName, string? egress, CancellationToken ct, string kind = MachineKind.Sandbox)
    {
        if (directory.Find(caller.TenantId, idOrSlugOrName, kind) is not { } resident)
            return (null, await FindAsync(caller, idOrSlugOrName, ct, kind) is null ? Refusal.NotFound(kind) : Refusal.Conflict($"the {kind} is destroyed"));
        var answer = await GrainOf(resident.Row.Id).ChangeEgress(egress);
        return (answer.Machine, answer.Refusal);
    }

    private IMachineGrain GrainOf(string machine) => grains.GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, machine));
}
