using System.Collections.Concurrent;
using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>All machines of this instance and what can be done with one.</summary>
internal sealed partial class MachineSet(
    RuntimeSettings settings, ImageStore images, DataVolume volume, SnapshotStore snapshots, MachineCgroups cgroups, MachineNetwork network, Egress? egress, LauncherLink launcher, GvisorTier? gvisor, uint serverGroup, bool isIdMapped) : IDisposable
{
    private const string SearchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<string, Machine> machines = [];
    private readonly ConcurrentQueue<ulong> emptyQgroups = [];
    private readonly Slots slots = new(settings.Slots);
    private readonly DeathWatch deaths = new();
    private readonly ProcPaths proc = new();

    public MachineChanges Changes { get; } = new();

    public IReadOnlyList<MachineInfo> List() => [.. machines.Values.Select(machine => machine.Record?.Info).OfType<MachineInfo>().OrderBy(info => info.Machine, StringComparer.Ordinal)];

    /// <summary>New limits and, when the request has one, a new egress policy.</summary>
    public async Task<MachineInfo> LimitAsync(RuntimeRequest request, CancellationToken ct) => await ChangeAsync(request, (machine, record) =>
    {
        var policy = request.Egress is null ? null : EgressPolicy.Of(request.Egress);
        var info = record.Info with
        {
            Vcpus = MachineChecks.Vcpus(request.Vcpus ?? record.Info.Vcpus),
            MemoryMb = MachineChecks.MemoryMb(request.MemoryMb ?? record.Info.MemoryMb),
            DiskMb = MachineChecks.DiskMb(request.DiskMb ?? record.Info.DiskMb),
            Pids = MachineChecks.Pids(request.Pids ?? record.Info.Pids),
        };
        var (wanted, present) = (LimitsOf(info), LimitsOf(record.Info));
        try
        {
            cgroups.Limit(machine.Id, wanted, present);
        }
        catch (LinuxException e) when (e.Errno is Errno.EBUSY or Errno.EINVAL)
        {
            cgroups.Limit(machine.Id, present, wanted);
            throw new Refusal(RuntimeErrors.LimitRefused, e.Message);
        }
        if (info.DiskMb != record.Info.DiskMb) volume.Limit(settings.DirectoryOf(machine.Id), info.DiskMb);
        if (policy is not null) SetEgress(machine, record, policy);
        return info;
    }, ct);

    public async Task<MachineInfo> SetFrozenAsync(RuntimeRequest request, bool frozen, CancellationToken ct) => await ChangeAsync(request, (machine, record) =>
    {
        var state = frozen ? MachineStates.Frozen : MachineStates.Running;
        if (record.Info.State == state) return record.Info;
        cgroups.SetFrozen(machine.Id, frozen);
        return record.Info with { State = state };
    }, ct, announce: true);

    /// <summary>Changes what the machine may reach, from this moment and for what it has open, too.</summary>
    public async Task<MachineInfo> SetEgressAsync(RuntimeRequest request, CancellationToken ct)
    {
        var policy = EgressPolicy.Of(request.Egress ?? throw new Refusal(RuntimeErrors.BadRequest, "\"egress\" is missing"));
        return await ChangeAsync(request, (machine, record) =>
        {
            SetEgress(machine, record, policy);
            return record.Info;
        }, ct);
    }

    // A machine without a network reaches nothing anyway: its policy is kept for the copies of it.
    private void SetEgress(Machine machine, MachineRecord record, EgressPolicy policy) => machine.Record = record with
    {
        Egress = policy.ToRequest(),
        EgressGeneration = record.Info.Network && egress is not null ? egress.Change(record.Slot, policy) : record.EgressGeneration,
    };

    public RefusedList RefusedOf(RuntimeRequest request) =>
        new() { Refused = Find(request).Record is { Info.Network: true } record ? egress?.RefusedOf(record.Slot) ?? [] : [] };

    public async Task<MachineInfo> InspectAsync(RuntimeRequest request, CancellationToken ct)
    {
        var machine = Find(request);
        await machine.Turn.WaitAsync(ct);
        try
        {
            var record = machine.Record ?? throw NotFound(machine.Id);
            var usage = record.Info.State == MachineStates.Dead ? new MachineUsage() : cgroups.Usage(machine.Id);
            var (sent, received) = InterfaceBytes.Of(settings.InterfaceOf(record.Slot));
            return record.Info with { Usage = usage with { DiskBytes = volume.UsedBytes(record.Subvolume), SentBytes = sent, ReceivedBytes = received } };
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    /// <summary>Destroying what is not there is fine: a client that lost the answer repeats.</summary>
    public async Task DestroyAsync(string id, CancellationToken ct)
    {
        if (!machines.TryGetValue(id, out var machine)) return;
        await machine.Turn.WaitAsync(ct);
        try
        {
            if (machine.IsGone || machine.Record is not { } record) return;
            if (record.Info.State != MachineStates.Dead)
            {
                Kill(machine, record.Info);
                await machine.Ended.WaitAsync(KillDeadline, ct);
            }
            cgroups.Remove(id);
            GvisorDoor.Remove(settings.RunDirectoryOf(id));
            DeleteDisk(settings.DirectoryOf(id), record.Subvolume);
            egress?.Close(record.Slot);
            slots.Release(record.Slot);
            machine.IsGone = true;
            machines.TryRemove(id, out _);
            machine.Dispose();
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    /// <summary>After a restart: what runs is taken over, what has died meanwhile is dead, what nobody knows is removed.</summary>
    public void Adopt()
    {
        foreach (var directory in Directory.EnumerateDirectories(settings.Machines))
        {
            var id = Path.GetFileName(directory);
            if (MachineFile.Read(directory) is not { } record || record.Info.Machine != id) continue;
            var machine = new Machine(id) { Record = record };
            machines[id] = machine;
            slots.Occupy(record.Slot);
            if (record.Info.State == MachineStates.Dead)
            {
                // A start that a kill of this process cut off: what it started is on no record.
                cgroups.KillAll(id);
                continue;
            }
            var pidfd = Processes.OpenPidfd(record.Info.Pid);
            if (pidfd is not null && Processes.StartTime(record.Info.Pid) == record.PidStart)
            {
                machine.Pidfd = pidfd;
                deaths.Watch(pidfd, end => Died(machine, end));
                StandAsRecorded(record);
                Log.Line($"machine {id}: running again under this runtime, pid {record.Info.Pid}");
                continue;
            }
            pidfd?.Dispose();
            // Now, not in the background: nobody may ask about it before it is told to be dead.
            machine.SetEnded(default);
            Bury(machine, record, default, reason: null);
        }
        foreach (var id in Leftovers.Find(settings, cgroups).Where(id => !machines.ContainsKey(id)))
        {
            Log.Line($"machine {id}: a leftover without a record is removed");
            Leftovers.Remove(settings, cgroups, id);
        }
    }

    /// <summary>Ends a stand-still that a kill of this process left behind: a copy was under way.</summary>
    private void StandAsRecorded(MachineRecord record)
    {
        var id = record.Info.Machine;
        if (cgroups.Kind != CgroupKind.None) cgroups.SetFrozen(id, record.Info.State == MachineStates.Frozen);
        if (!File.Exists(MarkOf(id))) return;
        GoOn(id);
        GvisorDoor.Open(settings.RunDirectoryOf(id));
    }

    /// <summary>The machine's root filesystem as an image; it stands still meanwhile.</summary>
    public async Task<ImageInfo> CommitAsync(RuntimeRequest request, CancellationToken ct)
    {
        var machine = Find(request);
        await machine.Turn.WaitAsync(ct);
        try
        {
            if (machine.IsGone || machine.Record is not { } record) throw NotFound(machine.Id);
            var isRunning = record.Info.State == MachineStates.Running;
            if (isRunning) cgroups.SetFrozen(machine.Id, true);
            try
            {
                return await Task.Run(() => ImageOrders.Commit(images, request, record, settings.DirectoryOf(machine.Id)), ct);
            }
            finally
            {
                if (isRunning && !machine.Ended.IsCompleted) cgroups.SetFrozen(machine.Id, false);
            }
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    /// <summary>Deletes image content that has neither a name nor a machine any more.</summary>
    public void CollectImages(bool isAtStart = false)
    {
        try
        {
            var inUse = machines.Values.Select(machine => machine.Record?.Rootfs ?? machine.Rootfs).OfType<string>().Concat(snapshots.Rootfs).ToHashSet(StringComparer.Ordinal);
            foreach (var subvolume in images.Collect(inUse, isAtStart)) emptyQgroups.Enqueue(subvolume);
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            Log.Line($"image content is not cleaned up now: {e.Message}");
        }
    }

    /// <summary>Removes the counters of disks that are gone, once the kernel has cleaned up behind them.</summary>
    public void SweepQgroups()
    {
        for (var count = emptyQgroups.Count; count > 0 && emptyQgroups.TryDequeue(out var subvolume); count--)
            if (!volume.RemoveQgroup(subvolume)) emptyQgroups.Enqueue(subvolume);
    }

    public void Dispose() => deaths.Dispose();

    private static MachineLimits LimitsOf(MachineInfo info) => new(info.Vcpus, info.MemoryMb, info.Pids);

    private void Kill(Machine machine, MachineInfo info)
    {
        if (machine.Pidfd is { } pidfd) Processes.Kill(pidfd, Processes.SIGKILL);
        // A task frozen by the v1 freezer does not even die.
        if (info.State == MachineStates.Frozen && cgroups.Kind == CgroupKind.V1) cgroups.SetFrozen(machine.Id, false);
    }

    private void DeleteDisk(string directory, ulong subvolume)
    {
        DataVolume.Delete(directory);
        if (subvolume != 0) emptyQgroups.Enqueue(subvolume);
    }

    private async Task<MachineInfo> ChangeAsync(RuntimeRequest request, Func<Machine, MachineRecord, MachineInfo> change, CancellationToken ct, bool announce = false)
    {
        var machine = Find(request);
        await machine.Turn.WaitAsync(ct);
        try
        {
            if (machine.IsGone || machine.Record is not { } record) throw NotFound(machine.Id);
            if (record.Info.State == MachineStates.Dead) throw new Refusal(RuntimeErrors.BadRequest, $"machine \"{machine.Id}\" is dead: {record.Info.Reason}");
            var info = change(machine, record);
            var changed = info.State != record.Info.State;
            machine.Record = (machine.Record ?? record) with { Info = info };
            MachineFile.Write(settings.DirectoryOf(machine.Id), machine.Record);
            if (announce && changed) Changes.Tell(info);
            return info;
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    // Runs on the watch's thread: the caller of destroy waits for SetEnded and holds the turn, so the rest must not block here.
    private void Died(Machine machine, ProcessEnd end)
    {
        machine.SetEnded(end);
        _ = Task.Run(() => BuryAsync(machine, end));
    }

    private async Task BuryAsync(Machine machine, ProcessEnd end)
    {
        await machine.Turn.WaitAsync();
        try
        {
            if (machine.IsGone || machine.Record is not { } record || record.Info.State == MachineStates.Dead) return;
            Bury(machine, record, end, reason: null);
        }
        catch (IOException e)
        {
            Log.Line($"machine {machine.Id}: {e.Message}");
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    /// <summary>The caller holds the machine's turn.</summary>
    private void Bury(Machine machine, MachineRecord record, ProcessEnd end, string? reason, bool hasMemory = false)
    {
        var oomKills = cgroups.Usage(machine.Id).OomKills;
        reason ??= end.Signal == Processes.SIGKILL && oomKills > 0 ? "out of memory" : end.Describe();
        cgroups.KillAll(machine.Id);
        cgroups.Remove(machine.Id);
        machine.Dispose();
        machine.Record = record with { Info = record.Info with { State = MachineStates.Dead, Reason = reason, Pid = 0, Memory = hasMemory ? true : null } };
        MachineFile.Write(settings.DirectoryOf(machine.Id), machine.Record);
        Log.Line($"machine {machine.Id}: dead, {reason}");
        Changes.Tell(machine.Record.Info);
    }

    private Machine Find(RuntimeRequest request)
    {
        var id = MachineChecks.Machine(request);
        return machines.TryGetValue(id, out var machine) ? machine : throw NotFound(id);
    }

    private static Refusal NotFound(string id) => new(RuntimeErrors.NotFound, $"machine \"{id}\" does not exist");
}
