using System.Collections.Concurrent;
using System.Net.Sockets;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.ComputerServices;

/// <summary>
/// Runs the services: all that are wanted when their computer has booted, and again when one ends and its policy says so. It looks at the
/// machine's own list of processes, so nothing is lost with this process; what it keeps in memory is only how often a service ended quickly.
/// </summary>
internal sealed partial class ServiceKeeper(
    ServiceSet services, MachineDirectory directory, EnvSeal seal, TimeProvider time, ILogger<ServiceKeeper> log) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GuestPatience = TimeSpan.FromSeconds(5);

    /// <summary>What ran for so long did not end quickly.</summary>
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>From so many ended processes on a guest forgets the oldest when it starts another.</summary>
    private const int FullList = 255;

    /// <summary>By machine; the loop's own.</summary>
    private readonly Dictionary<string, Task> looking = [];

    private readonly ConcurrentDictionary<string, Task> beginning = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> turns = [];
    private readonly ConcurrentDictionary<string, Trouble> troubles = [];

    /// <summary>Starts what is wanted, in a computer that has just come up. Its caller does not wait.</summary>
    public void Begin(Resident resident)
    {
        if (services.Of(resident.Row.Id).Any(row => row.IsWanted))
            beginning[resident.Row.Id] = StartAllAsync(resident, stopping.Token);
    }

    /// <summary>Gives a computer that was made of another's disk the same services. It may have come up meanwhile, when it had none.</summary>
    public async Task AdoptAsync(string fromMachine, string toMachine)
    {
        await services.CopyAsync(fromMachine, toMachine, time.GetUtcNow());
        if (directory.Find(toMachine) is { Row.State: MachineState.Running } resident)
            Begin(resident);
    }

    private async Task StartAllAsync(Resident resident, CancellationToken ct)
    {
        await Task.Yield();
        foreach (var row in services.Of(resident.Row.Id).Where(row => row.IsWanted))
        {
            try
            {
                troubles.TryRemove(row.Id, out _);
                if (resident.Road is { } road)
                    await StartWantedAsync(await road.ConnectAsync(ct), resident, row, ct);
            }
            catch (Exception e) when (e is GuestException or SocketException or IOException or OperationCanceledException)
            {
                // The computer itself is fine and answers; the service says that it failed.
                troubles[row.Id] = new Trouble(1, e.Message) { At = time.GetUtcNow() };
                NotStarted(log, row.Id, row.MachineId, e.Message);
            }
        }
    }

    /// <summary>Registers a service and starts it. What cannot be started even once is not registered: its caller has to change it anyway.</summary>
    public async Task<(GuestProcess? Process, Refusal? Refusal)> AddAsync(GuestConnection guest, ServiceRow row, CancellationToken ct)
    {
        // In one turn, or a look starts what is taken back just then.
        using var turn = await TurnAsync(row, ct);
        if (await services.AddAsync(row) is { } taken)
        {
            Forget(row);
            return (null, taken);
        }
        var isStarted = false;
        try
        {
            var process = await RunAsync(guest, ResidentOf(row), row, ct);
            isStarted = true;
            return (process, null);
        }
        finally
        {
            if (!isStarted)
            {
                await services.DeleteAsync(row);
                Forget(row);
            }
        }
    }

    /// <summary>Starts it unless it runs.</summary>
    public async Task<GuestProcess> StartAsync(GuestConnection guest, ServiceRow row, CancellationToken ct)
    {
        var resident = ResidentOf(row);
        using var turn = await TurnAsync(row, ct);
        return await ProcessAsync(guest, row, ct) is { State: GuestProcessState.Running } present ? present : await RunAsync(guest, resident, row, ct);
    }

    /// <summary>Ends it and everything it started; null when it never ran.</summary>
    public async Task<GuestProcess?> StopAsync(GuestConnection guest, ServiceRow row, CancellationToken ct)
    {
        troubles.TryRemove(row.Id, out _);
        using var turn = await TurnAsync(row, ct);
        return await EndAsync(guest, row, ct);
    }

    /// <summary>In one turn: nobody starts it in between. A caller that leaves when it has ended still gets it started.</summary>
    public async Task<GuestProcess?> RestartAsync(GuestConnection guest, ServiceRow row, CancellationToken ct)
    {
        var resident = ResidentOf(row);
        troubles.TryRemove(row.Id, out _);
        using var turn = await TurnAsync(row, ct);
        await EndAsync(guest, row, ct);
        return await RunAsync(guest, resident, row, CancellationToken.None);
    }

    /// <summary>A boot's start: of what nobody has stopped or deleted since it began.</summary>
    private async Task StartWantedAsync(GuestConnection guest, Resident resident, ServiceRow row, CancellationToken ct)
    {
        using var turn = await TurnAsync(row, ct);
        if (services.Find(row.MachineId, row.Id) is { IsWanted: true } && await ProcessAsync(guest, row, ct) is not { State: GuestProcessState.Running })
            await RunAsync(guest, resident, row, ct);
    }

    /// <summary>A look's start: of what is still wanted and has had no other process since the look.</summary>
    private async Task StartAgainAsync(GuestConnection guest, Resident resident, ServiceRow row, int lastPid, CancellationToken ct)
    {
        using var turn = await TurnAsync(row, ct);
        if (services.Find(row.MachineId, row.Id) is { IsKept: true } && (await ProcessAsync(guest, row, ct))?.Pid is var pid && (pid ?? 0) == lastPid)
            await RunAsync(guest, resident, row, ct);
    }

    private async Task<GuestProcess> RunAsync(GuestConnection guest, Resident resident, ServiceRow row, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        var defaults = CommandDefaults.Of(resident.Row);
        var env = defaults.With(resident.Env(seal).Values).ToDictionary();
        foreach (var (name, value) in seal.Open(row.SealedEnv).Values)
            env[name] = value;
        // Not cancelled half way: what was started and not told of would be started twice.
        var process = await guest.StartProcessAsync(
            new ProcessStartCall { Shell = row.Command, Cwd = row.WorkingDir ?? defaults.Folder, User = defaults.User, Env = env, Name = row.ProcessName }, CancellationToken.None);
        if (troubles.TryGetValue(row.Id, out var known))
            troubles[row.Id] = known with { Reason = null };
        Started(log, row.Id, row.MachineId);
        return process;
    }

    private static async Task<GuestProcess?> EndAsync(GuestConnection guest, ServiceRow row, CancellationToken ct) =>
        await ProcessAsync(guest, row, ct) is { State: GuestProcessState.Running } running
            ? await guest.StopProcessAsync(running.Pid, CancellationToken.None)
            : await ProcessAsync(guest, row, ct);

    private Resident ResidentOf(ServiceRow row) => directory.Find(row.MachineId) ?? throw new GuestException(GuestException.Disconnected, "the computer is gone");

    /// <summary>One start or stop of a service at a time.</summary>
    private async Task<Turn> TurnAsync(ServiceRow row, CancellationToken ct)
    {
        var turn = turns.GetOrAdd(row.Id, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(ct);
        return new Turn(turn);
    }

    /// <summary>The services of deleted computers, of which nothing can be made any more.</summary>
    public async Task ForgetAsync(CancellationToken ct)
    {
        foreach (var row in await services.ForgetAsync(ct))
            Forget(row);
    }

    public void Forget(ServiceRow row)
    {
        troubles.TryRemove(row.Id, out _);
        turns.TryRemove(row.Id, out _);
    }

    /// <summary>A service in the contract's words.</summary>
    /// <param name="last">Its last process; null when there is none or the computer does not run.</param>
    public ComputerService View(ServiceRow row, GuestProcess? last, bool isComputerRunning)
    {
        var isRunning = isComputerRunning && last is { State: GuestProcessState.Running };
        return new ComputerService
        {
            Id = row.Id,
            ComputerId = row.MachineId,
            Name = row.Name,
            Command = row.Command,
            WorkingDir = row.WorkingDir,
            Env = row.SealedEnv is null ? new Dictionary<string, string>() : seal.Open(row.SealedEnv).Variables.ToDictionary(pair => pair.Key, _ => "***"),
            Status = StatusOf(row, last, isComputerRunning),
            RestartPolicy = row.RestartPolicy,
            AutoRestart = row.RestartPolicy != ComputerServiceRestart.No,
            Restart = row.RestartPolicy,
            Port = row.Port ?? (isRunning && last?.Port is >= 1 and <= 65_535 ? last.Port : null),
            Pid = isRunning ? last?.Pid : null,
            ExitCode = isRunning ? null : last?.ExitCode,
            CreatedAt = row.CreatedAt,
            UpdatedAt = row.UpdatedAt,
        };
    }

    /// <summary>The latest of its processes in a list that is oldest first.</summary>
    public static GuestProcess? LastOf(IReadOnlyList<GuestProcess> processes, ServiceRow row) => processes.LastOrDefault(process => process.Name == row.ProcessName);

    /// <summary>Whether a process that ended is to be followed by another.</summary>
    public static bool IsFollowed(string policy, GuestProcess ended) => policy switch
    {
        ComputerServiceRestart.Always => true,
        ComputerServiceRestart.OnFailure => ended.State == GuestProcessState.Failed || ended.ExitCode != 0,
        _ => false,
    };

    /// <summary>How long the next start waits after the last end: a second, doubled for each quick end in a row.</summary>
    public static TimeSpan PauseAfter(int quickEnds) =>
        quickEnds >= 6 ? LongestPause : TimeSpan.FromSeconds(Math.Min(1 << Math.Max(0, quickEnds - 1), LongestPause.TotalSeconds));

    public override void Dispose()
    {
        foreach (var turn in turns.Values)
            turn.Dispose();
        stopping.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(LookEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var (machine, _) in looking.Where(pair => pair.Value.IsCompleted))
                    looking.Remove(machine);
                foreach (var begun in beginning.Where(pair => pair.Value.IsCompleted))
                    beginning.TryRemove(begun);
                foreach (var machine in services.KeptMachines)
                {
                    // What the boot begins it also ends; a look would only come between.
                    if (!looking.ContainsKey(machine) && !beginning.ContainsKey(machine) && directory.Find(machine) is { Row.State: MachineState.Running } resident)
                        looking[machine] = LookAsync(resident, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException)
        {
            await stopping.CancelAsync();
            await Task.WhenAll([.. looking.Values, .. beginning.Values]);
        }
    }

    private async Task LookAsync(Resident resident, CancellationToken stopping)
    {
        // Not in the loop's own time: a machine that does not answer is waited for by nobody else.
        await Task.Yield();
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            patience.CancelAfter(GuestPatience);
            if (resident.Road is not { } road)
                return;
            var guest = await road.ConnectAsync(patience.Token);
            var processes = await guest.ListProcessesAsync(patience.Token);
            foreach (var row in services.Of(resident.Row.Id).Where(row => row.IsKept))
            {
                var last = LastOf(processes, row);
                if (last is not { State: GuestProcessState.Running } && IsMissed(row, last, processes) && IsDue(row, last))
                    await TryStartAgainAsync(guest, resident, row, last?.Pid ?? 0, patience.Token);
            }
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException or OperationCanceledException)
        {
            // The next look finds the same, or a machine that stopped.
        }
#pragma warning disable CA1031 // A loop's edge: the next look starts from nothing.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LookFailed(log, resident.Row.Id, e);
        }
    }

    private async Task TryStartAgainAsync(GuestConnection guest, Resident resident, ServiceRow row, int lastPid, CancellationToken ct)
    {
        try
        {
            await StartAgainAsync(guest, resident, row, lastPid, ct);
        }
        catch (GuestException e) when (e.Code is not (GuestException.Disconnected or GuestException.Protocol))
        {
            // The service's own fault, such as a folder that is gone: as if it had ended at once. The others are not to wait for it.
            var known = troubles.GetValueOrDefault(row.Id) ?? new Trouble(0, null) { Pid = lastPid };
            troubles[row.Id] = known with { QuickEnds = known.QuickEnds + 1, Reason = e.Message, At = time.GetUtcNow() };
            NotStarted(log, row.Id, row.MachineId, e.Message);
        }
    }

    /// <summary>
    /// Whether one that does not run should. One that never ran, too: the server ended between the boot and it. In a list that is full it may have ended well and
    /// been forgotten since.
    /// </summary>
    private bool IsMissed(ServiceRow row, GuestProcess? last, IReadOnlyList<GuestProcess> processes) =>
        troubles.GetValueOrDefault(row.Id)?.Reason is not null
        || (last is not null ? IsFollowed(row.RestartPolicy, last)
            : row.RestartPolicy == ComputerServiceRestart.Always || processes.Count(process => process.State != GuestProcessState.Running) < FullList);

    /// <summary>Counts each end once, by its process.</summary>
    private bool IsDue(ServiceRow row, GuestProcess? ended)
    {
        var known = troubles.GetValueOrDefault(row.Id) ?? new Trouble(0, null);
        if (ended is not null && known.Pid != ended.Pid)
        {
            var ran = TimeSpan.FromMilliseconds(Math.Max(0, (ended.EndedMs ?? ended.StartedMs) - ended.StartedMs));
            troubles[row.Id] = new Trouble(ran >= Steady ? 1 : known.QuickEnds + 1, known.Reason) { Pid = ended.Pid, At = time.GetUtcNow() };
        }
        return IsPauseOver(row);
    }

    private bool IsPauseOver(ServiceRow row) => troubles.GetValueOrDefault(row.Id) is not { } known || time.GetUtcNow() - known.At >= PauseAfter(known.QuickEnds);

    private string StatusOf(ServiceRow row, GuestProcess? last, bool isComputerRunning)
    {
        if (!isComputerRunning)
            return ComputerServiceStatus.Stopped;
        if (last is null)
            return !row.IsWanted ? ComputerServiceStatus.Stopped : troubles.GetValueOrDefault(row.Id)?.Reason is null ? ComputerServiceStatus.Pending : ComputerServiceStatus.Failed;
        if (last.State == GuestProcessState.Running)
            return ComputerServiceStatus.Running;
        if (row.IsWanted && IsFollowed(row.RestartPolicy, last))
            return ComputerServiceStatus.Pending;
        return !row.IsWanted || (last.State != GuestProcessState.Failed && last.ExitCode == 0) ? ComputerServiceStatus.Stopped : ComputerServiceStatus.Failed;
    }

    private static async Task<GuestProcess?> ProcessAsync(GuestConnection guest, ServiceRow row, CancellationToken ct) =>
        LastOf(await guest.ListProcessesAsync(ct), row);

    private sealed class Turn(SemaphoreSlim turn) : IDisposable
    {
        public void Dispose() => turn.Release();
    }

    private sealed record Trouble(int QuickEnds, string? Reason)
    {
        /// <summary>The process whose end was counted last.</summary>
        public int Pid { get; init; }

        public DateTimeOffset At { get; init; }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "service {Service} of computer {Machine} was started")]
    private static partial void Started(ILogger log, string service, string machine);

    [LoggerMessage(Level = LogLevel.Warning, Message = "service {Service} of computer {Machine} could not be started: {Reason}")]
    private static partial void NotStarted(ILogger log, string service, string machine, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "the services of computer {Machine} could not be looked at; the next look starts anew")]
    private static partial void LookFailed(ILogger log, string machine, Exception exception);
}
