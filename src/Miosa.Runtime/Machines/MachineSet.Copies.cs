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
            SnapshotRecord? made = null;
            var clock = Stopwatch.StartNew();
            StandStill(machine, record, () => made = snapshots.Add(new SnapshotRecord
            {
                Info = new SnapshotInfo
                {
                    Snapshot = id,
                    Machine = machine.Id,
                    Image = record.Info.Image,
                    CreatedAt = TimeProvider.System.GetUtcNow(),
                    SizeBytes = volume.UsedBytes(record.Subvolume),
                    DiskMb = record.Info.DiskMb,
                },
                Rootfs = record.Rootfs,
                Base = BaseOf(record),
            }, settings.DirectoryOf(machine.Id)));
            return made!.Info with { FrozenMs = Math.Round(clock.Elapsed.TotalMilliseconds, 3) }; // StandStill has run it or thrown
        }
        finally
        {
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
            var wanted = request with
            {
                Image = record.Info.Image,
                Vcpus = request.Vcpus ?? record.Info.Vcpus,
                MemoryMb = request.MemoryMb ?? record.Info.MemoryMb,
                DiskMb = request.DiskMb ?? record.Info.DiskMb,
                Pids = request.Pids ?? record.Info.Pids,
                Network = request.Network ?? record.Info.Network,
            };
            var info = await LaunchAsync(wanted, BaseOf(record), directory =>
            {
                ulong subvolume = 0;
                var clock = Stopwatch.StartNew();
                StandStill(source, record, () => subvolume = volume.Copy(settings.DirectoryOf(source.Id) + "/disk", directory));
                frozenMs = Math.Round(clock.Elapsed.TotalMilliseconds, 3);
                return subvolume;
            }, record.Rootfs, ct);
            return info with { FrozenMs = frozenMs };
        }
        finally
        {
            source.Turn.Release();
        }
    }

    private Task<MachineInfo> LaunchFromAsync(RuntimeRequest request, CancellationToken ct)
    {
        var id = MachineChecks.Snapshot(request.From);
        var record = snapshots.Find(id) ?? throw new Refusal(RuntimeErrors.NotFound, $"snapshot \"{id}\" does not exist");
        var wanted = request with { Image = record.Info.Image, DiskMb = request.DiskMb ?? record.Info.DiskMb };
        return LaunchAsync(wanted, record.Base, directory => volume.Copy(snapshots.DiskOf(id), directory), record.Rootfs, ct);
    }

    // Frozen by the caller's own wish it stays frozen; a dead one stands still anyway.
    private void StandStill(Machine machine, MachineRecord record, Action act)
    {
        var isRunning = record.Info.State == MachineStates.Running;
        if (isRunning) cgroups.SetFrozen(machine.Id, true);
        try
        {
            act();
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOSPC or Errno.EDQUOT)
        {
            throw new Refusal(RuntimeErrors.NoSpace, e.Message);
        }
        finally
        {
            if (isRunning && !machine.Ended.IsCompleted) cgroups.SetFrozen(machine.Id, false);
        }
    }

    private static MachineRecord RecordOf(Machine machine) => machine is { IsGone: false, Record: { } record } ? record : throw NotFound(machine.Id);

    private static ImageInfo BaseOf(MachineRecord record) =>
        record.Base ?? throw new Refusal(RuntimeErrors.BadRequest, $"machine \"{record.Info.Machine}\" was made by an earlier version, whose disks cannot be copied");
}
