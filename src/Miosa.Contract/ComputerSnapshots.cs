namespace Miosa;

/// <summary>The values of <see cref="ComputerSnapshot.Status"/>.</summary>
public static class ComputerSnapshotStatus
{
    /// <summary>It is being taken.</summary>
    public const string Creating = "creating";

    /// <summary>It can be restored.</summary>
    public const string Ready = "ready";

    /// <summary>Its disk is lost.</summary>
    public const string Failed = "failed";

    /// <summary>It was deleted by the call that tells so.</summary>
    public const string Deleted = "deleted";
}

/// <summary>A checkpoint of a computer's disk. It outlives the computer.</summary>
public sealed record ComputerSnapshot
{
    /// <summary>Its id, <c>snap_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The computer it was taken of.</summary>
    public required string ComputerId { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>What its maker wrote on it.</summary>
    public string? Comment { get; init; }

    /// <summary>Same as <see cref="Comment"/>.</summary>
    public string? Name { get; init; }

    /// <summary>Same as <see cref="Comment"/>.</summary>
    public string? Description { get; init; }

    /// <summary>One of <see cref="ComputerSnapshotStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Bytes of the disk when it was taken; copies share what is the same.</summary>
    public long? SizeBytes { get; init; }

    /// <summary>Same as <see cref="SizeBytes"/>.</summary>
    public long? RootfsSizeBytes { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>When it was taken.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it was last changed or used.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>The checkpoints of a computer. Two keys and no more: one client takes the names of the keys for checkpoints otherwise.</summary>
internal sealed record ComputerSnapshotList
{
    public required IReadOnlyList<ComputerSnapshot> Data { get; init; }
    public int Total { get; init; }
}

/// <summary>A checkpoint to take.</summary>
public sealed record CreateComputerSnapshotRequest
{
    /// <summary>A label, at most 1,000 characters.</summary>
    public string? Comment { get; init; }
}

/// <summary>How far a checkpoint, or the return to one, has come.</summary>
public sealed record ComputerSnapshotProgress
{
    /// <summary>Always <c>snapshot_progress</c>.</summary>
    public string Type { get; init; } = "snapshot_progress";

    /// <summary>The checkpoint.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>One of <see cref="ComputerSnapshotStatus"/>, or <c>restoring</c>; ready, failed and deleted are the last.</summary>
    public required string Status { get; init; }

    /// <summary>What is being done: <c>disk</c>, <c>stop</c>, <c>start</c> or <c>done</c>.</summary>
    public string? Step { get; init; }

    /// <summary>Percent, 0 to 100.</summary>
    public int? Progress { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }
}
