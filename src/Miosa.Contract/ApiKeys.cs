using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>Values of <see cref="ApiKey.KeyType"/>.</summary>
public static class ApiKeyTypes
{
    /// <summary>What its scopes allow.</summary>
    public const string User = "user";

    /// <summary>Everything in the tenant; only made by a key that may do everything.</summary>
    public const string Admin = "admin";

    /// <summary>An administrator of the server, without a tenant of its own; only made on the server.</summary>
    public const string Platform = "platform";
}

/// <summary>Values of <see cref="ApiKey.Status"/>.</summary>
public static class ApiKeyStatus
{
    /// <summary>It works.</summary>
    public const string Active = "active";

    /// <summary>Somebody revoked it.</summary>
    public const string Revoked = "revoked";

    /// <summary>Its time is over.</summary>
    public const string Expired = "expired";
}

/// <summary>An API key; its secret is told once, in the answer to its making.</summary>
public sealed record ApiKey
{
    /// <summary>Id, <c>key_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>Workspace that the key is bound to; null for all.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>What it is for.</summary>
    public required string Name { get; init; }

    /// <summary>The first characters of the secret, by which it can be recognised.</summary>
    public required string Prefix { get; init; }

    /// <summary>The same as <see cref="Prefix"/>.</summary>
    public string? KeyPrefix { get; init; }

    /// <summary>What it may do: names of <see cref="Miosa.Scopes"/>.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];

    /// <summary>One of <see cref="ApiKeyTypes"/>.</summary>
    public string KeyType { get; init; } = ApiKeyTypes.User;

    /// <summary><c>api</c> or <c>optimal</c>; a label only.</summary>
    public string KeyPurpose { get; init; } = "api";

    /// <summary>The same as <see cref="KeyPurpose"/>.</summary>
    public string? Purpose { get; init; }

    /// <summary>Requests per minute that it is allowed; 0 for no limit.</summary>
    public int RateLimitRpm { get; init; }

    /// <summary>One of <see cref="ApiKeyStatus"/>.</summary>
    public string Status { get; init; } = ApiKeyStatus.Active;

    /// <summary>The one user of yours for whom it acts: it sees and makes only that user's sandboxes. Null for all.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>When it stops working; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>When it was last used, some seconds late; null for never.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }

    /// <summary>Free data, as it was given.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>The secret. Only in the answer to its making, null in every other one: nobody can ever see it again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Token { get; init; }

    /// <summary>The same as <see cref="Token"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Key { get; init; }
}

/// <summary>A key to be made.</summary>
public sealed record CreateApiKeyRequest
{
    /// <summary>What it is for, 1 to 255 characters.</summary>
    public required string Name { get; init; }

    /// <summary>What it may do; default: what the key that makes it may do. It can never be more than that.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>When it stops working; default: with the key that makes it, or never. It cannot be later than that.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Free data, at most 16 KiB.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>One of <see cref="ApiKeyTypes"/>; default <c>user</c>.</summary>
    public string? KeyType { get; init; }

    /// <summary><c>api</c> (default) or <c>optimal</c>; a label only.</summary>
    public string? Purpose { get; init; }

    /// <summary>Requests per minute, 1 to 1,000,000; default: the server's setting. It cannot be more than the key that makes it is allowed.</summary>
    public int? RateLimitRpm { get; init; }
}

/// <summary>A key that acts for one user of yours.</summary>
public sealed record CreateScopedApiKeyRequest
{
    /// <summary>Your name of the user, 1 to 255 characters.</summary>
    public required string ExternalUserId { get; init; }

    /// <summary>What it may do, at least one; never more than the key that makes it.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>When it stops working; default: with the key that makes it, or never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>What it is for; default: the user's name.</summary>
    public string? Name { get; init; }

    /// <summary>Requests per minute, 1 to 1,000,000; default: the server's setting.</summary>
    public int? RateLimitRpm { get; init; }
}

/// <summary>A short-lived token for one user of yours in one workspace.</summary>
public sealed record CreateScopedTokenRequest
{
    /// <summary>Your name of the user, 1 to 255 characters.</summary>
    public required string UserId { get; init; }

    /// <summary>A workspace of the tenant.</summary>
    public required string WorkspaceId { get; init; }

    /// <summary>Seconds that it works, 1 to 86400; default 3600.</summary>
    public int? ExpiresInSeconds { get; init; }

    /// <summary>What it may do; default: what the key that makes it may do.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }
}

/// <summary>A short-lived token: it is sent like an API key, and ends with its time or with the key that made it.</summary>
public sealed record ScopedToken
{
    /// <summary>The token, a JWT.</summary>
    public required string Token { get; init; }

    /// <summary>When it stops working.</summary>
    public DateTimeOffset ExpiresAt { get; init; }

    /// <summary>What it may do.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];
}
