#pragma warning disable VSTHRD200 // Grain methods carry no Async (style rule 6).
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Miosa.Runtime.Wire;
using Miosa.Server.Computers;
using Miosa.Server.Egress;
using Miosa.Server.Events;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Quotas;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Lifecycle;

[NodePinned]
internal sealed partial class MachineGrain(
    MachineDirectory directory,
    RuntimeClient runtime,
    WarmPool pool,
    EventLog events,
    QuotaGate gate,
    Deadlines deadlines,
    AfterBoot afterBoot,
    Desktops desktops,
    EnvSeal seal,
    Sizes sizes,
    ServerSettings settings,
    TimeProvider time,
    ILogger<MachineGrain> log) : Grain, IMachineGrain
{
    /// <summary>SQLITE_CONSTRAINT_UNIQUE.</summary>
    private const int UniqueIsTaken = 2067;

    private string MachineId => GrainKeys.Split(this.GetPrimaryKeyString()).Machine;

    public async ValueTask<MachineAnswer> Create(Machine draft, bool isWarm, string? source, bool hasMemory)
    {
        var begun = time.GetTimestamp();
        // Not the caller's token: a client that gave up repeats the call with its idempotency key and must find the machine.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.BootTimeoutSec), time);
        return isWarm ? await CreateWarmAsync(draft, begun, limit.Token) : await CreateColdAsync(draft, source, hasMemory, begun, limit.Token);
    }

    public async ValueTask<MachineAnswer> Ask(Want want, string? reason)
    {
        if (directory.Find(MachineId) is not { } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.OfId(MachineId)));
        var row = resident.Row;
        if (row.IsComputer)
            return await AskComputerAsync(resident, row, want, reason);
        // A null comparison is false: without a limit there is nothing to carry out.
        if (want == Want.Deadline && !(resident.NextDue(time.GetUtcNow()) <= time.GetUtcNow()))
            return MachineAnswer.Of(row);
        if (want == Want.Died && await IsAliveAsync())
            return MachineAnswer.Of(row);
        if (want == Want.Died && row.Persistent && await IsParkedAsync())
            want = Want.Fell;
        var decision = Lifecycle.Decide(row.State, row.Persistent, want);
        if (decision.Refusal is { } refusal)
            return MachineAnswer.No(refusal);
        if (decision.ChangesNothing)
            return MachineAnswer.Of(row);
        if (decision.Next == MachineState.Running && row.State == MachineState.Paused && gate.Look(row with { State = MachineState.Running }) is { } full)
            return MachineAnswer.No(full);
        if (decision.Act == Act.ParkWithMemory && await GuestMemory.SuspendAsync(resident, runtime) is { } cannot)
            return MachineAnswer.No(cannot);
        // Thawing what has no memory any more is starting it: nothing is asked of the runtime for nothing, a refused thaw leads here.
        if (await TryActAsync(decision, want) is { } failure)
        {
            if (decision.Act != Act.Thaw || !row.Persistent || !await IsParkedAsync())
                return failure;
            return await StartAgainAsync(resident, decision);
        }
        if (decision.Next == row.State)
            return MachineAnswer.Of(row);
        var answer = await CommitAsync(resident, decision, reason);
        // It was thawed, and meanwhile another took the place that was free before.
        if (answer.Code is not null && decision.Act == Act.Thaw)
            await TryUndoAsync(Act.Freeze);
        return answer;
    }

    public async ValueTask<MachineAnswer> Change(RowChange change)
    {
        if (directory.Find(MachineId) is not { } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.OfId(MachineId)));
        if (Unchangeable(resident.Row) is { } fixedNow)
            return MachineAnswer.No(fixedNow);
        var old = resident.Row;
        var row = Stamp(change.ApplyTo(old, time.GetUtcNow()), resident);
        // It would be what a dead machine of its kind is: in error, without its files.
        if (old is { IsComputer: false, Persistent: true, State: MachineState.Paused } && !row.Persistent && await IsParkedAsync())
            return MachineAnswer.No(Refusal.Conflict("the sandbox is stopped and only its files are there: resume it before it stops being persistent"));
        var isResized = ShapeOf(row) != ShapeOf(old);
        if (isResized)
        {
            row = row with { Size = sizes.NameOf(ShapeOf(row)) };
            // Before the disk grows: it could not be made smaller again.
            if (gate.Look(row) is { } full)
                return MachineAnswer.No(full);
            if (await ResizeAsync(old, row) is { } refused)
                return refused;
        }
        if (await SaveAsync(row, isNew: false, UpdatedOf(row)) is { } taken)
        {
            if (isResized)
                await ResizeAsync(row, old with { DiskMb = row.DiskMb });
            return taken;
        }
        Settle(resident, row);
        return MachineAnswer.Of(row);
    }

    /// <summary>A computer can be changed in every state: what concerns the machine counts from its next start.</summary>
    private static Refusal? Unchangeable(Machine row) =>
        row.State is MachineState.Running or MachineState.Paused || row is { IsComputer: true, State: MachineState.Starting or MachineState.Error }
            ? null
            : Refusal.Conflict($"the {row.Kind} is {row.State.Wire(row.Kind)}");

    // The contract has no event for the change of a computer.
    private static NewEvent[] UpdatedOf(Machine row) => row.IsComputer ? [] : [new NewEvent(EventNames.SandboxUpdated)];

    private static Shape ShapeOf(Machine row) => new(row.Vcpus, row.MemoryMb, row.DiskMb);

    /// <summary>Null when the machine has its new limits; otherwise it has the old ones and the answer says why.</summary>
    private async Task<MachineAnswer?> ResizeAsync(Machine old, Machine row)
    {
        if (row.DiskMb < old.DiskMb)
            return MachineAnswer.NoField("disk_size_mb", $"can only grow: it is {old.DiskMb} MiB");
        // Not running: it is told at the next start.
        if (row is { IsComputer: true, State: not (MachineState.Running or MachineState.Starting) })
            return null;
        try
        {
            await runtime.LimitAsync(MachineId, row.Vcpus, row.MemoryMb, row.DiskMb, CancellationToken.None);
            return null;
        }
        catch (RuntimeRefusedException e) when (e.Code == RuntimeErrors.LimitRefused)
        {
            return MachineAnswer.NoField("memory_mb", $"is less than the {row.Kind} holds, which cannot be given back: {e.Message}");
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException)
        {
            return MachineAnswer.No(Refusal.Unavailable($"the {row.Kind} could not be resized: {e.Message}"));
        }
    }

    public async ValueTask<MachineAnswer> ChangeEnv(EnvChange change)
    {
        if (directory.Find(MachineId) is not { } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.OfId(MachineId)));
        if (Unchangeable(resident.Row) is { } fixedNow)
            return MachineAnswer.No(fixedNow);
        var old = resident.Env(seal);
        var env = change.ApplyTo(old);
        if (ReferenceEquals(env, old))
            return MachineAnswer.Of(resident.Row);
        if (change.Set.Count > 0 && env.Excess() is { } excess)
            return MachineAnswer.NoField("vars", excess);
        var row = Stamp(resident.Row with { SealedEnv = seal.Seal(env) }, resident);
        // The event says that something changed, never what: its readers need not be allowed to see values.
        await events.CommitAsync(row, isNew: false, UpdatedOf(row), CancellationToken.None);
        Settle(resident, row);
        return MachineAnswer.Of(row);
    }

    public async ValueTask<MachineAnswer> ChangeEgress(string? egress)
    {
        if (directory.Find(MachineId) is not { } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.OfId(MachineId)));
        if (Unchangeable(resident.Row) is { } fixedNow)
            return MachineAnswer.No(fixedNow);
        var row = Stamp(resident.Row with { Egress = egress }, resident);
        try
        {
            // Told also when the row says so already: a caller that missed the answer of a call that failed halfway repeats it.
            if (row is not { IsComputer: true, State: not (MachineState.Running or MachineState.Starting) })
                await runtime.SetEgressAsync(MachineId, EgressFields.RequestOf(row), CancellationToken.None);
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException)
        {
            return MachineAnswer.No(Refusal.Unavailable($"what the {row.Kind} may reach could not be changed: {e.Message}"));
        }
        if (resident.Row.Egress == egress)
            return MachineAnswer.Of(resident.Row);
        await events.CommitAsync(row, isNew: false, UpdatedOf(row), CancellationToken.None);
        Settle(resident, row);
        return MachineAnswer.Of(row);
    }

    public async ValueTask<MachineAnswer> ProbePassed()
    {
        if (directory.Find(MachineId) is not { Row: { State: MachineState.Running, ReadyAt: null } old } resident)
            return MachineAnswer.No(Refusal.Conflict("the sandbox does not wait for its probe"));
        var row = Stamp(old with { ReadyAt = time.GetUtcNow() }, resident);
        await events.CommitAsync(row, isNew: false, [new NewEvent(EventNames.SandboxReady)], CancellationToken.None);
        Settle(resident, row);
        return MachineAnswer.Of(row);
    }

    public async ValueTask SnapshotTaken(string snapshot)
    {
        if (directory.Find(MachineId) is not { Row.IsComputer: false } resident)
            return;
        var row = Stamp(resident.Row, resident);
        await events.CommitAsync(row, isNew: false, [new NewEvent(EventNames.SandboxSnapshotReady, new JsonObject { ["snapshot_id"] = snapshot })], CancellationToken.None);
        Settle(resident, row);
    }

    private async Task<MachineAnswer> CreateWarmAsync(Machine draft, long begun, CancellationToken ct)
    {
        MachineInfo info;
        try
        {
            // Always with a policy: a claim that came to nothing may have left another in this machine.
            info = await runtime.ClaimAsync(draft.Id, draft.Vcpus, draft.MemoryMb, draft.DiskMb, EgressFields.RequestOf(draft), ct);
            if (info.State != MachineStates.Running)
                throw new RuntimeRefusedException(RuntimeErrors.Failed, info.Reason ?? info.State);
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException or OperationCanceledException)
        {
            WarmMachineGone(log, draft.Id, e.Message);
            return new MachineAnswer { Code = MachineAnswer.WarmGone, Message = e.Message };
        }
        const string bootPath = "warm";
        var row = draft.IsComputer ? Launched(draft, info.Socket, bootPath) : Running(draft, info.Socket, bootPath, begun);
        NewEvent[] made = draft.IsComputer ? [new(EventNames.ComputerCreated)] : [new(EventNames.SandboxCreated), new(EventNames.BuildStarted), .. Booted(row)];
        if (await SaveAsync(row, isNew: true, made) is { } taken)
            return taken;
        var resident = new Resident(row, road: null);
        directory.Add(resident);
        // After the directory knows it: between the two owners no sweep may find it ownerless.
        resident.Road = pool.Handover(row.Id) ?? new GuestRoad(info.Socket);
        Settle(resident, row);
        // Its desktop runs, and is given the size that was asked for and looked at once more.
        if (draft.IsComputer)
            BeginDesktop(resident, begun);
        else
            await afterBoot.BeginAsync(resident, isContinued: false, ct);
        return MachineAnswer.Of(row);
    }

    private async Task<MachineAnswer> CreateColdAsync(Machine draft, string? source, bool hasMemory, long begun, CancellationToken ct)
    {
        if (!runtime.IsUp)
            return MachineAnswer.No(Refusal.Unavailable("miosa-runtime is not reachable; nothing was made"));
        NewEvent[] made = draft.IsComputer ? [new NewEvent(EventNames.ComputerCreated)] : [new NewEvent(EventNames.SandboxCreated), new NewEvent(EventNames.BuildStarted)];
        if (await SaveAsync(draft, isNew: true, made) is { } taken)
            return taken;
        var resident = new Resident(draft, road: null);
        directory.Add(resident);
        try
        {
            var request = LaunchRequest(draft) with { Memory = hasMemory ? true : null };
            var isSnapshot = source?.StartsWith("snap_", StringComparison.Ordinal) == true;
            if (hasMemory && !isSnapshot && source is not null && await SuspendAsync(source) is { } cannot)
            {
                await Ask(Want.BootFailed, cannot.Message);
                return MachineAnswer.No(cannot);
            }
            var info = source is null || isSnapshot
                ? await runtime.LaunchAsync(request with { From = source }, ct)
                : await runtime.ForkAsync(request with { Source = source }, ct);
            resident.Road = new GuestRoad(info.Socket);
            // Ready means that the guest answered; the connection serves the first command, too.
            await resident.Road.ConnectAsync(ct);
            var bootPath = source is null ? "cold" : hasMemory ? "memory" : isSnapshot ? "snapshot" : "fork";
            if (draft.IsComputer)
            {
                var launched = Launched(draft, info.Socket, bootPath);
                await events.CommitAsync(launched, isNew: false, [], CancellationToken.None);
                Settle(resident, launched);
                BeginDesktop(resident, begun);
                return MachineAnswer.Of(launched);
            }
            var row = Running(draft, info.Socket, bootPath, begun);
            await events.CommitAsync(row, isNew: false, Booted(row), CancellationToken.None);
            Settle(resident, row);
            await afterBoot.BeginAsync(resident, isContinued: hasMemory, ct);
            return MachineAnswer.Of(row);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            await Ask(Want.BootTimedOut, $"not ready after {settings.BootTimeoutSec} s");
            return MachineAnswer.No(Refusal.Unavailable($"the {draft.Kind} was not ready after {settings.BootTimeoutSec} s; it was removed", retryAfter: 5));
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException or SocketException or IOException or GuestException)
        {
            await Ask(Want.BootFailed, e.Message);
            return FailedBoot(e, hasMemory, draft.Kind);
        }
    }

    private async Task<Refusal?> SuspendAsync(string source) =>
        directory.Find(source) is { } resident ? await GuestMemory.SuspendAsync(resident, runtime) : Refusal.Conflict("what was to be copied is gone");

    private static MachineAnswer FailedBoot(Exception e, bool hasMemory, string kind) => e switch
    {
        // Whoever asks again gets the same: what runs holds something that cannot be written.
        RuntimeRefusedException { Code: RuntimeErrors.Failed } when hasMemory => MachineAnswer.No(Refusal.Conflict($"the {kind} could not be started with its memory: {e.Message}")),
        RuntimeRefusedException { Code: RuntimeErrors.NotFound } => MachineAnswer.No(Refusal.Conflict("what was to be copied is gone")),
        RuntimeRefusedException { Code: RuntimeErrors.ImageNotFound } => MachineAnswer.NoField(kind == MachineKind.Computer ? "template_type" : "template_id", e.Message),
        RuntimeRefusedException { Code: RuntimeErrors.LimitRefused } => MachineAnswer.NoField("size", e.Message),
        _ => MachineAnswer.No(Refusal.Unavailable($"the {kind} could not be started: {e.Message}")),
    };

    private static RuntimeRequest LaunchRequest(Machine row) =>
        LaunchRequest(row.Id, row.Image, row.Vcpus, row.MemoryMb, row.DiskMb, EgressFields.RequestOf(row), row.Persistent) with { Isolation = row.Isolation, Hostname = row.Kind };

    public static RuntimeRequest LaunchRequest(string machine, string image, int vcpus, int memoryMb, int diskMb, EgressRequest egress, bool isDurable = false) => new()
    {
        Machine = machine,
        Image = image,
        Vcpus = vcpus,
        MemoryMb = memoryMb,
        DiskMb = diskMb,
        Hostname = "sandbox",
        Network = true,
        Egress = egress,
        Durable = isDurable,
    };

    private Machine Running(Machine draft, string socket, string bootPath, long begun)
    {
        var now = time.GetUtcNow();
        return draft with
        {
            State = MachineState.Running,
            Epoch = draft.Epoch + 1,
            SocketPath = socket,
            BootPath = bootPath,
            BootMs = (int)Math.Ceiling(time.GetElapsedTime(begun).TotalMilliseconds),
            StartedAt = now,
            RunningSince = now,
            ReadyAt = draft.Probe is null ? now : null,
            UpdatedAt = now,
            LastActivityAt = now,
            DueAt = now.AddSeconds(draft.TimeoutSec),
        };
    }

    private static List<NewEvent> Booted(Machine row)
    {
        List<NewEvent> news = [new(EventNames.BuildCompleted, new JsonObject { ["duration_ms"] = row.BootMs, ["boot_path"] = row.BootPath })];
        if (row.ReadyAt is not null)
            news.Add(new NewEvent(EventNames.SandboxReady));
        return news;
    }

    /// <summary>Null when it was done; otherwise nothing changed and the answer says why.</summary>
    private async Task<MachineAnswer?> TryActAsync(Decision decision, Want want)
    {
        // What is dead already can be written without the runtime: the sweep removes the remains when it can.
        var isOver = want is Want.Died or Want.BootFailed or Want.BootTimedOut;
        try
        {
            await ActAsync(decision.Act);
            return null;
        }
        catch (RuntimeDownException e)
        {
            return isOver ? null : MachineAnswer.No(Refusal.Unavailable(e.Message));
        }
        catch (RuntimeRefusedException e)
        {
            ActRefused(log, decision.Act, MachineId, e.Message);
            if (isOver)
                return null;
            if (decision.Act == Act.ParkWithMemory && e.Code == RuntimeErrors.Failed)
                return MachineAnswer.No(Refusal.Conflict(e.Message));
            if (decision.Act is Act.Kill or Act.Park or Act.ParkWithMemory || await IsAliveAsync() || (decision.Act == Act.Thaw && await IsParkedAsync()))
                return MachineAnswer.No(Refusal.Unavailable(e.Message));
            await Ask(Want.Died, e.Message);
            return MachineAnswer.No(Refusal.Conflict($"the {MachineKind.OfId(MachineId)} died: {e.Message}"));
        }
    }

    private async Task ActAsync(Act act)
    {
        switch (act)
        {
            case Act.Freeze:
                await runtime.FreezeAsync(MachineId, CancellationToken.None);
                break;
            case Act.Thaw:
                await runtime.ThawAsync(MachineId, CancellationToken.None);
                break;
            case Act.Park:
                await runtime.StopAsync(MachineId, hasMemory: false, CancellationToken.None);
                break;
            case Act.ParkWithMemory:
                await runtime.StopAsync(MachineId, hasMemory: true, CancellationToken.None);
                break;
            case Act.Kill:
                await runtime.DestroyAsync(MachineId, CancellationToken.None);
                break;
        }
    }

    /// <summary>True as well when the runtime cannot be asked: nothing is declared dead on a guess.</summary>
    private async Task<bool> IsAliveAsync()
    {
        try
        {
            return await runtime.InspectAsync(MachineId, CancellationToken.None) is { State: MachineStates.Running or MachineStates.Frozen };
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            return true;
        }
    }

    private async Task<bool> IsParkedAsync()
    {
        try
        {
            return await runtime.InspectAsync(MachineId, CancellationToken.None) is { State: MachineStates.Dead };
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            return false;
        }
    }

    /// <summary>A new life on the files of the old one; when it fails the machine stays paused, and the next call tries again.</summary>
    private async Task<MachineAnswer> StartAgainAsync(Resident resident, Decision decision)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.BootTimeoutSec), time);
        try
        {
            var old = resident.Row;
            var request = LaunchRequest(old) with { Durable = true };
            var info = await runtime.StartAsync(request, limit.Token);
            resident.Road ??= new GuestRoad(info.Socket);
            await resident.Road.ConnectAsync(limit.Token);
            // Its probe, if it has one, is for this life again.
            var isContinued = info.Memory == true;
            if (old.Probe is not null && !isContinued)
                directory.Replace(resident, old with { ReadyAt = null });
            var answer = await CommitAsync(resident, decision, reason: null);
            if (answer.Code is null)
                await afterBoot.BeginAsync(resident, isContinued, limit.Token);
            else
                await TryUndoAsync(isContinued ? Act.Freeze : Act.Park);
            return answer;
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException or SocketException or IOException or GuestException or OperationCanceledException)
        {
            // Half started it would be taken for a frozen one, and go on without its entry point.
            await TryUndoAsync(Act.Park);
            return MachineAnswer.No(Refusal.Unavailable($"the sandbox could not be started again; its files are kept: {e.Message}"));
        }
    }

    /// <summary>What cannot be undone now is put right by the reconciliation: the row says what the machine should be.</summary>
    private async Task TryUndoAsync(Act act)
    {
        try
        {
            await ActAsync(act);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            ActRefused(log, act, MachineId, e.Message);
        }
    }

    private async Task<MachineAnswer> CommitAsync(Resident resident, Decision decision, string? reason, Func<Machine, Machine>? also = null)
    {
        var now = time.GetUtcNow();
        var old = resident.Row;
        var row = old with { State = decision.Next };
        if (old.State is MachineState.Running or MachineState.Starting && old.RunningSince is { } since)
            row = row with { RanSec = old.RanSec + (int)(now - since).TotalSeconds, RunningSince = null };
        if (decision.Next is MachineState.Running or MachineState.Starting)
        {
            resident.Touch(now);
            row = row with { RunningSince = now, DueAt = old.IsComputer ? null : now.AddSeconds(old.TimeoutSec) };
        }
        if (decision.Next == MachineState.Destroyed)
            row = row with { DestroyedAt = now, SealedEnv = null, DueAt = null };
        if (reason is not null && decision.Next is MachineState.Error or MachineState.Destroyed)
            row = row with { Error = reason ?? old.Error };
        if (also is not null)
            row = also(row);
        row = Stamp(row, resident);
        var news = decision.Events.Select(type => new NewEvent(type, row.IsComputer ? ComputerDataOf(type, reason) : DataOf(type, reason))).ToList();
        if (await events.TryCommitAsync(row, isNew: false, news, CancellationToken.None) is { } refusal)
            return MachineAnswer.No(refusal);
        Settle(resident, row);
        StateChanged(log, row.Id, old.State, row.State, reason ?? "");
        // The road of a computer in error leads to its next life.
        if ((row.State == MachineState.Destroyed || row is { State: MachineState.Error, IsComputer: false }) && resident.Road is { } road)
            await road.DisposeAsync();
        if (!row.IsLive)
            DeactivateOnIdle();
        return MachineAnswer.Of(row);
    }

    private static JsonObject? DataOf(string type, string? reason) => type switch
    {
        EventNames.SandboxPaused when reason is not null => new JsonObject { ["reason"] = reason },
        EventNames.SandboxError => new JsonObject { ["reason"] = reason },
        EventNames.BuildFailed => new JsonObject { ["error"] = reason ?? "destroyed before it was ready", ["exit_code"] = 1 },
        EventNames.BuildTimedOut => new JsonObject { ["error"] = reason },
        EventNames.SandboxDestroyed when reason is not null => new JsonObject { ["reason"] = reason },
        _ => null,
    };

    private Machine Stamp(Machine row, Resident resident) =>
        row with { Epoch = row.Epoch + 1, UpdatedAt = time.GetUtcNow(), LastActivityAt = resident.LastUsed };

    private void Settle(Resident resident, Machine row)
    {
        directory.Replace(resident, row);
        deadlines.Watch(resident);
    }

    /// <summary>Null when written; the refusal when a name is taken or a cap reached.</summary>
    private async Task<MachineAnswer?> SaveAsync(Machine row, bool isNew, IReadOnlyList<NewEvent> news)
    {
        try
        {
            return await events.TryCommitAsync(row, isNew, news, CancellationToken.None) is { } refusal ? MachineAnswer.No(refusal) : null;
        }
        catch (SqliteException e) when (e.SqliteExtendedErrorCode == UniqueIsTaken)
        {
            var byName = e.Message.Contains("machines.Name", StringComparison.Ordinal);
            return MachineAnswer.No(Refusal.Conflict(byName
                ? $"the name \"{row.Name}\" is taken by another sandbox"
                : $"the slug \"{row.Slug}\" is taken by another sandbox or computer"));
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "machine {Machine}: {Old} -> {New} {Reason}")]
    private static partial void StateChanged(ILogger log, string machine, MachineState old, MachineState @new, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "the runtime refused {Act} of machine {Machine}: {Reason}")]
    private static partial void ActRefused(ILogger log, Act act, string machine, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "warm machine {Machine} could not be claimed: {Reason}")]
    private static partial void WarmMachineGone(ILogger log, string machine, string reason);
}
