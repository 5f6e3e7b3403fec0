#pragma warning disable VSTHRD200 // Grain methods carry no Async (style rule 6).
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Miosa.Runtime.Wire;
using Miosa.Server.Computers;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// What a computer has of its own. The machine itself is made, started and ended in here; its desktop is started outside (<see cref="Desktops"/>), which takes
/// seconds in which the computer can be stopped and deleted. What comes back from there names the boot that it belongs to, and a late one is nobody's.
/// </summary>
internal sealed partial class MachineGrain
{
    /// <summary>So often in a row it may die by itself and be started again, in the time of <see cref="FallsForgottenAfter"/>.</summary>
    private const int MaxFalls = 3;
    private static readonly TimeSpan FallsForgottenAfter = TimeSpan.FromMinutes(10);

    private readonly Queue<DateTimeOffset> falls = [];

    public async ValueTask<MachineAnswer> DesktopSeen(long boot, bool hasDesktop)
    {
        if (directory.Find(MachineId) is not { Row: { IsComputer: true, State: MachineState.Starting } row } resident || resident.Boot != boot)
            return MachineAnswer.No(Refusal.Conflict("the computer does not wait for this desktop"));
        int? bootMs = resident.BootBegan is { } began ? (int)Math.Ceiling(time.GetElapsedTime(began).TotalMilliseconds) : row.BootMs;
        var answer = await CommitAsync(resident, ComputerLifecycle.Decide(row.State, Want.Booted), reason: null, next => next with
        {
            HasDesktop = hasDesktop,
            ScreenWidth = hasDesktop ? next.ScreenWidth : null,
            ScreenHeight = hasDesktop ? next.ScreenHeight : null,
            BootMs = bootMs,
            Error = null,
            DesktopError = null,
            StartedAt = time.GetUtcNow(),
            ReadyAt = time.GetUtcNow(),
        });
        if (answer.Machine is { } machine)
            desktops.AfterStart(resident, machine);
        return answer;
    }

    public async ValueTask<MachineAnswer> DesktopFailed(long boot, string reason)
    {
        if (directory.Find(MachineId) is not { Row: { IsComputer: true, State: MachineState.Starting } row } resident || resident.Boot != boot)
            return MachineAnswer.No(Refusal.Conflict("the computer does not wait for this desktop"));
        return await AskComputerAsync(resident, row, Want.BootFailed, reason);
    }

    public async ValueTask DesktopErred(string reason)
    {
        if (directory.Find(MachineId) is not { Row: { IsComputer: true, State: MachineState.Running } old } resident || old.DesktopError == reason)
            return;
        var row = Stamp(old with { DesktopError = reason }, resident);
        await events.CommitAsync(row, isNew: false, [], CancellationToken.None);
        Settle(resident, row);
    }

