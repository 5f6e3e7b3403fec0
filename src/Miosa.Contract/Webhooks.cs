using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>The values of <see cref="Webhook.State"/>.</summary>
public static class WebhookState
{
    /// <summary>It is sent what happens.</summary>
    public const string Active = "active";

    /// <summary>It was switched off; what happens meanwhile is not sent later.</summary>
    public const string Inactive = "inactive";

    /// <summary>It failed for a day and was switched off by the server. Switched on again, it goes on where it stopped.</summary>
    public const string Failed = "failed";
}

/// <summary>The values of <see cref="WebhookDelivery.State"/>.</summary>
public static class WebhookDeliveryState
{
    /// <summary>It waits for its first attempt.</summary>
    public const string Pending = "pending";

    /// <summary>It failed and is tried again.</summary>
    public const string Retrying = "retrying";

    /// <summary>The endpoint answered 2xx.</summary>
    public const string Delivered = "delivered";

    /// <summary>It failed and is not tried again: a test, or the webhook was switched off.</summary>
    public const string Failed = "failed";

    /// <summary>Every retry failed. It can be sent again by a replay.</summary>
    public const string DeadLetter = "dead_letter";
}

/// <summary>An endpoint of yours that is sent what happens in the tenant.</summary>
public sealed record Webhook
{
    /// <summary>Id, <c>wh_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Its tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>Only events of this workspace; null for all.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Label.</summary>
    public string? Name { get; init; }

    /// <summary>Text.</summary>
    public string? Description { get; init; }

    /// <summary>Where it is sent.</summary>
    public required string Url { get; init; }

    /// <summary>Names and globs of the events it is sent; empty for all.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>Whether it is on.</summary>
    public required bool Active { get; init; }

    /// <summary>Same as <see cref="Active"/>.</summary>
    public bool Enabled { get; init; }

    /// <summary>A <see cref="WebhookState"/>.</summary>
    public string? State { get; init; }

    /// <summary>Headers that you want with every delivery.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>How often a delivery that failed is tried again.</summary>
    public int RetryCount { get; init; }

    /// <summary>Attempts that failed in a row.</summary>
    public int FailureCount { get; init; }

    /// <summary>When the last attempt was made.</summary>
    public DateTimeOffset? LastTriggeredAt { get; init; }

    /// <summary>The HTTP status it got; null when there was no answer.</summary>
    public int? LastStatusCode { get; init; }

    /// <summary>The end of the signing secret.</summary>
    public string? SecretPreview { get; init; }

    /// <summary>The signing secret; only in the answer to its creation and to a rotation.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Secret { get; init; }

    /// <summary>Until when deliveries are signed with the secret before this one, too; null when there is none.</summary>
    public DateTimeOffset? PreviousSecretExpiresAt { get; init; }

    /// <summary>Your own data; empty when none, never null.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>A new webhook; only <see cref="Url"/> is needed.</summary>
public sealed record CreateWebhookRequest
{
    /// <summary>http or https address, at most 2048 characters, without a user name. It must not be at a private address unless the operator allows it.</summary>
    public required string Url { get; init; }

    /// <summary>Names of <see cref="EventNames"/> and globs, at most 100. Default, and when empty: all events. Unknown names are taken and never fire.</summary>
    public IReadOnlyList<string>? Events { get; init; }

    /// <summary>Label, at most 255 characters.</summary>
    public string? Name { get; init; }

    /// <summary>Text, at most 4096 characters.</summary>
    public string? Description { get; init; }

    /// <summary>Signing secret, 16 to 256 characters of printable ASCII. Default: one is made.</summary>
    public string? Secret { get; init; }

    /// <summary>Whether it is on. Default true.</summary>
    public bool? Active { get; init; }

    /// <summary>Headers to be sent with every delivery, at most 20 and 8 KiB.</summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>How often a delivery that failed is tried again, 0 to 10. Default 10, which takes about a day.</summary>
    public int? RetryCount { get; init; }

