using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Network;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>A machine's disk may outlive what runs on it: after a stop, a death or a restart of the host it starts again where its files are.</summary>
internal sealed partial class MachineSet
{
    /// <summary>Ends what runs in the machine and brings its files to the data volume. A dead one is left as it is.</summary>
    public async Task<MachineInfo> StopAsync(RuntimeRequest request, CancellationToken ct)
    {
        var machine = Find(request);
        await machine.Turn.WaitAsync(ct);
        try
        {
            var record = RecordOf(machine);
            if (record.Info.State != MachineStates.Dead)
            {
                var hasMemory = request.Memory == true && await KeepMemoryAsync(machine, record);
                Kill(machine, record.Info);
                Bury(machine, record, await machine.Ended.WaitAsync(KillDeadline, ct), hasMemory ? "stopped with its memory on disk" : "stopped", hasMemory);
            }
            // Of the whole volume, as a file system has it; off the pool of threads that serve.
            await Task.Run(() => Libc.SyncFileSystem(settings.DirectoryOf(machine.Id)), ct);
            return RecordOf(machine).Info;
        }
        finally
        {
            if (request.Memory == true) await LetInAsync(machine);
            machine.Turn.Release();
        }
    }

    private async Task<bool> KeepMemoryAsync(Machine machine, MachineRecord record)
    {
        var (memory, isKept) = (MemoryOf(machine.Id), false);
        Tree.Delete(memory);
        try
        {
            isKept = await ApartAsync(true, () =>
            {
                WriteMemory(record, memory);
                return Durable.Sync(memory) >= 0;
            });
            return isKept;
        }
        finally
        {
            if (!isKept)
            {
                GoOn(machine.Id);
                Tree.Delete(memory);
            }
        }
    }

    /// <summary>A new life on the old disk, with the limits it had. One that lives is left as it is; when it fails the machine stays dead and keeps its disk.</summary>
    public async Task<MachineInfo> StartAgainAsync(RuntimeRequest request, CancellationToken ct)
    {
        var machine = Find(request);
        var hostname = MachineChecks.Hostname(request.Hostname, machine.Id);
        await machine.Turn.WaitAsync(ct);
        try
        {
            var record = RecordOf(machine);
            if (record.Info.State != MachineStates.Dead) return record.Info;
            // Without the mapping the files would belong to the ids of the slot it had.
            if (!isIdMapped) throw new Refusal(RuntimeErrors.BadRequest, "this host has no id-mapped mounts, which a machine needs to start again on its disk: use kernel 5.19 or later");
            // Another object for another life: whoever still waits for the end of the old one must not bury the new one.
            var next = new Machine(machine.Id) { Rootfs = record.Rootfs };
            await next.Turn.WaitAsync(ct);
            try
            {
                // Two lives on one disk would destroy it: whatever a start that was cut off has left goes first.
                cgroups.KillAll(machine.Id);
                cgroups.Remove(machine.Id);
                GvisorDoor.Remove(settings.RunDirectoryOf(machine.Id));
                egress?.Close(record.Slot);
                var begin = new Beginning
                {
                    Info = record.Info with { State = MachineStates.Running, Reason = null, Pid = 0, StartedAt = TimeProvider.System.GetUtcNow(), BootMs = 0, FrozenMs = null, Usage = null, Memory = null },
                    Image = BaseOf(record),
                    Rootfs = record.Rootfs,
                    Hostname = hostname,
                    Policy = EgressPolicy.Of(request.Egress ?? record.Egress),
                    IsDurable = true,
                    Kept = record.Subvolume,
                };
                MachineChecks.Isolation(begin.Info.Isolation, gvisor);
                var hasMemory = record.Info.Memory == true && request.Memory != false;
                await StartAsync(next, hasMemory ? begin with { Memory = MemoryOf(machine.Id), Guest = record.Guest } : begin);
                Tree.Delete(MemoryOf(machine.Id));
                machine.IsGone = true;
                machines[machine.Id] = next;
                slots.Release(record.Slot);
                return next.Record!.Info with { Memory = hasMemory ? true : null }; // StartAsync sets it or throws
            }
            finally
            {
                next.Turn.Release();
            }
        }
        finally
        {
            machine.Turn.Release();
        }
    }
}
