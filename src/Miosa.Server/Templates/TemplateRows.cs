namespace Miosa.Server.Templates;

/// <summary>A template of a tenant as the database has it. The official ones are the images of the node and have no rows.</summary>
internal sealed record TemplateRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string NodeId { get; init; }
    public required string Name { get; init; }
    public required string Slug { get; init; }
    public string? Description { get; init; }

    /// <summary>A value of <see cref="TemplateStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>What its recipe begins with, as given.</summary>
    public required string Image { get; init; }

    /// <summary>The runtime's name of the image that a build made; null when <see cref="Image"/> is used as it is.</summary>
    public string? ImageRef { get; init; }

    /// <summary>JSON: the recipe without the content of its files.</summary>
    public required string Spec { get; init; }
    public int? Vcpus { get; init; }
    public int? MemoryMb { get; init; }
    public int? DiskMb { get; init; }

    /// <summary>Of its sandboxes, as <see cref="Lifecycle.Machine.Isolation"/>.</summary>
    public string? Isolation { get; init; }
    public string? Workdir { get; init; }
    public string? InstallCommand { get; init; }
    public string? StartCommand { get; init; }
    public string? ReadyCommand { get; init; }
    public int? PreviewPort { get; init; }

    /// <summary>JSON array.</summary>
    public string ArtifactPaths { get; init; } = "[]";

    /// <summary>JSON object.</summary>
    public string Metadata { get; init; } = "{}";
    public string? CurrentBuildId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>What the runtime is asked for.</summary>
    public string ImageName => ImageRef ?? Image;
}

/// <summary>The recipe of a template as it was sent, with its files: read only to build again.</summary>
internal sealed record TemplateSourceRow
{
    public required string TemplateId { get; init; }
    public required string Spec { get; init; }
}

/// <summary>One build as the database has it; its log is a file (<see cref="BuildLog"/>).</summary>
internal sealed record BuildRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string TemplateId { get; init; }
    public required string NodeId { get; init; }

    /// <summary>A value of <see cref="BuildStatus"/>.</summary>
    public required string Status { get; init; }
    public required bool IsDockerfile { get; init; }

    /// <summary>JSON: the recipe without the content of its files.</summary>
    public required string Spec { get; init; }
    public string? ImageRef { get; init; }
    public string? Digest { get; init; }
    public long? SizeBytes { get; init; }
    public string? ErrorCode { get; init; }
    public string? Error { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? FinishedAt { get; init; }

    public bool IsOver => Status is BuildStatus.Ready or BuildStatus.Failed or BuildStatus.Cancelled;
}
