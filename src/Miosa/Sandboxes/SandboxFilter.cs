namespace Miosa;

/// <summary>Which sandboxes to list; a field that is null does not filter, several fields must all match.</summary>
public sealed record SandboxFilter
{
    /// <summary>Only this <see cref="SandboxState"/>, several separated by commas. Without it destroyed sandboxes are left out.</summary>
    public string? State { get; init; }

    /// <summary>Only this exact name.</summary>
    public string? Name { get; init; }

    /// <summary>Only this slug.</summary>
    public string? Slug { get; init; }

    /// <summary>Only with all of these labels.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Only for this user of yours.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Only for this project of yours.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Only for this workspace of yours.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>Only in this workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Only in this project.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Only made from this template.</summary>
    public string? TemplateId { get; init; }
}
