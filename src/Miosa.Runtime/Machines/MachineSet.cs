using System.Collections.Concurrent;
using System.Diagnostics;
using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>All machines of this instance and what can be done with one.</summary>
internal sealed partial class MachineSet(
    RuntimeSettings settings, ImageStore images, DataVolume volume, SnapshotStore snapshots, MachineCgroups cgroups, MachineNetwork network, Egress? egress, LauncherLink launcher, uint serverGroup, bool isIdMapped) : IDisposable
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

    public Task<MachineInfo> LaunchAsync(RuntimeRequest request, CancellationToken ct)
    {
        if (request.From is not null) return LaunchFromAsync(request, ct);
        var name = MachineChecks.Image(request.Image);
        var image = images.Find(name) ?? throw new Refusal(RuntimeErrors.ImageNotFound, $"image \"{name}\" is not in the store");
        return LaunchAsync(request, image, copy: null, ImageStore.Rootfs(image), ct);
    }

    /// <param name="copy">Makes the disk in the machine's directory and gives its subvolume; null for an empty disk.</param>
    private async Task<MachineInfo> LaunchAsync(RuntimeRequest request, ImageInfo image, Func<string, ulong>? copy, string rootfs, CancellationToken ct)
    {
        var id = MachineChecks.Machine(request);
        var imageName = MachineChecks.Image(request.Image);
        var info = new MachineInfo
        {
            Machine = id,
            Image = imageName,
            State = MachineStates.Running,
            Pid = 0,
            Socket = settings.RunDirectoryOf(id) + "/guest.sock",
            BaseId = 0,
            Vcpus = MachineChecks.Vcpus(request.Vcpus ?? MachineChecks.DefaultVcpus),
            MemoryMb = MachineChecks.MemoryMb(request.MemoryMb ?? MachineChecks.DefaultMemoryMb),
            DiskMb = MachineChecks.DiskMb(request.DiskMb ?? MachineChecks.DefaultDiskMb),
            Pids = MachineChecks.Pids(request.Pids ?? MachineChecks.DefaultPids),
            Network = (request.Network ?? true) && network.IsAvailable,
            StartedAt = TimeProvider.System.GetUtcNow(),
            BootMs = 0,
        };
        var hostname = MachineChecks.Hostname(request.Hostname, id);
        var policy = EgressPolicy.Of(request.Egress);
        if (info.Socket.Length > Sockets.PathLimit) throw new Refusal(RuntimeErrors.BadRequest, $"the socket path \"{info.Socket}\" is longer than {Sockets.PathLimit}: use a shorter id or a shorter --run");

        var machine = new Machine(id) { Rootfs = rootfs };
        await machine.Turn.WaitAsync(ct);
        if (!machines.TryAdd(id, machine)) throw new Refusal(RuntimeErrors.Exists, $"machine \"{id}\" exists");
        try
        {
            Start(machine, info, image, rootfs, hostname, policy, copy, request.Durable ?? false);
            return machine.Record!.Info; // Start sets it or throws
        }
        catch
        {
            machine.IsGone = true;
            machines.TryRemove(id, out _);
            throw;
        }
        finally
        {
            machine.Turn.Release();
        }
    }

    /// <summary>The numbered steps of a launch; the ones between 6 and 7 are <see cref="MachinePlan"/>.</summary>
    /// <param name="kept">The machine had this subvolume before and starts again on it; whatever fails, it stays.</param>
    private void Start(Machine machine, MachineInfo info, ImageInfo image, string rootfs, string hostname, EgressPolicy policy, Func<string, ulong>? copy, bool isDurable, ulong? kept = null)
    {
        var id = machine.Id;
        var clock = Stopwatch.StartNew();
        var directory = settings.DirectoryOf(id);
        var runDirectory = settings.RunDirectoryOf(id);
        var steps = new Steps(id, settings.FailAt);
        var (slot, baseId, subvolume, cgroupFds, reply) = (0, 0u, 0ul, (IReadOnlyList<Fd>)[], new LaunchReply());
        Fd? listen = null, log = null;
        var generation = Egress.NewGeneration();
        var limits = new MachineLimits(info.Vcpus, info.MemoryMb, info.Pids);
        try
        {
            // 1
            steps.Do("slot", () =>
            {
                slot = slots.Take() ?? throw new Refusal(RuntimeErrors.Exhausted, "all id ranges and addresses are in use");
                baseId = IdRanges.BaseOf(settings.IdBase, isIdMapped ? slot : 0);
            });
            steps.Do("slot taken", () => { }, () => slots.Release(slot));
            // 2
            steps.Do("socket", () =>
            {
                Libc.Mkdir(runDirectory, 0x1e8);
                Libc.Chown(runDirectory, 0, serverGroup);
                listen = Sockets.Listen(info.Socket, backlog: 128);
                Libc.Chown(info.Socket, 0, serverGroup);
                Libc.Chmod(info.Socket, 0x1b0);
            }, () => Tree.Delete(runDirectory));
            // 3
            steps.Do("disk", () =>
            {
                if (kept is null) Libc.Mkdir(directory, 0x1c0);
                subvolume = kept ?? (copy is null ? volume.Create(directory, OwnerOf(baseId), info.DiskMb, EtcFiles(hostname, info.Network)) : copy(directory));
                if (copy is not null || kept is not null) volume.Renew(directory, OwnerOf(baseId), info.DiskMb);
                // On the machine's own disk: it can reopen its descriptors, and what it writes must count against it.
                log = Libc.Open(directory + "/disk/guest.log", Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180);
            }, () => { if (kept is null) DeleteDisk(directory, subvolume); });
            // 4
            steps.Do("cgroup", () =>
            {
                cgroups.Create(id, limits);
                cgroupFds = cgroups.OpenEntries(id);
            }, () => cgroups.Remove(id));
            // Before anything of the machine runs: without this it reaches nothing.
            if (info.Network) steps.Do("egress", () => egress?.Open(id, slot, policy, generation), () => egress?.Close(slot));
            // 5, 6: the launcher's steps and the machine's own
            steps.Do("launch", () => reply = launcher.Launch(Order(info, image, rootfs, hostname, baseId, slot, cgroupFds.Count, isDurable), [listen!, log!, .. cgroupFds]), // set by steps 2 and 3
                () => Abandon(id, reply.Pid));
            if (reply.FailedStep is { } failed) throw new LinuxException("launch", $"{id}: {failed}: {reply.Message}", reply.Errno);
            // 7
            steps.Do("record", () =>
            {
                var start = Processes.StartTime(reply.Pid) ?? throw new LinuxException("launch", $"{id}: the guest ended at once", Errno.ESRCH);
                machine.Pidfd = Processes.OpenPidfd(reply.Pid) ?? throw LinuxException.Last("pidfd_open", id);
                machine.Record = new MachineRecord
                {
                    Info = info with
                    {
                        Pid = reply.Pid,
                        BaseId = baseId,
                        Address = info.Network ? settings.AddressesOf(slot).Machine.ToString() : null,
                        BootMs = Math.Round(clock.Elapsed.TotalMilliseconds, 3),
                    },
                    Slot = slot,
                    PidStart = start,
                    Subvolume = subvolume,
                    Rootfs = rootfs,
                    Base = image,
                    Egress = policy.ToRequest(),
                    EgressGeneration = generation,
                    IsDurable = isDurable,
                };
                MachineFile.Write(directory, machine.Record);
                // A new disk is a subvolume, which only a sync of the volume makes last.
                if (isDurable && kept is null) Libc.SyncFileSystem(directory);
            });
            deaths.Watch(machine.Pidfd!, end => Died(machine, end)); // step 7 has set it
            if (settings.IsTraced) Log.Line($"machine {id}: {clock.Elapsed.TotalMilliseconds:f2} ms: {steps} | launcher us: {string.Join(' ', reply.Phases.Select(phase => $"{phase.Key}={phase.Value}"))}");
        }
        catch (Exception e)
        {
            machine.Record = null;
            machine.Dispose();
            steps.Undo();
            if (e is LinuxException { Errno: Errno.ENOSPC or Errno.EDQUOT }) throw new Refusal(RuntimeErrors.NoSpace, e.Message);
            throw;
        }
        finally
        {
            listen?.Dispose();
            log?.Dispose();
            foreach (var fd in cgroupFds) fd.Dispose();
        }
    }

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
            Tree.Delete(settings.RunDirectoryOf(id));
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

    private LaunchOrder Order(MachineInfo info, ImageInfo image, string rootfs, string hostname, uint baseId, int slot, int cgroupFds, bool isDurable) => new()
    {
        Machine = info.Machine,
        Hostname = hostname,
        Rootfs = isIdMapped ? rootfs : images.ShiftedRootfs(image, baseId),
        Disk = $"machines/{info.Machine}/disk",
        BaseId = baseId,
        IsIdMapped = isIdMapped,
        IsDurable = isDurable,
        Environment = [.. image.Env.Where(pair => pair.Key is not ("PATH" or "HOME")).Select(pair => $"{pair.Key}={pair.Value}"),
            image.Env.TryGetValue("PATH", out var path) ? "PATH=" + path : SearchPath, "HOME=/root", "MIOSA_MACHINE=" + info.Machine,
            // The guest takes these two for commands that say nothing else (Commands/ImageDefaults.cs there).
            .. image.Workdir is { Length: > 0 } workdir ? [$"MIOSA_WORKDIR={workdir}"] : Array.Empty<string>(),
            .. image.User is { Length: > 0 } user ? [$"MIOSA_USER={user}"] : Array.Empty<string>()],
        MaskedFiles = proc.MaskedFiles,
        MaskedDirectories = proc.MaskedDirectories,
        ReadOnlyPaths = proc.ReadOnly,
        CgroupTasks = cgroups.Kind == CgroupKind.V1 ? cgroupFds : 0,
        IsInCgroupV2 = cgroups.Kind == CgroupKind.V2,
        ShmMb = Math.Clamp(info.MemoryMb / 2, 16, 2048),
        FailAt = settings.FailAt,
        Veth = !info.Network ? null : new VethOrder
        {
            HostInterface = settings.InterfaceOf(slot),
            HostAddress = settings.AddressesOf(slot).Host.ToString(),
            MachineAddress = settings.AddressesOf(slot).Machine.ToString(),
            PrefixLength = 30,
        },
    };

    // On disk every disk has the ids that it has inside: its mount maps them, and a copy of it fits any other range.
    private uint OwnerOf(uint baseId) => isIdMapped ? 0 : baseId;

    private static Dictionary<string, string> EtcFiles(string hostname, bool hasNetwork) => new()
    {
        ["hostname"] = hostname + "\n",
        ["hosts"] = $"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n",
        ["resolv.conf"] = hasNetwork ? $"nameserver {EgressRules.DnsAddress}\n" : "",
    };

    private static MachineLimits LimitsOf(MachineInfo info) => new(info.Vcpus, info.MemoryMb, info.Pids);

    private void Kill(Machine machine, MachineInfo info)
    {
        if (machine.Pidfd is { } pidfd) Processes.Kill(pidfd, Processes.SIGKILL);
        // A task frozen by the v1 freezer does not even die.
        if (info.State == MachineStates.Frozen && cgroups.Kind == CgroupKind.V1) cgroups.SetFrozen(machine.Id, false);
    }

    // The launch failed after the clone: the process is our child (CLONE_PARENT), so it is ours to reap.
    private void Abandon(string id, int pid)
    {
        cgroups.KillAll(id);
        using var pidfd = pid == 0 ? null : Processes.OpenPidfd(pid);
        if (pidfd is null) return;
        Processes.Kill(pidfd, Processes.SIGKILL);
        using var ended = new ManualResetEventSlim();
        deaths.Watch(pidfd, _ => ended.Set());
        if (!ended.Wait(KillDeadline)) Log.Line($"machine {id}: process {pid} does not die");
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
    private void Bury(Machine machine, MachineRecord record, ProcessEnd end, string? reason)
    {
        var oomKills = cgroups.Usage(machine.Id).OomKills;
        reason ??= end.Signal == Processes.SIGKILL && oomKills > 0 ? "out of memory" : end.Describe();
        cgroups.KillAll(machine.Id);
        cgroups.Remove(machine.Id);
        machine.Dispose();
        machine.Record = record with { Info = record.Info with { State = MachineStates.Dead, Reason = reason, Pid = 0 } };
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
