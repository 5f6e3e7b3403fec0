namespace Miosa;

/// <summary>A link that hands out one file, or a folder as tar.gz, to whoever has it, until its end.</summary>
public sealed record FileExport
{
    /// <summary>The link. It needs no key: treat it as a secret.</summary>
    public required string Url { get; init; }

    /// <summary>When it stops working: one hour after it was made.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>Links to several files of a sandbox.</summary>
public sealed record SandboxExport
{
    /// <summary>Id, <c>exp_…</c>; nothing is stored under it.</summary>
    public required string Id { get; init; }

    /// <summary>The sandbox, as the call named it.</summary>
    public required string SandboxId { get; init; }

    /// <summary>The label given with the call.</summary>
    public string? Label { get; init; }

    /// <summary>Always <c>ready</c>.</summary>
    public required string Status { get; init; }

    /// <summary>One link for each path, in the order of the call.</summary>
    public required IReadOnlyList<ExportedFile> Files { get; init; }

    /// <summary>A link to all of them as one tar.gz; null when there is only one path.</summary>
    public string? ArchiveDownloadUrl { get; init; }

    /// <summary>When the links were made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When the links stop working.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>One path of a <see cref="SandboxExport"/>.</summary>
public sealed record ExportedFile
{
    /// <summary>The path inside the sandbox.</summary>
    public required string Path { get; init; }

    /// <summary>The name of the download; a folder's ends in <c>.tar.gz</c>.</summary>
    public required string Filename { get; init; }

    /// <summary>The link. It needs no key: treat it as a secret.</summary>
    public required string DownloadUrl { get; init; }

    /// <summary>When it stops working.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>Paths to hand out: one of <see cref="Path"/> and <see cref="Paths"/>.</summary>
public sealed record SandboxExportRequest
{
    /// <summary>One path.</summary>
    public string? Path { get; init; }

    /// <summary>Several paths, at most 50 and 3000 bytes together.</summary>
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>A label, echoed; also the name of the archive.</summary>
    public string? Label { get; init; }

    /// <summary>The name of the download.</summary>
    public string? Filename { get; init; }
}
