namespace Miosa;

/// <summary>What a sandbox uses now and has used over a window.</summary>
public sealed record SandboxMetrics
{
    /// <summary>Always <c>sandbox</c>.</summary>
    public required string ResourceType { get; init; }

    /// <summary>The sandbox.</summary>
    public string? SandboxId { get; init; }

    /// <summary>The span asked for, such as <c>1h</c>.</summary>
    public string? Window { get; init; }

    /// <summary>The figures of this moment.</summary>
    public required SandboxMetricsNow Current { get; init; }

    /// <summary>Points inside the window, oldest first: every 15 seconds up to one hour back, every five minutes up to a day. The server keeps them in memory: after its restart they begin anew.</summary>
    public IReadOnlyList<SandboxMetricsPoint> Series { get; init; } = [];
}

/// <summary>The figures of this moment; what cannot be measured is null.</summary>
public sealed record SandboxMetricsNow
{
    /// <summary>Its vCPUs.</summary>
    public int CpuCount { get; init; }

    /// <summary>Its memory limit in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Its disk limit in MiB.</summary>
    public int DiskMb { get; init; }

    /// <summary>CPU use in percent, 100 meaning that all its vCPUs are busy; null until it was measured twice.</summary>
    public double? CpuPercent { get; init; }

    /// <summary>Memory it holds, in MiB.</summary>
    public double? MemoryUsedMb { get; init; }

    /// <summary>What it has written to its disk and not removed, in MiB.</summary>
    public double? DiskUsedMb { get; init; }

    /// <summary>Bytes received since it was started; null when it has no network.</summary>
    public long? NetworkIngressBytes { get; init; }

    /// <summary>Bytes sent since it was started, blocked ones too; null when it has no network.</summary>
    public long? NetworkEgressBytes { get; init; }

    /// <summary>Its processes.</summary>
    public long? Processes { get; init; }
}

/// <summary>One point of <see cref="SandboxMetrics.Series"/>.</summary>
public sealed record SandboxMetricsPoint
{
    /// <summary>When it was measured.</summary>
    public required DateTimeOffset Ts { get; init; }

    /// <summary>CPU use since the point before, in percent, 100 meaning that all its vCPUs are busy.</summary>
    public double? CpuPercent { get; init; }

    /// <summary>Memory it held, in MiB.</summary>
    public double MemoryUsedMb { get; init; }

    /// <summary>What it had on its disk, in MiB.</summary>
    public double DiskUsedMb { get; init; }

    /// <summary>Bytes received until then.</summary>
    public long? NetworkIngressBytes { get; init; }

    /// <summary>Bytes sent until then.</summary>
    public long? NetworkEgressBytes { get; init; }
}
