using System.Diagnostics;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>
/// What runs in a machine, as files: only runsc can write the memory of its machines. The guest has closed its door before (docs/guest-protocol.md),
/// because nothing of the host may be open in what is written.
///  1 a mark says that the machine stands still by our doing; the closed socket leaves its place
///  2 pause, so that disk and memory are of one moment
///  3 checkpoint; the disk is copied, or the machine ends
///  4 resume, the mark goes
///  5 the door opens, also when nothing of the above came to pass
/// </summary>
internal sealed partial class MachineSet
{
    private static readonly TimeSpan GuestPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan DoorPatience = TimeSpan.FromSeconds(5);

    private string MemoryOf(string id) => settings.DirectoryOf(id) + "/memory";

    private string MarkOf(string id) => settings.DirectoryOf(id) + "/standing-still";

    /// <summary>Steps 1 to 3 of a running machine, or a copy of what a dead one has.</summary>
    private void WriteMemory(MachineRecord record, string folder)
    {
        var id = record.Info.Machine;
        if (record.Info is { State: MachineStates.Dead, Memory: true })
        {
            Tools.Run("cp", ["-a", "--reflink=auto", "--", MemoryOf(id), folder]);
            return;
        }
        if (gvisor is null || record.Info.Isolation != Isolations.Gvisor) throw new Refusal(RuntimeErrors.BadRequest, $"machine \"{id}\" is not of isolation gvisor: its memory cannot be written to disk");
        if (record.Info.State != MachineStates.Running) throw new Refusal(RuntimeErrors.BadRequest, $"machine \"{id}\" does not run: there is no memory to be written");
        var clock = Stopwatch.StartNew();
        while (!GvisorDoor.IsClosed(settings.RunDirectoryOf(id)))
        {
            if (clock.Elapsed > DoorPatience) throw new Refusal(RuntimeErrors.Failed, "the guest has not closed its door: ask it to suspend first");
            Thread.Sleep(1);
        }
        File.WriteAllText(MarkOf(id), "");
        GvisorDoor.Close(settings.RunDirectoryOf(id));
        try
        {
            gvisor.Pause(id);
            gvisor.Checkpoint(id, folder);
        }
        catch (CommandFailure e)
        {
            // runsc says of what it could not write: a deleted file that is still open, for example.
            throw new Refusal(RuntimeErrors.Failed, $"the memory could not be written: {e.Message}");
        }
    }

    /// <summary>Step 4.</summary>
    private void GoOn(string id)
    {
        try
        {
            gvisor?.Resume(id);
        }
        catch (CommandFailure e)
        {
            // It was not paused yet.
            Log.Line($"machine {id}: {e.Message}");
        }
        File.Delete(MarkOf(id));
    }

    /// <summary>Step 5. The caller holds the machine's turn.</summary>
    private async Task LetInAsync(Machine machine)
    {
        if (gvisor is null || machine is not { IsGone: false, Record.Info: { State: MachineStates.Running, Isolation: Isolations.Gvisor } }) return;
        var runDirectory = settings.RunDirectoryOf(machine.Id);
        GvisorDoor.Open(runDirectory);
        if (!await ApartAsync(true, () => gvisor.AwaitDoor(machine.Id, serverGroup, DoorPatience, () => machine.Ended.IsCompleted))) GvisorDoor.Reopen(runDirectory);
    }

    /// <summary>Takes sockets that guests have made again without having been asked to: whoever closed the door did not come back.</summary>
    public void TakeDoors()
    {
        foreach (var machine in machines.Values)
        {
            if (machine.Record is not { Info: { State: MachineStates.Running, Isolation: Isolations.Gvisor } }) continue;
            try
            {
                GvisorDoor.TryTake(settings.RunDirectoryOf(machine.Id), serverGroup);
            }
            catch (LinuxException e)
            {
                Log.Line($"machine {machine.Id}: {e.Message}");
            }
        }
    }

    /// <summary>Digests of the programs of guests that somebody's memory needs.</summary>
    public IReadOnlySet<string> GuestsInUse() => machines.Values.Select(machine => machine.Record?.Guest).OfType<string>().Concat(snapshots.Guests).ToHashSet(StringComparer.Ordinal);

    /// <summary>Work that takes long is not done on a thread that serves others.</summary>
    private static Task<T> ApartAsync<T>(bool isLong, Func<T> work) =>
        isLong ? Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default) : Task.FromResult(work());
}
