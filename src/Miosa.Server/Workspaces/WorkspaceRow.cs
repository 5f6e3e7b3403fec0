namespace Miosa.Server.Workspaces;

/// <summary>A workspace as the database has it. Immutable: a change is a new record.</summary>
internal sealed record WorkspaceRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string Name { get; init; }
    public required string Slug { get; init; }
    public string? Description { get; init; }

    /// <summary>JSON object of texts.</summary>
    public required string Metadata { get; init; }

    /// <summary>JSON object as it was sent; what of it works is told by <see cref="WorkspaceSettings"/>.</summary>
    public required string Settings { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}
