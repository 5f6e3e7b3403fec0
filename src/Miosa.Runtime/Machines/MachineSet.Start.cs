using System.Diagnostics;
using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Host;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>How a machine begins to run: steps that are undone in reverse when one fails.</summary>
internal sealed partial class MachineSet
{
    public Task<MachineInfo> LaunchAsync(RuntimeRequest request, CancellationToken ct)
    {
        if (request.From is not null) return LaunchFromAsync(request, ct);
        var name = MachineChecks.Image(request.Image);
        var image = images.Find(name) ?? throw new Refusal(RuntimeErrors.ImageNotFound, $"image \"{name}\" is not in the store");
        return LaunchAsync(Begin(request, image, ImageStore.Rootfs(image)), ct);
    }

    /// <summary>The checked wishes of a client.</summary>
    private Beginning Begin(RuntimeRequest request, ImageInfo image, string rootfs)
    {
        var id = MachineChecks.Machine(request);
        var info = new MachineInfo
        {
            Machine = id,
            Image = MachineChecks.Image(request.Image),
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
            Isolation = MachineChecks.Isolation(request.Isolation, gvisor),
        };
        if (info.Socket.Length > Sockets.PathLimit) throw new Refusal(RuntimeErrors.BadRequest, $"the socket path \"{info.Socket}\" is longer than {Sockets.PathLimit}: use a shorter id or a shorter --run");
        return new Beginning
        {
            Info = info,
            Image = image,
            Rootfs = rootfs,
            Hostname = MachineChecks.Hostname(request.Hostname, id),
            Policy = EgressPolicy.Of(request.Egress),
            IsDurable = request.Durable ?? false,
        };
    }

