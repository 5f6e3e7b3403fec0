using Microsoft.EntityFrameworkCore;
using Miosa.Runtime.Wire;
using Miosa.Server.Audit;
using Miosa.Server.ComputerServices;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Storage;
using Miosa.Server.Templates;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// Makes rows and machines agree, when the runtime connects, when it reports a death, and every <c>--sweep-sec</c>:
/// 1. look at the rows, then list the machines (in this order: a row seen running before the list must be on it);
/// 2. a running or paused row without a living machine: the grain looks again and writes the state error, or paused where the files are kept;
/// 3. a row that is provisioning and nobody's work any more: failed;
/// 4. frozen and running as the row says (a crash may lie between act and write);
/// 5. a computer that is starting and at whose desktop nobody works: its desktop is started;
/// 6. a machine without a living row, and neither of the pool nor of a build: destroyed.
/// </summary>
internal sealed partial class Reconciliation(
    RuntimeClient runtime,
    MachineDirectory directory,
    WarmPool pool,
    Builds builds,
    IGrainFactory grains,
    Database database,
    Idempotency idempotency,
    AuditLog audit,
    ServiceKeeper services,
    ServerSettings settings,
    TimeProvider time,
    ILogger<Reconciliation> log) : BackgroundService
{
    private static readonly TimeSpan HalfMadeAfter = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);

    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private readonly TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DateTimeOffset forgetAt;

    /// <summary>Completes after the first full pass: from then on every row tells the truth.</summary>
    public Task FirstPass => first.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var change = await NextChangeAsync(stoppingToken);
                if (change is null or { Machine: "" })
                    await PassAsync(stoppingToken);
                else if (change.State == MachineStates.Dead && !pool.Died(change.Machine))
                    await ReportDeathAsync(change.Machine, change.Reason ?? "the machine died");
                else if (change.State == MachineStates.Dead)
                    await runtime.DestroyAsync(change.Machine, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
            {
                // The client reports the loss and, when it is back, starts a new pass.
            }
#pragma warning disable CA1031 // A loop's edge: the next pass starts from nothing and repeats what failed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                PassFailed(log, e);
            }
        }
    }

    /// <summary>The next report of the runtime, or null when it is time for a sweep.</summary>
    private async Task<MachineChange?> NextChangeAsync(CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var sweep = Task.Delay(TimeSpan.FromSeconds(settings.SweepSec), time, limit.Token);
        var news = runtime.Changes.WaitToReadAsync(limit.Token).AsTask();
        await Task.WhenAny(sweep, news);
        await limit.CancelAsync();
        ct.ThrowIfCancellationRequested();
        return runtime.Changes.TryRead(out var change) ? change : null;
    }

    private async Task PassAsync(CancellationToken ct)
    {
        var rows = directory.All.Select(r => r.Row).ToList();
        var machines = (await runtime.ListAsync(ct)).ToDictionary(m => m.Machine);
        foreach (var row in rows)
        {
            var machine = machines.GetValueOrDefault(row.Id);
            switch (row.State)
            {
                case MachineState.Paused when row.Persistent && machine is { State: MachineStates.Dead }:
                    // Stopped: its files wait for the next use.
                    break;
                case MachineState.Error when row.IsComputer && machine is { State: not MachineStates.Dead }:
                    await GrainOf(row.Id).Ask(Want.Match, reason: null);
                    break;
                case MachineState.Starting when machine is null:
                    await ReportDeathAsync(row.Id, "the machine is gone");
                    break;
                case MachineState.Starting:
                    // Somebody works at it, or the server ended while somebody did.
                    await GrainOf(row.Id).Ask(Want.Start, reason: null);
                    break;
                case MachineState.Running or MachineState.Paused when machine is null or { State: MachineStates.Dead }:
                    await ReportDeathAsync(row.Id, machine?.Reason ?? "the machine is gone");
                    break;
                case MachineState.Provisioning when row.CreatedAt < startedAt || row.CreatedAt < time.GetUtcNow() - HalfMadeAfter:
                    await GrainOf(row.Id).Ask(Want.BootFailed, "the server stopped while it was being made");
                    break;
                case MachineState.Running when machine is { State: MachineStates.Frozen }:
                    await GrainOf(row.Id).Ask(Want.Match, reason: null);
                    break;
                case MachineState.Paused when machine is { State: MachineStates.Running }:
                    await GrainOf(row.Id).Ask(Want.Match, reason: null);
                    break;
            }
        }
        foreach (var (id, _) in machines)
        {
            // Looked up now, not in the list of before: a machine made meanwhile has its row by now.
            if (pool.Owns(id) || builds.Owns(id) || directory.Find(id) is { Row: { IsComputer: true } or { State: not MachineState.Error } })
                continue;
            await runtime.DestroyAsync(id, ct);
            Swept(log, id);
        }
        first.TrySetResult();
        if (time.GetUtcNow() >= forgetAt)
        {
            await ForgetAsync(ct);
            forgetAt = time.GetUtcNow() + ForgetEvery;
        }
    }

    private async Task ReportDeathAsync(string machine, string reason)
    {
        if (directory.Find(machine) is not null)
            await GrainOf(machine).Ask(Want.Died, reason);
    }

    private async Task ForgetAsync(CancellationToken ct)
    {
        await idempotency.ForgetOldAsync(ct);
        await audit.ForgetOldAsync(ct);
        await services.ForgetAsync(ct);
        var limit = time.GetUtcNow().AddDays(-settings.EventDays);
        await database.WriteAsync(
            db =>
            {
                db.Events.Where(e => e.At < limit).ExecuteDelete();
                // One with services has a checkpoint that hands them on: they would go with its row.
                db.Machines.Where(m => m.State == MachineState.Destroyed && m.DestroyedAt < limit && !db.Services.Any(s => s.MachineId == m.Id)).ExecuteDelete();
            },
            ct);
    }

    private IMachineGrain GrainOf(string machine) => grains.GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, machine));

    [LoggerMessage(Level = LogLevel.Information, Message = "machine {Machine} belonged to nobody and was destroyed")]
    private static partial void Swept(ILogger log, string machine);

    [LoggerMessage(Level = LogLevel.Error, Message = "a reconciliation pass failed; the next one starts anew")]
    private static partial void PassFailed(ILogger log, Exception exception);
}
