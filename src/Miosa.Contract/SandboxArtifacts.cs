namespace Miosa;

/// <summary>What the template of a sandbox said it would produce, as it is now.</summary>
public sealed record SandboxArtifacts
{
    /// <summary>Each path of the template's <c>artifactPaths</c>, as written there, with what is at it; empty when the template names none, never null.</summary>
    public required IReadOnlyDictionary<string, SandboxArtifact> Artifacts { get; init; }

    /// <summary>Where the template's program can be seen; never null.</summary>
    public required SandboxArtifactPreview Preview { get; init; }
}

/// <summary>What is at one path.</summary>
public sealed record SandboxArtifact
{
    /// <summary><c>file</c>, <c>directory</c>, <c>symlink</c>, <c>other</c>, or <c>missing</c> when nothing is there.</summary>
    public required string Type { get; init; }

    /// <summary>Bytes; null when nothing is there.</summary>
    public long? Size { get; init; }

    /// <summary>Last change; null when nothing is there.</summary>
    public DateTimeOffset? ModifiedAt { get; init; }
}

/// <summary>Where the template's program can be seen.</summary>
public sealed record SandboxArtifactPreview
{
    /// <summary>Address; null while nothing is exposed.</summary>
    public string? Url { get; init; }

    /// <summary>The port its program listens on; null when the template names none.</summary>
    public int? Port { get; init; }
}
