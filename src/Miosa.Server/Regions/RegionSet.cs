using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Settings;

namespace Miosa.Server.Regions;

/// <summary>The regions as the nodes make them up; one node today, so one. What is told of it is how it is now.</summary>
internal sealed class RegionSet(RuntimeClient runtime, Reconciliation reconciliation, MachineDirectory directory, TenantDefaults defaults, ServerSettings settings)
{
    public IReadOnlyList<Region> Of(string tenantId)
    {
        var hello = runtime.Hello;
        var isAvailable = hello is not null && reconciliation.FirstPass.IsCompleted;
        return
        [
            new Region
            {
                Id = settings.Region,
                Slug = settings.Region,
                Name = settings.RegionName ?? char.ToUpperInvariant(settings.Region[0]) + settings.Region[1..],
                Location = settings.RegionLocation,
                Available = isAvailable,
                Status = !isAvailable ? RegionStatus.Unavailable : hello is { DiskLimits: true, Network: true } ? RegionStatus.Live : RegionStatus.Degraded,
                Default = defaults.Of(tenantId).Region == settings.Region,
                Nodes = 1,
                Machines = directory.All.Count(machine => machine.Row.TenantId == tenantId),
                MaxVcpus = settings.MaxVcpus,
                MaxMemoryMb = settings.MaxMemoryMb,
                MaxDiskMb = settings.MaxDiskMb,
            },
        ];
    }
}
