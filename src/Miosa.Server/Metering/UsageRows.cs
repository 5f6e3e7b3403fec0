namespace Miosa.Server.Metering;

/// <summary>
/// What spans have in common: who used, how much at a time, at what price. Like a meter on a wall it is made once and then only runs; any change
/// of these fields makes time run on another one.
/// </summary>
internal sealed record MeterRow
{
    public long Id { get; init; }
    public required string TenantId { get; init; }

    /// <summary><c>sandbox</c> or <c>computer</c>.</summary>
    public required string Kind { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? WorkspaceId { get; init; }

    /// <summary>False for a machine that is paused: it uses its disk alone.</summary>
    public required bool IsRunning { get; init; }
    public required int Vcpus { get; init; }
    public required int MemoryMb { get; init; }
    public required int DiskMb { get; init; }

    /// <summary>Millionths of a cent an hour for CPUs and memory; 0 while paused.</summary>
    public required long ComputeRate { get; init; }

    /// <summary>Millionths of a cent an hour for the disk.</summary>
    public required long StorageRate { get; init; }
}

/// <summary>A stretch of time of one machine on one meter, in milliseconds of <see cref="MeterClock"/>.</summary>
internal sealed record SpanRow
{
    /// <summary><see cref="To"/> of a span that goes on: after every moment, so that one comparison finds both kinds.</summary>
    public const long Open = long.MaxValue;

    public long Id { get; init; }
    public required string MachineId { get; init; }
    public required long MeterId { get; init; }
    public required long From { get; init; }
    public required long To { get; init; }

    /// <summary>The machine's first: with it the machine was created.</summary>
    public required bool IsFirst { get; init; }
}

/// <summary>Where <see cref="MeterClock"/> stood; one row.</summary>
internal sealed record MeterClockRow
{
    public required int Id { get; init; }

    /// <summary>The run of the host's kernel that <see cref="MonotonicMs"/> counts from.</summary>
    public required string BootId { get; init; }
    public required long MonotonicMs { get; init; }
    public required long MeterMs { get; init; }
}

/// <summary>What a machine had written to its disk when it was last measured.</summary>
internal sealed record DiskUseRow
{
    public required string MachineId { get; init; }
    public required long Bytes { get; init; }
}
