namespace Miosa;

/// <summary>Which computers to list; a field that is null does not filter, several fields must all match.</summary>
public sealed record ComputerFilter
{
    /// <summary>Only this <see cref="ComputerStatus"/>.</summary>
    public string? Status { get; init; }

    /// <summary>Only this exact name.</summary>
    public string? Name { get; init; }

    /// <summary>Only made from this image.</summary>
    public string? TemplateType { get; init; }

    /// <summary>Only in this workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Only in this project.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Only for this user of yours.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Only for this project of yours.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Only for this workspace of yours.</summary>
    public string? ExternalWorkspaceId { get; init; }
}
