namespace Miosa.Server.Webhooks;

/// <summary>A webhook as the database has it. The columns below the line are written by its deliveries, the others by the API.</summary>
internal sealed record WebhookRow
{
    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public string? WorkspaceId { get; init; }
    public string? Name { get; init; }
    public string? Description { get; init; }
    public required string Url { get; init; }

    /// <summary>JSON array of names and globs.</summary>
    public required string Events { get; init; }

    /// <summary>A <see cref="WebhookState"/>; only a day of failures changes it from below.</summary>
    public required string State { get; init; }

    /// <summary>Extra headers as JSON, encrypted: they may hold somebody's password.</summary>
    public byte[]? SealedHeaders { get; init; }
    public required int RetryCount { get; init; }
    public string Metadata { get; init; } = "{}";
    public required byte[] SealedSecret { get; init; }
    public required string SecretPreview { get; init; }

    /// <summary>The secret before this one, good for signing until <see cref="OldSecretUntil"/>.</summary>
    public byte[]? SealedOldSecret { get; init; }
    public DateTimeOffset? OldSecretUntil { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    // ---

    /// <summary>Number of the tenant's event up to which everything is done: delivered, given up or not wanted.</summary>
    public required long Cursor { get; init; }

    /// <summary>Attempts that failed in a row, and since when.</summary>
    public int FailureCount { get; init; }
    public DateTimeOffset? FailingSince { get; init; }
    public DateTimeOffset? LastTriggeredAt { get; init; }
    public int? LastStatusCode { get; init; }
}

/// <summary>
/// An event on its way to a webhook, from its first attempt on. Its id follows from webhook and event, so that what a crash forgot to write
/// down is sent again under the same id.
/// </summary>
internal sealed record DeliveryRow
{
    public required string Id { get; init; }

    /// <summary>Order of all deliveries.</summary>
    public long Number { get; init; }
    public required string WebhookId { get; init; }
    public required string EventId { get; init; }

    /// <summary>Number of the event in the tenant's log; 0 for a test or a replay, which have no place in the order.</summary>
    public long Sequence { get; init; }
    public required string Event { get; init; }

    /// <summary>Id inside the payload: its own, or that of the delivery which was first sent these bytes.</summary>
    public required string PayloadId { get; init; }
    public required byte[] Payload { get; init; }

    /// <summary>A <see cref="WebhookDeliveryState"/>.</summary>
    public required string State { get; init; }
    public int Attempts { get; init; }
    public DateTimeOffset? AttemptedAt { get; init; }
    public DateTimeOffset? DeliveredAt { get; init; }

    /// <summary>When the next attempt is due.</summary>
    public DateTimeOffset? DueAt { get; init; }
    public long DurationMs { get; init; }
    public int? StatusCode { get; init; }
    public string? Answer { get; init; }
    public string? Error { get; init; }
    public string? ReplayOf { get; init; }
    public string? ReplayId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
}
