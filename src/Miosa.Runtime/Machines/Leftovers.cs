using Miosa.Runtime.Cgroups;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Host;

namespace Miosa.Runtime.Machines;

/// <summary>What a runtime that was killed in the middle of a launch has left on the host.</summary>
internal static class Leftovers
{
    /// <summary>The ids that have a directory, a socket or a cgroup.</summary>
    public static IReadOnlyList<string> Find(RuntimeSettings settings, MachineCgroups cgroups) =>
        [.. Names(settings.Machines).Concat(Names(settings.Run + "/machines")).Concat(cgroups.Members()).Distinct().Order(StringComparer.Ordinal)];

    public static void Remove(RuntimeSettings settings, MachineCgroups cgroups, string id)
    {
        try
        {
            cgroups.KillAll(id);
            cgroups.Remove(id);
            GvisorDoor.Remove(settings.RunDirectoryOf(id));
            DataVolume.Delete(settings.DirectoryOf(id));
        }
        catch (IOException e)
        {
            Log.Line($"machine {id}: cannot be removed: {e.Message}");
        }
    }

    private static IEnumerable<string> Names(string directory) =>
        Directory.Exists(directory) ? Directory.EnumerateDirectories(directory).Select(path => Path.GetFileName(path)) : [];
}
