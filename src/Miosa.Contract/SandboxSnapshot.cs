namespace Miosa;

/// <summary>The files of a sandbox at one moment, and what ran in it if that was asked for, kept after the sandbox is gone.</summary>
public sealed record SandboxSnapshot
{
    /// <summary>Id, <c>snap_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The same as <see cref="Id"/>.</summary>
    public required string SnapshotId { get; init; }

    /// <summary>The sandbox that was copied.</summary>
    public required string SandboxId { get; init; }

    /// <summary><c>creating</c>, <c>ready</c>, or <c>failed</c> when its disk is lost.</summary>
    public required string Status { get; init; }

    /// <summary>The same as <see cref="Status"/>.</summary>
    public string? State { get; init; }

    /// <summary>The note given when it was taken.</summary>
    public string? Comment { get; init; }

    /// <summary>True: it has no end, whatever the retention says.</summary>
    public bool Keep { get; init; }

    /// <summary>Seconds it is kept; null: until it is deleted.</summary>
    public long? RetentionSeconds { get; init; }

    /// <summary>Bytes that the sandbox had written above its image; most of them are shared with the sandbox.</summary>
    public long? SizeBytes { get; init; }

    /// <summary>True when what ran is in it, too, and goes on in a sandbox that is made of it.</summary>
    public bool Memory { get; init; }

    /// <summary>When a sandbox was last made of it.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>When it is deleted by itself; null: never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>What a snapshot should be; all optional.</summary>
public sealed record CreateSnapshotRequest
{
    /// <summary>A note, at most 1000 characters.</summary>
    public string? Comment { get; init; }

    /// <summary>True keeps it until it is deleted, also with a retention. Default false.</summary>
    public bool? Keep { get; init; }

    /// <summary>
    /// True takes what runs along, memory included; only with isolation <c>gvisor</c>. The sandbox stands still for some tenths of a second, longer with
    /// more memory; watches, streams and previews are cut, and it is refused while commands run. Default false.
    /// </summary>
    public bool? Memory { get; init; }

    /// <summary>Seconds until it is deleted by itself, 1 to 315,360,000. Default: never.</summary>
    public int? RetentionSeconds { get; init; }
}

/// <summary>The snapshots of a sandbox, newest first.</summary>
public sealed record SandboxSnapshotList
{
    /// <summary>The snapshots.</summary>
    public required IReadOnlyList<SandboxSnapshot> Data { get; init; }
}
