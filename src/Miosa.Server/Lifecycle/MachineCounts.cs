using Microsoft.Data.Sqlite;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Lifecycle;

/// <summary>How many machines there are in each state.</summary>
internal static class MachineCounts
{
    /// <summary>State to number, and <c>total</c>. Every state of a living machine is named, also with 0.</summary>
    public static Dictionary<string, int> Of(SqliteTransaction transaction, Subject subject, string kind)
    {
        MachineState[] states = kind == MachineKind.Computer
            ? [MachineState.Provisioning, MachineState.Starting, MachineState.Running, MachineState.Paused, MachineState.Error]
            : [MachineState.Provisioning, MachineState.Running, MachineState.Paused, MachineState.Error];
        var counts = states.ToDictionary(state => state.Wire(kind), _ => 0);
        counts["total"] = 0;
        var found = transaction.Rows(
            $"SELECT m.State, COUNT(*) FROM machines m WHERE {subject.Machines} AND m.Kind = $kind GROUP BY m.State",
            row => (State: row.GetString(0), Count: row.GetInt32(1)),
            ("$tenant", subject.TenantId),
            ("$name", subject.Name),
            ("$kind", kind));
        foreach (var (state, count) in found)
        {
            counts[(MachineStateNames.Parse(state) ?? MachineState.Error).Wire(kind)] = count;
            counts["total"] += count;
        }
        return counts;
    }
}
