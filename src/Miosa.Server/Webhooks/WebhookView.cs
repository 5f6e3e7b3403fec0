using System.Text.Json;
using System.Text.Json.Nodes;

namespace Miosa.Server.Webhooks;

/// <summary>Webhooks and deliveries as the wire tells them.</summary>
internal sealed class WebhookView(WebhookSeal seal, TimeProvider time)
{
    /// <param name="row">The webhook.</param>
    /// <param name="secret">Its secret, in the one answer that shows it.</param>
    public Webhook Of(WebhookRow row, string? secret = null) => new()
    {
        Id = row.Id,
        TenantId = row.TenantId,
        WorkspaceId = row.WorkspaceId,
        Name = row.Name,
        Description = row.Description,
        Url = row.Url,
        Events = EventsOf(row),
        Active = row.State == WebhookState.Active,
        Enabled = row.State == WebhookState.Active,
        State = row.State,
        Headers = seal.OpenHeaders(row.SealedHeaders),
        RetryCount = row.RetryCount,
        FailureCount = row.FailureCount,
        LastTriggeredAt = row.LastTriggeredAt,
        LastStatusCode = row.LastStatusCode,
        SecretPreview = row.SecretPreview,
        Secret = secret,
        PreviousSecretExpiresAt = row.OldSecretUntil > time.GetUtcNow() ? row.OldSecretUntil : null,
        Metadata = JsonNode.Parse(row.Metadata) as JsonObject ?? [],
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };

    public static IReadOnlyList<string> EventsOf(WebhookRow row) => JsonSerializer.Deserialize<string[]>(row.Events) ?? [];

    public static WebhookDelivery Of(DeliveryRow row)
    {
        var isDelivered = row.State == WebhookDeliveryState.Delivered;
        return new WebhookDelivery
        {
            Id = row.Id,
            WebhookId = row.WebhookId,
            Event = row.Event,
            EventType = row.Event,
            EventId = row.EventId,
            State = row.State,
            Status = row.State switch
            {
                WebhookDeliveryState.Delivered => "success",
                WebhookDeliveryState.Pending or WebhookDeliveryState.Retrying => "pending",
                _ => "failed",
            },
            Success = isDelivered,
            Delivered = isDelivered,
            StatusCode = row.StatusCode,
            ResponseStatus = row.StatusCode,
            ResponseBody = row.Answer,
            Error = row.Error,
            Attempts = row.Attempts,
            AttemptCount = row.Attempts,
            AttemptedAt = row.AttemptedAt,
            DeliveredAt = row.DeliveredAt,
            NextRetryAt = row.DueAt,
            DurationMs = row.DurationMs,
            ReplayOf = row.ReplayOf,
            CreatedAt = row.CreatedAt,
        };
    }
}
