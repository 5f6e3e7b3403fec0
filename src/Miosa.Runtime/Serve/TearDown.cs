using System.Diagnostics;
using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Network;

namespace Miosa.Runtime.Serve;

/// <summary>
/// The <c>down</c> verb: leaves the host as if this instance had never run. 1. no daemon may be serving; 2. every machine is killed and its things
/// removed; 3. interfaces are gone; 4. nft table and forwarding; 5. cgroups; 6. the data volume is unmounted and with --purge deleted.
/// </summary>
internal static class TearDown
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    public static void Run(RuntimeSettings settings)
    {
        var runs = Directory.Exists(settings.Run);
        using (runs ? InstanceLock.Take(settings.Run + "/serve.lock", $"a miosa-runtime serves {settings.Run}: stop it first") : null)
        {
            var cgroups = MachineCgroups.Detect(settings.Name, prepare: false);
            foreach (var id in Leftovers.Find(settings, cgroups))
            {
                KillGuest(settings, id);
                Leftovers.Remove(settings, cgroups, id);
            }
            AwaitInterfaces(settings);
            MachineNetwork.Remove(settings);
            cgroups.RemoveParents();
            if (!DataVolume.Unmount(settings)) throw new CommandFailure($"{settings.Data} is still in use: something outside of the runtime holds it");
            if (settings.Purge) Purge(settings);
        }
        if (runs) Tree.Delete(settings.Run);
    }

    // The record names the process by pid and start time; a machine without limits is in no cgroup.
    private static void KillGuest(RuntimeSettings settings, string id)
    {
        if (MachineFile.Read(settings.DirectoryOf(id)) is not { Info.Pid: > 0 } record) return;
        using var pidfd = Processes.OpenPidfd(record.Info.Pid);
        if (pidfd is null || Processes.StartTime(record.Info.Pid) != record.PidStart) return;
        Processes.Kill(pidfd, Processes.SIGKILL);
    }

    private static void AwaitInterfaces(RuntimeSettings settings)
    {
        var clock = Stopwatch.StartNew();
        while (MachineNetwork.Interfaces(settings) is [var name, ..])
        {
            if (clock.Elapsed > Deadline) throw new CommandFailure($"the interface {name} does not go away");
            Thread.Sleep(10);
        }
    }

    private static void Purge(RuntimeSettings settings)
    {
        if (Directory.Exists(settings.Data)) Tree.Delete(settings.Data);
        Libc.Unlink(settings.VolumeFile);
        Libc.Unlink(settings.VolumeFile + ".partial");
    }
}
