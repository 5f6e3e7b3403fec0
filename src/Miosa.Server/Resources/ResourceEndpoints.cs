using System.Globalization;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Resources;

/// <summary>What a sandbox uses. Asking neither resumes it nor counts as activity.</summary>
internal static class ResourceEndpoints
{
    private const string Measured = "measured";
    private const string Unavailable = "unavailable";

    private static readonly TimeSpan FineWindow = TimeSpan.FromHours(1);
    private static readonly TimeSpan MaxWindow = TimeSpan.FromHours(24);

    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", "/sandboxes/{sandbox_id}/usage", UsageAsync).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/sandboxes/{sandbox_id}/metrics", MetricsAsync).Needs(Scopes.SandboxesRead);
    }

    private static async Task<IResult> MetricsAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var asked = context.Request.Query["window"].ToString() is { Length: > 0 } text ? text : "1h";
        if (WindowOf(asked) is not { } window)
            return Reply.Refuse(Refusal.Invalid("window", $"must be a span of at most 24h such as 90s, 15m or 1h, got \"{asked}\""));
        var machines = services.GetRequiredService<Machines>();
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } row)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var usage = await MeasureAsync(machines.Runtime, row, context.RequestAborted);
        var history = services.GetRequiredService<MetricsSampler>().Find(row.Id);
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        return Reply.One(
            new SandboxMetrics
            {
                ResourceType = "sandbox",
                SandboxId = row.Id,
                Window = asked,
                Current = new SandboxMetricsNow
                {
                    CpuCount = row.Vcpus,
                    MemoryMb = row.MemoryMb,
                    DiskMb = row.DiskMb,
                    CpuPercent = usage is null ? null : history?.PercentAt(now, usage.CpuUsec, row.Vcpus),
                    MemoryUsedMb = usage is null ? null : MetricsHistory.Mb(usage.MemoryBytes),
                    DiskUsedMb = usage is null ? null : MetricsHistory.Mb(usage.DiskBytes),
                    NetworkIngressBytes = usage?.ReceivedBytes,
                    NetworkEgressBytes = usage?.SentBytes,
                    Processes = usage?.Pids,
                },
                Series = history?.Since(now - window, isFine: window <= FineWindow) ?? [],
            },
            WireJson.Default.SandboxMetrics);
    }

    private static TimeSpan? WindowOf(string text)
    {
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            return null;
        var unit = text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 };
        var seconds = (long)count * unit;
        return seconds > 0 && seconds <= MaxWindow.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;
    }

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
                EstimatedCostCents = UsageSum.CentsOf(services.GetRequiredService<UsageView>().Sum(new UsageFilter(row.TenantId) { MachineId = row.Id }, Period.Always).Cost),
                TimeoutSec = row.TimeoutSec,
                TimeoutRemainingMs = seen.TimeoutRemainingMs,
            },
            WireJson.Default.SandboxUsage);
    }

    /// <summary>Null when there is nothing to measure or nobody to ask: what the row knows is told all the same.</summary>
    public static async Task<MachineUsage?> MeasureAsync(RuntimeClient runtime, Machine row, CancellationToken ct)
    {
        if (row.State is not (MachineState.Running or MachineState.Paused or MachineState.Starting))
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