    public async ValueTask<MachineAnswer> AppDone(string app, string? reason)
    {
        if (directory.Find(MachineId) is not { Row: { IsComputer: true } old } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.Computer));
        var missing = AppCatalog.ReadMissing(old.MissingApps).ToDictionary();
        // Nobody wants it any more.
        if (!missing.Remove(app))
            return MachineAnswer.Of(old);
        if (reason is not null)
            missing[app] = reason;
        var row = Stamp(old with { MissingApps = AppCatalog.MissingOf(missing) }, resident);
        await events.CommitAsync(row, isNew: false, [], CancellationToken.None);
        Settle(resident, row);
        return MachineAnswer.Of(row);
    }

    public async ValueTask<MachineAnswer> Restore(string snapshot)
    {
        if (directory.Find(MachineId) is not { Row.IsComputer: true } resident)
            return MachineAnswer.No(Refusal.NotFound(MachineKind.Computer));
        if (resident.Row.State is not MachineState.Paused && await AskComputerAsync(resident, resident.Row, Want.Stop, "it goes back to a checkpoint") is { Code: not null } refused)
            return refused;
        var former = resident.Row.RestoreFrom;
        await SetRestoreAsync(resident, snapshot);
        var answer = await BootAsync(resident, ComputerLifecycle.Decide(resident.Row.State, Want.Start), reason: null);
        // Refused before anything was begun: an ordinary start later must not throw the disk away.
        if (answer.Code is not null && resident.Row.State == MachineState.Paused)
            await SetRestoreAsync(resident, former);
        return answer;
    }

    private async Task SetRestoreAsync(Resident resident, string? snapshot)
    {
        var row = Stamp(resident.Row with { RestoreFrom = snapshot }, resident);
        await events.CommitAsync(row, isNew: false, [], CancellationToken.None);
        Settle(resident, row);
    }

    /// <summary>
    /// The machine on a new disk. Without the checkpoint, which somebody may have deleted since, nothing is thrown away: it boots as it is.
    /// </summary>
    private async Task<MachineInfo> BootFromAsync(Machine row, string snapshot, CancellationToken ct)
    {
        if ((await runtime.SnapshotsAsync(ct)).All(present => present.Snapshot != snapshot))
            return await runtime.StartAsync(LaunchRequest(row) with { Durable = true }, ct);
        await runtime.DestroyAsync(row.Id, ct);
        return await runtime.LaunchAsync(LaunchRequest(row) with { Durable = true, From = snapshot }, ct);
    }

    private async ValueTask<MachineAnswer> AskComputerAsync(Resident resident, Machine row, Want want, string? reason)
    {
        if (want == Want.Deadline && !(resident.NextDue(time.GetUtcNow()) <= time.GetUtcNow()))
            return MachineAnswer.Of(row);
        if (want == Want.Died)
        {
            if (await IsAliveAsync())
                return MachineAnswer.Of(row);
            if (await IsParkedAsync() && !FallsTooOften(row, ref reason))
                want = Want.Fell;
        }
        // Reconciliation asks so for one that is starting and whose desktop nobody works at.
        if (want == Want.Start && row.State == MachineState.Starting && !desktops.IsAt(row.Id))
        {
            if (await IsAliveAsync() && resident.Road is not null)
            {
                BeginDesktop(resident, resident.BootBegan);
                return MachineAnswer.Of(row);
            }
            want = Want.Fell;
        }
        var decision = ComputerLifecycle.Decide(row.State, want);
        if (decision.Refusal is { } refusal)
            return MachineAnswer.No(refusal);
        if (decision.ChangesNothing)
            return MachineAnswer.Of(row);
        // Somebody wants it: what happened before is forgotten.
        if (want is Want.Start or Want.Restart && row.State is (MachineState.Paused or MachineState.Error))
            falls.Clear();
        if (decision.Act is Act.Boot or Act.Reboot)
            return await BootAsync(resident, decision, reason);
        desktops.Leave(row.Id);
        if (await TryActAsync(decision, want) is { } failure)
            return failure;
        return decision.Next == row.State ? MachineAnswer.Of(row) : await CommitAsync(resident, decision, reason);
    }

    /// <summary>A new life on the disk. When it fails the computer is in error, its disk is kept, and the next start tries again.</summary>
    private async Task<MachineAnswer> BootAsync(Resident resident, Decision decision, string? reason)
    {
        var row = resident.Row;
        if (gate.Look(row with { State = MachineState.Starting }) is { } full)
            return MachineAnswer.No(full);
        desktops.Leave(row.Id);
        if (!runtime.IsUp)
            return MachineAnswer.No(Refusal.Unavailable("miosa-runtime is not reachable; nothing was changed"));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(settings.BootTimeoutSec), time);
        var begun = time.GetTimestamp();
        try
        {
            if (decision.Act == Act.Reboot)
                await runtime.StopAsync(row.Id, hasMemory: false, limit.Token);
            var info = row.RestoreFrom is { } snapshot
                ? await BootFromAsync(row, snapshot, limit.Token)
                : await runtime.StartAsync(LaunchRequest(row) with { Durable = true }, limit.Token);
            // It starts with the limits that it had; a resize while it was stopped counts from now.
            if (info.Vcpus != row.Vcpus || info.MemoryMb != row.MemoryMb || info.DiskMb != row.DiskMb)
                await runtime.LimitAsync(row.Id, row.Vcpus, row.MemoryMb, row.DiskMb, limit.Token);
            resident.Road ??= new GuestRoad(info.Socket);
            await resident.Road.ConnectAsync(limit.Token);
            var answer = await CommitAsync(resident, decision, reason, next => next with { SocketPath = info.Socket, RestoreFrom = null, Error = null, DesktopError = null, ReadyAt = null });
            if (answer.Code is null)
                BeginDesktop(resident, begun);
            else
                await TryUndoAsync(Act.Park);
            return answer;
        }
        catch (Exception e) when (e is RuntimeRefusedException or RuntimeDownException or SocketException or IOException or GuestException or OperationCanceledException)
        {
            await TryUndoAsync(Act.Park);
            var why = e is OperationCanceledException ? $"it was not up after {settings.BootTimeoutSec} s" : e.Message;
            await CommitAsync(resident, new Decision(MachineState.Error, Act.None, row.State == MachineState.Error ? [] : [EventNames.ComputerError]), $"the computer could not be started: {why}");
            return MachineAnswer.No(Refusal.Unavailable($"the computer could not be started; its disk is kept: {why}"));
        }
    }

    /// <param name="begun">When the boot began, as a timestamp; null for one that a former process began.</param>
    private void BeginDesktop(Resident resident, long? begun)
    {
        resident.BootBegan = begun;
        resident.Boot++;
        desktops.Begin(resident, resident.Boot);
    }

    /// <summary>One that dies as soon as it runs is not started for ever.</summary>
    private bool FallsTooOften(Machine row, ref string? reason)
    {
        if (row.State is not (MachineState.Running or MachineState.Starting))
            return false;
        var now = time.GetUtcNow();
        while (falls.TryPeek(out var first) && first < now - FallsForgottenAfter)
            falls.Dequeue();
        if (falls.Count >= MaxFalls)
        {
            reason = $"it died {MaxFalls + 1} times in {FallsForgottenAfter.TotalMinutes:0} minutes, last: {reason}";
            return true;
        }
        falls.Enqueue(now);
        return false;
    }

    /// <summary>The machine runs; its desktop comes next. Answered before that.</summary>
    private Machine Launched(Machine draft, string socket, string bootPath)
    {
        var now = time.GetUtcNow();
        return draft with
        {
            State = MachineState.Starting,
            Epoch = draft.Epoch + 1,
            SocketPath = socket,
            BootPath = bootPath,
            RunningSince = now,
            UpdatedAt = now,
            LastActivityAt = now,
        };
    }

    private static JsonObject? ComputerDataOf(string type, string? reason) => type switch
    {
        EventNames.ComputerError => new JsonObject { ["reason"] = reason ?? "deleted before it was started" },
        EventNames.ComputerStopped or EventNames.ComputerRestarted or EventNames.ComputerDeleted when reason is not null => new JsonObject { ["reason"] = reason },
        _ => null,
    };
}