    /// <summary>Your own data, at most 16 KiB as JSON.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>Only events of this workspace.</summary>
    public string? WorkspaceId { get; init; }
}

/// <summary>What to change of a webhook; a field that is null stays as it is.</summary>
public sealed record UpdateWebhookRequest
{
    /// <inheritdoc cref="CreateWebhookRequest.Url"/>
    public string? Url { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.Events"/>
    public IReadOnlyList<string>? Events { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.Name"/>
    public string? Name { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.Description"/>
    public string? Description { get; init; }

    /// <summary>A new signing secret; deliveries are signed with the one before for another day, too.</summary>
    public string? Secret { get; init; }

    /// <summary>Switches it off, or on again.</summary>
    public bool? Active { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.Headers"/>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>How often a delivery that failed is tried again, 0 to 10.</summary>
    public int? RetryCount { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.Metadata"/>
    public JsonObject? Metadata { get; init; }

    /// <inheritdoc cref="CreateWebhookRequest.WorkspaceId"/>
    public string? WorkspaceId { get; init; }
}

/// <summary>A change of a webhook's signing secret.</summary>
public sealed record RotateWebhookSecretRequest
{
    /// <summary>The new secret, 16 to 256 characters of printable ASCII. Default: one is made.</summary>
    public string? Secret { get; init; }

    /// <summary>Seconds for which deliveries are signed with the old secret, too, 0 to 604,800. Default 86,400.</summary>
    public int? OverlapSeconds { get; init; }
}

/// <summary>An event on its way to a webhook, with the outcome of the latest attempt.</summary>
public sealed record WebhookDelivery
{
    /// <summary>Id, <c>del_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The webhook.</summary>
    public required string WebhookId { get; init; }

    /// <summary>Name of the event.</summary>
    public string? Event { get; init; }

    /// <summary>Same as <see cref="Event"/>.</summary>
    public required string EventType { get; init; }

    /// <summary>The event, <c>evt_…</c>; the same for all webhooks.</summary>
    public string? EventId { get; init; }

    /// <summary>A <see cref="WebhookDeliveryState"/>.</summary>
    public string? State { get; init; }

    /// <summary><c>success</c>, <c>failed</c> or <c>pending</c>.</summary>
    public string? Status { get; init; }

    /// <summary>The endpoint answered 2xx.</summary>
    public required bool Success { get; init; }

    /// <summary>Same as <see cref="Success"/>.</summary>
    public bool Delivered { get; init; }

    /// <summary>HTTP status of the endpoint; null when there was no answer.</summary>
    public int? StatusCode { get; init; }

    /// <summary>Same as <see cref="StatusCode"/>.</summary>
    public int? ResponseStatus { get; init; }

    /// <summary>The first 4 KiB of the answer.</summary>
    public string? ResponseBody { get; init; }

    /// <summary>Why there was no answer.</summary>
    public string? Error { get; init; }

    /// <summary>Attempts so far.</summary>
    public int Attempts { get; init; }

    /// <summary>Same as <see cref="Attempts"/>.</summary>
    public int AttemptCount { get; init; }

    /// <summary>When the latest attempt was made.</summary>
    public DateTimeOffset? AttemptedAt { get; init; }

    /// <summary>When it was delivered.</summary>
    public DateTimeOffset? DeliveredAt { get; init; }

    /// <summary>When it is tried again.</summary>
    public DateTimeOffset? NextRetryAt { get; init; }

    /// <summary>Milliseconds that the latest attempt took.</summary>
    public long DurationMs { get; init; }

    /// <summary>The delivery that this one repeats.</summary>
    public string? ReplayOf { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Guard of a replay.</summary>
public sealed record ReplayWebhookDeliveryRequest
{
    /// <summary>Your id for this replay, a UUID: with the same id it is made once.</summary>
    public string? ReplayId { get; init; }
}

/// <summary>What a webhook is sent: the JSON body of the request.</summary>
public sealed record WebhookPayload
{
    /// <summary>Id of the delivery, the same for every attempt and replay: know by it what you had already.</summary>
    public required string Id { get; init; }

    /// <summary>Same as <see cref="Id"/>.</summary>
    public string? DeliveryId { get; init; }

    /// <summary>The event, <c>evt_…</c>; the same for all webhooks.</summary>
    public string? EventId { get; init; }

    /// <summary>Name of the event.</summary>
    public required string Event { get; init; }

    /// <summary>Same as <see cref="Event"/>.</summary>
    public required string Type { get; init; }

    /// <summary>When it happened.</summary>
    public DateTimeOffset? OccurredAt { get; init; }

    /// <summary>Same as <see cref="OccurredAt"/>.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>Same as <see cref="OccurredAt"/>.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The tenant.</summary>
    public required string TenantId { get; init; }

    /// <summary>The workspace, where there is one.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>What the event is about, as it was then: id, state, external_*_id, metadata, and the fields of this type of event.</summary>
    public JsonObject Data { get; init; } = [];
}

/// <summary>What can be subscribed to, and how deliveries are signed.</summary>
public sealed record WebhookEventCatalog
{
    /// <summary>Category to names.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Data { get; init; }

    /// <summary>All names.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>Categories that a webhook of one workspace can get.</summary>
    public IReadOnlyList<string> WorkspaceScopedCategories { get; init; } = [];

    /// <summary>How deliveries are signed.</summary>
    public JsonObject Signing { get; init; } = [];

    /// <summary>Headers of a delivery.</summary>
    public IReadOnlyList<string> DeliveryHeaders { get; init; } = [];
}
