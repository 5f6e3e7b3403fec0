using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>Values of <see cref="AuditLogEntry.Result"/>.</summary>
public static class AuditResults
{
    /// <summary>It was done.</summary>
    public const string Ok = "ok";

    /// <summary>It was refused (4xx); nothing was done.</summary>
    public const string Refused = "refused";

    /// <summary>It failed (5xx).</summary>
    public const string Failed = "failed";
}

/// <summary>One call that changed something, or tried to. Entries are never changed; they hold no bodies and no secrets.</summary>
public sealed record AuditLogEntry
{
    /// <summary>Id, <c>aud_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>What was asked for, such as <c>sandbox.create</c>.</summary>
    public required string Action { get; init; }

    /// <summary>The same in the past tense, such as <c>sandbox.created</c>.</summary>
    public string? Type { get; init; }

    /// <summary>Id of the key.</summary>
    public string? ActorId { get; init; }

    /// <summary><c>api_key</c>, <c>scoped_token</c> or <c>system</c> (the command line on the server).</summary>
    public string? ActorType { get; init; }

    /// <summary>The actor as an object: <c>type</c>, <c>id</c>, <c>name</c>.</summary>
    public JsonObject Actor { get; init; } = [];

    /// <summary>Kind of the object, such as <c>sandbox</c>.</summary>
    public string? Resource { get; init; }

    /// <summary>The same as <see cref="Resource"/>.</summary>
    public string? ResourceType { get; init; }

    /// <summary>Id of the object.</summary>
    public string? ResourceId { get; init; }

    /// <summary>Workspace of the object.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Your user of the object.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your workspace of the object.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>Your project of the object.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>One of <see cref="AuditResults"/>.</summary>
    public string? Result { get; init; }

    /// <summary>HTTP status of the answer; 0 where there was none.</summary>
    public int Status { get; init; }

    /// <summary>Why it was refused: one of <see cref="ErrorCodes"/>, or null.</summary>
    public string? Code { get; init; }

    /// <summary>Ids of what else the call was about.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>Address of the caller.</summary>
    public string? IpAddress { get; init; }

    /// <summary>What the caller said it is, cut to 255 characters.</summary>
    public string? UserAgent { get; init; }

    /// <summary>Id of the request, as in the header <c>X-Request-ID</c> of its answer.</summary>
    public string? RequestId { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>The same as <see cref="CreatedAt"/>.</summary>
    public DateTimeOffset InsertedAt { get; init; }

    /// <summary>The same as <see cref="CreatedAt"/>.</summary>
    public DateTimeOffset Ts { get; init; }
}
