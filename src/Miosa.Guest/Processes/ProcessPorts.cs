using Miosa.Guest.Commands;
using Miosa.Guest.Ports;

namespace Miosa.Guest.Processes;

/// <summary>Which process listens where: by the socket's owner, and everything above it up to the one that was started.</summary>
internal static class ProcessPorts
{
    /// <summary>The lowest port by process, session leaders and parents included.</summary>
    public static Dictionary<int, int> Find()
    {
        var ports = new Dictionary<int, int>();
        var listeners = Listeners.Read();
        if (listeners.Count == 0)
            return ports;
        var owners = Listeners.Owners(listeners.Select(listener => listener.Inode).ToHashSet());
        var rows = new Dictionary<int, ProcessRow>();
        foreach (var row in ProcessTable.Read())
            rows[row.Pid] = row;
        foreach (var listener in listeners.OrderBy(listener => listener.Port))
        {
            if (!owners.TryGetValue(listener.Inode, out var pid))
                continue;
            // The bound is against a table that was read while it changed.
            for (var steps = rows.Count; steps > 0 && rows.TryGetValue(pid, out var row); steps--)
            {
                ports.TryAdd(row.Pid, listener.Port);
                ports.TryAdd(row.Session, listener.Port);
                pid = row.Parent;
            }
        }
        return ports;
    }
}
