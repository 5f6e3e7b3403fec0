using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Resources;

/// <summary>What a sandbox uses. Asking neither resumes it nor counts as activity.</summary>
internal static class ResourceEndpoints
{
    private const string Measured = "measured";
    private const string Unavailable = "unavailable";

    public static void Map(IEndpointRouteBuilder api) =>
        api.Map("GET", "/sandboxes/{sandbox_id}/usage", UsageAsync).Needs(Scopes.SandboxesRead);

    private static async Task<IResult> UsageAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var machines = services.GetRequiredService<Machines>();
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } row)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var usage = await MeasureAsync(machines.Runtime, row, context.RequestAborted);
        var seen = services.GetRequiredService<SandboxView>().Of(row);
        var ranMs = row.RanSec * 1000L;
        if (row.RunningSince is { } since)
            ranMs += Math.Max(0, (long)(services.GetRequiredService<TimeProvider>().GetUtcNow() - since).TotalMilliseconds);
        return Reply.One(
            new SandboxUsage
            {
                SandboxId = row.Id,
                State = seen.State,
                RuntimeSec = (int)(ranMs / 1000),
                ProvisionedVcpuMs = ranMs * row.Vcpus,
                ProvisionedMemoryMbMs = ranMs * row.MemoryMb,
                CreationCount = row.StartedAt is null ? 0 : 1,
                ActiveCpuMs = usage?.CpuUsec / 1000,
                NetworkIngressBytes = usage?.ReceivedBytes,
                NetworkEgressBytes = usage?.SentBytes,
                MemoryBytes = usage?.MemoryBytes,
                MemoryPeakBytes = usage?.MemoryPeakBytes,
                DiskBytes = usage?.DiskBytes,
                MeasurementStatus = StatusOf(usage),
                EstimatedCostCents = 0,
                TimeoutSec = row.TimeoutSec,
                TimeoutRemainingMs = seen.TimeoutRemainingMs,
            },
            WireJson.Default.SandboxUsage);
    }

    /// <summary>Null when there is nothing to measure or nobody to ask: what the row knows is told all the same.</summary>
    private static async Task<MachineUsage?> MeasureAsync(RuntimeClient runtime, Machine row, CancellationToken ct)
    {
        if (row.State is not (MachineState.Running or MachineState.Paused))
            return null;
        try
        {
            // A dead machine has no cgroup any more: its zeros would be no measurement.
            return await runtime.InspectAsync(row.Id, ct) is { State: not MachineStates.Dead } found ? found.Usage : null;
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            return null;
        }
    }

    private static Dictionary<string, string> StatusOf(MachineUsage? usage)
    {
        var live = usage is null ? Unavailable : Measured;
        return new()
        {
            ["active_cpu"] = live,
            ["memory"] = live,
            ["disk"] = live,
            ["network"] = usage?.SentBytes is null ? Unavailable : Measured,
            ["provisioned_resources"] = Measured,
        };
    }
}
