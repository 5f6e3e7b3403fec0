using Miosa.Runtime.Wire;

namespace Miosa.Server.Resources;

/// <summary>
/// The measurements of one machine: one hour of every sample, one day of every twentieth. Both rings have fixed bounds, 25 KiB a machine.
/// </summary>
internal sealed class MetricsHistory
{
    private const int FineCount = 240;
    private const int CoarseCount = 288;
    private const int SamplesPerCoarse = 20;

    private readonly Queue<SandboxMetricsPoint> fine = [];
    private readonly Queue<SandboxMetricsPoint> coarse = [];
    private readonly Lock gate = new();
    private (DateTimeOffset At, long CpuUsec)? last;
    private (DateTimeOffset At, long CpuUsec)? lastCoarse;
    private int samples;

    public void Add(DateTimeOffset at, MachineUsage usage, int vcpus)
    {
        lock (gate)
        {
            Keep(fine, FineCount, PointOf(at, usage, PercentOf(last, at, usage.CpuUsec, vcpus)));
            last = (at, usage.CpuUsec);
            if (samples++ % SamplesPerCoarse != 0)
                return;
            Keep(coarse, CoarseCount, PointOf(at, usage, PercentOf(lastCoarse, at, usage.CpuUsec, vcpus)));
            lastCoarse = (at, usage.CpuUsec);
        }
    }

    /// <summary>CPU use since the last sample; that sample's own when it is too young to measure against.</summary>
    public double? PercentAt(DateTimeOffset at, long cpuUsec, int vcpus)
    {
        lock (gate)
            return last is { } sample && at - sample.At >= TimeSpan.FromSeconds(1) ? PercentOf(last, at, cpuUsec, vcpus) : fine.LastOrDefault()?.CpuPercent;
    }

    public IReadOnlyList<SandboxMetricsPoint> Since(DateTimeOffset from, bool isFine)
    {
        lock (gate)
            return [.. (isFine ? fine : coarse).Where(point => point.Ts >= from)];
    }

    // A machine that was started again counts from zero: no figure rather than a negative one.
    private static double? PercentOf((DateTimeOffset At, long CpuUsec)? before, DateTimeOffset at, long cpuUsec, int vcpus) =>
        before is { } sample && cpuUsec >= sample.CpuUsec && at > sample.At
            ? Math.Round((cpuUsec - sample.CpuUsec) / (at - sample.At).TotalMicroseconds / vcpus * 100, 1)
            : null;

    private static SandboxMetricsPoint PointOf(DateTimeOffset at, MachineUsage usage, double? percent) => new()
    {
        Ts = at,
        CpuPercent = percent,
        MemoryUsedMb = Mb(usage.MemoryBytes),
        DiskUsedMb = Mb(usage.DiskBytes),
        NetworkIngressBytes = usage.ReceivedBytes,
        NetworkEgressBytes = usage.SentBytes,
    };

    public static double Mb(long bytes) => Math.Round(bytes / 1048576.0, 1);

    private static void Keep(Queue<SandboxMetricsPoint> ring, int count, SandboxMetricsPoint point)
    {
        if (ring.Count == count)
            ring.Dequeue();
        ring.Enqueue(point);
    }
}