    private async Task<MachineInfo> LaunchAsync(Beginning begin, CancellationToken ct)
    {
        var id = begin.Info.Machine;
        var machine = new Machine(id) { Rootfs = begin.Rootfs };
        await machine.Turn.WaitAsync(ct);
        if (!machines.TryAdd(id, machine)) throw new Refusal(RuntimeErrors.Exists, $"machine \"{id}\" exists");
        try
        {
            await StartAsync(machine, begin);
            return machine.Record!.Info; // StartAsync sets it or throws
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

    // Under runsc it takes a quarter of a second, most of it waiting: not on a thread that serves others.
    private Task StartAsync(Machine machine, Beginning begin)
    {
        if (begin.IsGvisor) return Task.Factory.StartNew(() => Start(machine, begin), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Start(machine, begin);
        return Task.CompletedTask;
    }

    /// <summary>The numbered steps of a launch; the ones between 6 and 7 are <see cref="MachinePlan"/> or <see cref="GvisorPlan"/>.</summary>
    private void Start(Machine machine, Beginning begin)
    {
        var (id, info) = (machine.Id, begin.Info);
        var clock = Stopwatch.StartNew();
        var directory = settings.DirectoryOf(id);
        var runDirectory = settings.RunDirectoryOf(id);
        var steps = new Steps(id, settings.FailAt);
        var (slot, baseId, subvolume, cgroupFds, reply, pid) = (0, 0u, 0ul, (IReadOnlyList<Fd>)[], new LaunchReply(), 0);
        Fd? door = null, log = null;
        IReadOnlyList<Fd> programs = [];
        var generation = Egress.NewGeneration();
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
            steps.Do("socket", () => door = begin.IsGvisor ? GvisorDoor.Make(runDirectory, baseId, serverGroup) : Listen(runDirectory, info.Socket), () => GvisorDoor.Remove(runDirectory));
            // 3
            steps.Do("disk", () =>
            {
                if (begin.Kept is null) Libc.Mkdir(directory, 0x1c0);
                subvolume = begin.Kept ?? (begin.Copy is null ? volume.Create(directory, OwnerOf(baseId), info.DiskMb, EtcFiles(begin.Hostname, info.Network)) : begin.Copy(directory));
                if (begin.Copy is not null || begin.Kept is not null) volume.Renew(directory, OwnerOf(baseId), info.DiskMb);
                if (begin.IsGvisor) KeepTemporaryFiles(directory, OwnerOf(baseId));
                // On the machine's own disk: it can reopen its descriptors, and what it writes must count against it.
                log = Libc.Open(directory + "/disk/guest.log", Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180);
            }, () => { if (begin.Kept is null) DeleteDisk(directory, subvolume); });
            // 4
            steps.Do("cgroup", () =>
            {
                cgroups.Create(id, LimitsOf(info));
                cgroupFds = cgroups.OpenEntries(id);
            }, () => cgroups.Remove(id));
            // Before anything of the machine runs: without this it reaches nothing.
            if (info.Network) steps.Do("egress", () => egress?.Open(id, slot, begin.Policy, generation), () => egress?.Close(slot));
            // 5, 6: the launcher's steps and the machine's own
            steps.Do("launch", () =>
            {
                var order = Order(begin, baseId, slot, cgroupFds.Count);
                if (gvisor is not null && begin.IsGvisor) (order, programs) = (order with { Gvisor = gvisor.Order(BundleOf(order), begin.Memory) }, gvisor.OpenPrograms(begin.Guest));
                reply = launcher.Launch(order, [door!, log!, .. cgroupFds, .. programs]); // set by steps 2 and 3
            }, () => Abandon(id, reply.Pid));
            if (reply.FailedStep is { } failed) throw new LinuxException("launch", $"{id}: {failed}: {reply.Message}", reply.Errno);
            pid = reply.Pid;
            if (gvisor is not null && begin.IsGvisor)
            {
                steps.Do("runsc", () => pid = gvisor.Await(id, reply.Pid), () => Abandon(id, pid));
                // What was suspended waits for this.
                if (begin.Memory is not null) GvisorDoor.Open(runDirectory);
                steps.Do("door", () =>
                {
                    if (!gvisor.AwaitDoor(id, serverGroup, GuestPatience, () => Processes.StartTime(pid) is null)) throw new CommandFailure($"the guest does not answer: {gvisor.Complaint(id)}");
                });
            }
            // 7
            steps.Do("record", () =>
            {
                var start = Processes.StartTime(pid) ?? throw new LinuxException("launch", $"{id}: the guest ended at once", Errno.ESRCH);
                machine.Pidfd = Processes.OpenPidfd(pid) ?? throw LinuxException.Last("pidfd_open", id);
                machine.Record = new MachineRecord
                {
                    Info = info with
                    {
                        Pid = pid,
                        BaseId = baseId,
                        Address = info.Network ? settings.AddressesOf(slot).Machine.ToString() : null,
                        BootMs = Math.Round(clock.Elapsed.TotalMilliseconds, 3),
                    },
                    Slot = slot,
                    PidStart = start,
                    Subvolume = subvolume,
                    Rootfs = begin.Rootfs,
                    Base = begin.Image,
                    Egress = begin.Policy.ToRequest(),
                    EgressGeneration = generation,
                    IsDurable = begin.IsDurable,
                    Guest = begin.IsGvisor ? begin.Guest ?? gvisor?.Guests.Current : null,
                };
                MachineFile.Write(directory, machine.Record);
                // A new disk is a subvolume, which only a sync of the volume makes last.
                if (begin.IsDurable && begin.Kept is null) Libc.SyncFileSystem(directory);
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
            door?.Dispose();
            log?.Dispose();
            foreach (var fd in cgroupFds) fd.Dispose();
            foreach (var fd in programs) fd.Dispose();
        }
    }

    private Fd Listen(string runDirectory, string socket)
    {
        Libc.Mkdir(runDirectory, 0x1e8);
        Libc.Chown(runDirectory, 0, serverGroup);
        var listen = Sockets.Listen(socket, backlog: 128);
        Libc.Chown(socket, 0, serverGroup);
        Libc.Chmod(socket, 0x1b0);
        return listen;
    }

    private LaunchOrder Order(Beginning begin, uint baseId, int slot, int cgroupFds) => new()
    {
        Machine = begin.Info.Machine,
        Hostname = begin.Hostname,
        Rootfs = isIdMapped ? begin.Rootfs : images.ShiftedRootfs(begin.Image, baseId),
        Disk = $"machines/{begin.Info.Machine}/disk",
        BaseId = baseId,
        IsIdMapped = isIdMapped,
        IsDurable = begin.IsDurable,
        Environment = EnvironmentOf(begin),
        MaskedFiles = proc.MaskedFiles,
        MaskedDirectories = proc.MaskedDirectories,
        ReadOnlyPaths = proc.ReadOnly,
        CgroupTasks = cgroups.Kind == CgroupKind.V1 ? cgroupFds : 0,
        IsInCgroupV2 = cgroups.Kind == CgroupKind.V2,
        ShmMb = Math.Clamp(begin.Info.MemoryMb / 2, 16, 2048),
        FailAt = settings.FailAt,
        Veth = !begin.Info.Network ? null : new VethOrder
        {
            HostInterface = settings.InterfaceOf(slot),
            HostAddress = settings.AddressesOf(slot).Host.ToString(),
            MachineAddress = settings.AddressesOf(slot).Machine.ToString(),
            PrefixLength = 30,
        },
    };

    private static GvisorBundle BundleOf(LaunchOrder order) =>
        new() { Machine = order.Machine, Hostname = order.Hostname, Environment = order.Environment, BaseId = order.BaseId, ShmMb = order.ShmMb };

    private static IReadOnlyList<string> EnvironmentOf(Beginning begin)
    {
        var image = begin.Image;
        return
        [
            .. image.Env.Where(pair => pair.Key is not ("PATH" or "HOME")).Select(pair => $"{pair.Key}={pair.Value}"),
            image.Env.TryGetValue("PATH", out var path) ? "PATH=" + path : SearchPath, "HOME=/root", "MIOSA_MACHINE=" + begin.Info.Machine,
            // The guest takes these two for commands that say nothing else (Commands/ImageDefaults.cs there).
            .. image.Workdir is { Length: > 0 } workdir ? [$"MIOSA_WORKDIR={workdir}"] : Array.Empty<string>(),
            .. image.User is { Length: > 0 } user ? [$"MIOSA_USER={user}"] : Array.Empty<string>(),
        ];
    }

    // On disk every disk has the ids that it has inside: its mount maps them, and a copy of it fits any other range.
    private uint OwnerOf(uint baseId) => isIdMapped ? 0 : baseId;

    private static Dictionary<string, string> EtcFiles(string hostname, bool hasNetwork) => new()
    {
        ["hostname"] = hostname + "\n",
        ["hosts"] = $"127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n",
        ["resolv.conf"] = hasNetwork ? $"nameserver {EgressRules.DnsAddress}\n" : "",
    };

    // runsc puts a file system in memory over an empty /tmp; what lies there belongs to the disk, though, and to every copy of it.
    private static void KeepTemporaryFiles(string directory, uint owner)
    {
        using var upper = Libc.Open(directory + "/disk/upper", Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (Tree.MakeDirectory(upper, "tmp"u8, 0x3ff))
        {
            Libc.Chown(directory + "/disk/upper/tmp", owner, owner);
            Libc.Chmod(directory + "/disk/upper/tmp", 0x3ff);
        }
        try
        {
            // By descriptor, following nothing: it may be the machine's own work by now.
            using var tmp = Libc.OpenAt(upper, "tmp", Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW);
            using var file = Libc.OpenAt(tmp, ".on-disk", Libc.O_WRONLY | Libc.O_CREAT | Libc.O_NOFOLLOW, 0x124);
        }
        catch (LinuxException)
        {
            // No folder, or not of a kind that runsc would cover.
        }
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
}
