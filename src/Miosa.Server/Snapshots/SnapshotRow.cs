namespace Miosa.Server.Snapshots;

/// <summary>The values of <see cref="SnapshotRow.Status"/>.</summary>
internal static class SnapshotStatus
{
    /// <summary>Its disk may or may not exist: what is found so and is nobody's work any more is removed.</summary>
    public const string Creating = "creating";
    public const string Ready = "ready";

    /// <summary>Its disk is gone by other hands; kept so that its owner learns it.</summary>
    public const string Failed = "failed";

    /// <summary>Nobody can see it any more: the disk goes, then the row.</summary>
    public const string Deleting = "deleting";
}

/// <summary>A snapshot as the database has it. It outlives its sandbox, so that it carries what a new one needs.</summary>
internal sealed record SnapshotRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string SandboxId { get; init; }
    public required string NodeId { get; init; }
    public required string Status { get; init; }
    public string? Comment { get; init; }
    public bool Keep { get; init; }
    public long? RetentionSec { get; init; }
    public long? SizeBytes { get; init; }

    /// <summary>True when what ran is in it, too.</summary>
    public bool HasMemory { get; init; }

    /// <summary>The sandbox's row of that moment, as JSON; its environment is sealed in it as in the row.</summary>
    public required string Source { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
    public DateTimeOffset? LastUsedAt { get; init; }
}
