namespace Miosa.Server.Storage;

internal sealed record TenantRow
{
    public required string Id { get; init; }
    public required string Name { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Number of the tenant's latest event; events of a tenant are counted without gaps.</summary>
    public long LastSequence { get; init; }
}

internal sealed record KeyRow
{
    public required string Id { get; init; }

    /// <summary>Null for a key of an administrator, which has no tenant of its own.</summary>
    public string? TenantId { get; init; }
    public required string Name { get; init; }

    /// <summary>The first characters of the random part: enough to find the row, useless to sign in.</summary>
    public required string Prefix { get; init; }
    public required byte[] Hash { get; init; }

    /// <summary>Scopes separated by spaces.</summary>
    public required string Scopes { get; init; }

    /// <summary>One of <see cref="ApiKeyTypes"/>.</summary>
    public string Type { get; init; } = ApiKeyTypes.User;
    public string Purpose { get; init; } = "api";

    /// <summary>The one external user for whom it acts; null for all.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Requests per minute; null for the server's setting.</summary>
    public int? RateLimitRpm { get; init; }

    /// <summary>JSON object.</summary>
    public string Metadata { get; init; } = "{}";
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
    public DateTimeOffset? RevokedAt { get; init; }
    public DateTimeOffset? LastUsedAt { get; init; }
}

/// <summary>A number that grows when something changes that other processes hold in memory.</summary>
internal sealed record MarkRow
{
    public required string Name { get; init; }
    public long Value { get; init; }
}

/// <summary>One event; the table is the outbox and the log that every reader follows.</summary>
internal sealed record EventRow
{
    public long Position { get; init; }
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required long Sequence { get; init; }

    /// <summary>What it is about: a machine, or another thing of the tenant.</summary>
    public required string SubjectId { get; init; }
    public required string Type { get; init; }
    public string? Status { get; init; }
    public string? WorkspaceId { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public required DateTimeOffset At { get; init; }

    /// <summary>JSON object: the subject, and what is particular to the event.</summary>
    public required string Data { get; init; }
}

/// <summary>The stored answer of a call that carried an idempotency key.</summary>
internal sealed record IdempotencyRow
{
    public required string TenantId { get; init; }
    public required string Method { get; init; }
    public required string Path { get; init; }
    public required string Key { get; init; }
    public required byte[] RequestHash { get; init; }
    public required int Status { get; init; }
    public required string ContentType { get; init; }

    /// <summary>Encrypted: an answer may hold a secret that is shown once.</summary>
    public required byte[] Body { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A published port of a machine.</summary>
internal sealed record PreviewRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string MachineId { get; init; }
    public required int Port { get; init; }
    public required bool IsPublic { get; init; }

    /// <summary>The word that the owner of a computer said; null where the computer's own counts, and for sandboxes.</summary>
    public string? Visibility { get; init; }
    public string? Name { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>Whether it opens without a key or a token.</summary>
    public bool IsOpen(Lifecycle.Machine machine) =>
        machine.IsComputer ? (Visibility ?? machine.Visibility) == ComputerVisibility.Public : IsPublic;
}

/// <summary>A secret that opens previews of a machine; only its hash is kept.</summary>
internal sealed record PreviewGrantRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string MachineId { get; init; }

    /// <summary>Name of a <see cref="Previews.GrantKind"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>The preview it belongs to and ends with; null for one of the whole machine.</summary>
    public string? PreviewId { get; init; }

    /// <summary>The key that made a stream token, and with which it ends; null for one that was got with the viewer password.</summary>
    public string? KeyId { get; init; }

    /// <summary>The viewer password that a stream token was got with, and with which it ends.</summary>
    public string? PasswordId { get; init; }

    /// <summary>The one port it opens; null for every port.</summary>
    public int? Port { get; init; }
    public required bool MayWrite { get; init; }

    /// <summary>The first characters of the secret, shown in lists.</summary>
    public required string Prefix { get; init; }
    public required byte[] Hash { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
}
