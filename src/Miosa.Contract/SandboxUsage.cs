namespace Miosa;

/// <summary>What one sandbox has used. A figure that could not be measured is null and <see cref="MeasurementStatus"/> says so.</summary>
public sealed record SandboxUsage
{
    /// <summary>The sandbox.</summary>
    public required string SandboxId { get; init; }

    /// <summary>Its state, one of <see cref="SandboxState"/>.</summary>
    public required string State { get; init; }

    /// <summary>Whole seconds it ran; pauses do not count.</summary>
    public required int RuntimeSec { get; init; }

    /// <summary>Its vCPUs times the milliseconds it ran.</summary>
    public required long ProvisionedVcpuMs { get; init; }

    /// <summary>Its memory limit in MB times the milliseconds it ran.</summary>
    public long? ProvisionedMemoryMbMs { get; init; }

    /// <summary>How often it was started: 0 before it ran, else 1. Resuming is no start.</summary>
    public required int CreationCount { get; init; }

    /// <summary>Milliseconds of CPU time used since it was started, over all its vCPUs.</summary>
    public long? ActiveCpuMs { get; init; }

    /// <summary>Bytes it received since it was started; null when it has no network.</summary>
    public long? NetworkIngressBytes { get; init; }

    /// <summary>Bytes it sent since it was started, those that were blocked too; null when it has no network.</summary>
    public long? NetworkEgressBytes { get; init; }

    /// <summary>Bytes of memory it holds now.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>The most memory it held at once, in bytes.</summary>
    public long? MemoryPeakBytes { get; init; }

    /// <summary>Bytes it has written to its disk and not removed; its image does not count.</summary>
    public long? DiskBytes { get; init; }

    /// <summary><c>measured</c> or <c>unavailable</c>, for <c>active_cpu</c>, <c>memory</c>, <c>disk</c>, <c>network</c> and <c>provisioned_resources</c>.</summary>
    public required IReadOnlyDictionary<string, string> MeasurementStatus { get; init; }

    /// <summary>What it cost so far in cents, rounded to the nearest, by the server's price table.</summary>
    public required long EstimatedCostCents { get; init; }

    /// <summary>Its life limit in seconds.</summary>
    public required int TimeoutSec { get; init; }

    /// <summary>Milliseconds left before that limit; null when nothing counts down.</summary>
    public long? TimeoutRemainingMs { get; init; }
}
