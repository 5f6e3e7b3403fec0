namespace Miosa.Server.Audit;

/// <summary>An entry of the audit log. Nothing in the code changes or deletes one but their retention.</summary>
internal sealed record AuditRow
{
    public long Position { get; init; }
    public required string Id { get; init; }

    /// <summary>Not a foreign key: what a tenant did outlives it.</summary>
    public required string TenantId { get; init; }
    public required string Action { get; init; }
    public required string ActorType { get; init; }
    public required string ActorId { get; init; }
    public string? ActorName { get; init; }
    public string? TokenId { get; init; }
    public required string Resource { get; init; }
    public string? ResourceId { get; init; }
    public string? WorkspaceId { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? ExternalProjectId { get; init; }

    /// <summary>HTTP status; 0 for the command line.</summary>
    public int Status { get; init; }
    public string? Code { get; init; }

    /// <summary>JSON object: ids of what else it was about.</summary>
    public string Metadata { get; init; } = "{}";
    public string? Ip { get; init; }
    public string? UserAgent { get; init; }
    public string? RequestId { get; init; }
    public required DateTimeOffset At { get; init; }
}
