using System.Diagnostics;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>
/// Copies of machines: a snapshot is a copy of the disk, a fork is a machine on one. The disk is one subvolume, so a copy takes the
/// same time at any size, and it is of one moment: the machine stands still, and the kernel takes along what was written but is not on disk yet.
/// </summary>
internal sealed partial class MachineSet
{
    public IReadOnlyList<SnapshotInfo> Snapshots() => snapshots.List();

    public async Task<SnapshotInfo> SnapshotAsync(RuntimeRequest request, CancellationToken ct)
    {
        var id = MachineChecks.Snapshot(request.Snapshot);
        var machine = Find(request);
        await machine.Turn.WaitAsync(ct);
        try
        {
            var record = RecordOf(machine);
            if (snapshots.Find(id) is { } present)
                return present.Info.Machine == machine.Id ? present.Info : throw new Refusal(RuntimeErrors.Exists, $"snapshot \"{id}\" exists");
            var hasMemory = request.Memory ?? false;
            var frozenMs = 0.0;
            var made = await ApartAsync(hasMemory, () => snapshots.Add(new SnapshotRecord
            {
                Info = new SnapshotInfo
                {
                    Snapshot = id,
                    Machine = machine.Id,
                    Image = record.Info.Image,
                    CreatedAt = TimeProvider.System.GetUtcNow(),
                    SizeBytes = volume.UsedBytes(record.Subvolume),
                    DiskMb = record.Info.DiskMb,
                    Isolation = record.Info.Isolation,
                    Memory = hasMemory ? true : null,
                },
                Rootfs = record.Rootfs,
                Base = BaseOf(record),
                Guest = hasMemory ? record.Guest : null,
            }, settings.DirectoryOf(machine.Id), (memory, copy) => frozenMs = StandStill(machine, record, hasMemory ? memory : null, copy)));
            return made.Info with { FrozenMs = frozenMs };
        }
        finally
        {
            if (request.Memory == true) await LetInAsync(machine);
            machine.Turn.Release();
        }
    }

    /// <summary>Deleting what is not there is fine: a client that lost the answer repeats.</summary>
    public void DeleteSnapshot(RuntimeRequest request)
    {
        var subvolume = snapshots.Remove(MachineChecks.Snapshot(request.Snapshot));
        if (subvolume != 0) emptyQgroups.Enqueue(subvolume);
    }

    public async Task<MachineInfo> ForkAsync(RuntimeRequest request, CancellationToken ct)
    {
        var source = Find(new RuntimeRequest { Machine = request.Source });
        await source.Turn.WaitAsync(ct);
        try
        {
            var record = RecordOf(source);
            var frozenMs = 0.0;
            var begin = Begin(request with
            {
                Image = record.Info.Image,
                Vcpus = request.Vcpus ?? record.Info.Vcpus,
                MemoryMb = request.MemoryMb ?? record.Info.MemoryMb,
                DiskMb = request.DiskMb ?? record.Info.DiskMb,
                Pids = request.Pids ?? record.Info.Pids,
                Network = request.Network ?? record.Info.Network,
                Isolation = request.Isolation ?? record.Info.Isolation,
            }, BaseOf(record), record.Rootfs);
            var memory = WantsMemory(request, begin.Info, record.Info.Isolation) ? MemoryOf(begin.Info.Machine) : null;
            var info = await LaunchAsync(begin with
            {
                Memory = memory,
                Guest = memory is null ? null : record.Guest,
                Copy = directory =>
                {
                    ulong subvolume = 0;
                    frozenMs = StandStill(source, record, memory, () => subvolume = volume.Copy(settings.DirectoryOf(source.Id) + "/disk", directory));
                    return subvolume;
                },
            }, ct);
            // It runs; whatever it becomes from here on, this is not it.
            if (memory is not null) Tree.Delete(memory);
            return info with { FrozenMs = frozenMs };
        }
        finally
        {
            if (request.Memory == true) await LetInAsync(source);
            source.Turn.Release();
        }
    }

    private Task<MachineInfo> LaunchFromAsync(RuntimeRequest request, CancellationToken ct)
    {
        var id = MachineChecks.Snapshot(request.From);
        var record = snapshots.Find(id) ?? throw new Refusal(RuntimeErrors.NotFound, $"snapshot \"{id}\" does not exist");
        var begin = Begin(request with { Image = record.Info.Image, DiskMb = request.DiskMb ?? record.Info.DiskMb, Isolation = request.Isolation ?? record.Info.Isolation }, record.Base, record.Rootfs);
        var hasMemory = WantsMemory(request, begin.Info, record.Info.Isolation);
        if (hasMemory && record.Info.Memory != true) throw new Refusal(RuntimeErrors.BadRequest, $"snapshot \"{id}\" has no memory");
        return LaunchAsync(begin with
        {
            Copy = directory => volume.Copy(snapshots.DiskOf(id), directory),
            Memory = hasMemory ? snapshots.MemoryOf(id) : null,
            Guest = hasMemory ? record.Guest : null,
        }, ct);
    }

    private static bool WantsMemory(RuntimeRequest request, MachineInfo info, string? source)
    {
        if (request.Memory != true) return false;
        if (info.Isolation != Isolations.Gvisor || source != Isolations.Gvisor) throw new Refusal(RuntimeErrors.BadRequest, "only machines with isolation gvisor take their memory along");
        return true;
    }

    /// <summary>
    /// Runs what copies the disk while the machine stands still, and writes its memory of the same moment when there is a folder for it.
    /// Frozen by the caller's own wish it stays frozen; a dead one stands still anyway.
    /// </summary>
    /// <returns>How long it stood still, in milliseconds.</returns>
    private double StandStill(Machine machine, MachineRecord record, string? memory, Action act)
    {
        var clock = Stopwatch.StartNew();
        var isRunning = record.Info.State == MachineStates.Running;
        var isPaused = memory is not null;
        try
        {
            if (memory is not null) WriteMemory(record, memory);
            else if (isRunning) cgroups.SetFrozen(machine.Id, true);
            act();
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw new Refusal(RuntimeErrors.NoSpace, e.Message);
        }
        finally
        {
            if (isRunning && !machine.Ended.IsCompleted)
            {
                if (isPaused) GoOn(machine.Id);
                else cgroups.SetFrozen(machine.Id, false);
            }
        }
        return Math.Round(clock.Elapsed.TotalMilliseconds, 3);
    }

    private static MachineRecord RecordOf(Machine machine) => machine is { IsGone: false, Record: { } record } ? record : throw NotFound(machine.Id);

    private static ImageInfo BaseOf(MachineRecord record) =>
        record.Base ?? throw new Refusal(RuntimeErrors.BadRequest, $"machine \"{record.Info.Machine}\" was made by an earlier version, whose disks cannot be copied");
}
