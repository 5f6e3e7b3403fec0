using System.Collections.Concurrent;
using System.Net.Sockets;
using Miosa.Guest;
using Miosa.Server.Guests;
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
                    await StartAsync(await road.ConnectAsync(ct), resident, row, ct);
            }
            catch (Exception e) when (e is GuestException or SocketException or IOException or OperationCanceledException)
            {
                // The computer itself is fine and answers; the service says that it failed.
                troubles[row.Id] = new Trouble(0, e.Message);
                NotStarted(log, row.Id, row.MachineId, e.Message);
            }
        }
    }

    /// <summary>Starts it unless it runs.</summary>
    public Task<GuestProcess> StartAsync(GuestConnection guest, ServiceRow row, CancellationToken ct) =>
        directory.Find(row.MachineId) is { } resident
            ? StartAsync(guest, resident, row, ct)
            : throw new GuestException(GuestException.Disconnected, "the computer is gone");

    private async Task<GuestProcess> StartAsync(GuestConnection guest, Resident resident, ServiceRow row, CancellationToken ct)
    {
        var turn = turns.GetOrAdd(row.Id, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(ct);
        try
        {
            if (await ProcessAsync(guest, row, ct) is { State: GuestProcessState.Running } present)
                return present;
            var defaults = CommandDefaults.Of(resident.Row);
            var env = defaults.With(resident.Env(seal).Values).ToDictionary();
            foreach (var (name, value) in seal.Open(row.SealedEnv).Values)
                env[name] = value;
            // Not cancelled half way: what was started and not told of would be started twice.
            var process = await guest.StartProcessAsync(
                new ProcessStartCall { Shell = row.Command, Cwd = row.WorkingDir ?? defaults.Folder, User = defaults.User, Env = env, Name = row.ProcessName }, CancellationToken.None);
            Started(log, row.Id, row.MachineId);
            return process;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Ends it and everything it started; null when it never ran.</summary>
    public async Task<GuestProcess?> StopAsync(GuestConnection guest, ServiceRow row, CancellationToken ct)
    {
        troubles.TryRemove(row.Id, out _);
        var turn = turns.GetOrAdd(row.Id, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(ct);
        try
        {
            return await ProcessAsync(guest, row, ct) is { State: GuestProcessState.Running } running
                ? await guest.StopProcessAsync(running.Pid, CancellationToken.None)
                : await ProcessAsync(guest, row, ct);
        }
        finally
        {
            turn.Release();
        }
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
                    if (!looking.ContainsKey(machine) && directory.Find(machine) is { Row.State: MachineState.Running } resident)
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
                // A service that never ran is started by the boot or the call that wants it.
                if (LastOf(processes, row) is { State: not GuestProcessState.Running } ended && IsFollowed(row.RestartPolicy, ended) && IsDue(row, ended))
                    await StartAsync(guest, resident, row, patience.Token);
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

    /// <summary>Counts each end once, by its process.</summary>
    private bool IsDue(ServiceRow row, GuestProcess ended)
    {
        var known = troubles.GetValueOrDefault(row.Id) ?? new Trouble(0, null);
        if (known.Pid != ended.Pid)
        {
            var ran = TimeSpan.FromMilliseconds(Math.Max(0, (ended.EndedMs ?? ended.StartedMs) - ended.StartedMs));
            troubles[row.Id] = known = new Trouble(ran >= Steady ? 1 : known.QuickEnds + 1, null) { Pid = ended.Pid, At = time.GetUtcNow() };
        }
        return time.GetUtcNow() - known.At >= PauseAfter(known.QuickEnds);
    }

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
