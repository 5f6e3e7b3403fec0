using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the group Webhooks, as values.</summary>
internal static class WebhookCalls
{
    private const string Webhooks = "/webhooks";
    private const int MostDeliveries = 200;

    public static Call<Webhook> Create(CreateWebhookRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Make(HttpMethod.Post, Webhooks) with
        {
            Json = Call.Body(request, RequestJson.Default.CreateWebhookRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    public static Call<Page<Webhook>> List(bool? active, int page, int perPage)
    {
        var path = Call.Paged(Call.Query(Webhooks, ("active", active switch { true => "true", false => "false", null => null })), page, perPage);
        return new(HttpMethod.Get, path, static answer => answer.Whole(WireJson.Default.PageWebhook));
    }

    public static Call<Webhook> Get(string webhookId) => Make(HttpMethod.Get, Path(webhookId));

    public static Call<Webhook> Update(string webhookId, UpdateWebhookRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Make(HttpMethod.Patch, Path(webhookId)) with { Json = Call.Body(request, RequestJson.Default.UpdateWebhookRequest) };
    }

    public static Call<bool> Delete(string webhookId) => new(HttpMethod.Delete, Path(webhookId), Answer.Nothing);

    public static Call<WebhookDelivery> Test(string webhookId) => MakeDelivery(Path(webhookId) + "/test") with { IdempotencyKey = Guid.NewGuid().ToString() };

    public static Call<Webhook> Rotate(string webhookId, int? overlapSeconds, string? secret) => Make(HttpMethod.Post, Path(webhookId) + "/rotate-secret") with
    {
        Json = Call.Body(new() { OverlapSeconds = overlapSeconds, Secret = secret }, RequestJson.Default.RotateWebhookSecretRequest),
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    public static Call<Page<WebhookDelivery>> Deliveries(string webhookId, int limit, string? cursor, DateTimeOffset? before)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, MostDeliveries);
        var path = Call.Query(
            Path(webhookId) + "/deliveries", ("limit", limit.ToString(CultureInfo.InvariantCulture)), ("cursor", cursor), ("before", Call.Time(before)));
        return new(HttpMethod.Get, path, static answer => answer.Whole(WireJson.Default.PageWebhookDelivery));
    }

    public static Call<WebhookDelivery> Replay(string webhookId, string deliveryId, string? replayId)
        => MakeDelivery(Call.Item(Path(webhookId) + "/deliveries", deliveryId) + "/replay") with
        {
            Json = Call.Body(new() { ReplayId = replayId ?? Guid.NewGuid().ToString() }, RequestJson.Default.ReplayWebhookDeliveryRequest),
        };

    public static Call<WebhookEventCatalog> Catalog() => new(HttpMethod.Get, Webhooks + "/events", static answer => answer.Whole(WireJson.Default.WebhookEventCatalog));

    private static Call<Webhook> Make(HttpMethod method, string path) => new(method, path, static answer => answer.Object(WireJson.Default.Webhook));

    private static Call<WebhookDelivery> MakeDelivery(string path) => new(HttpMethod.Post, path, static answer => answer.Object(WireJson.Default.WebhookDelivery));

    private static string Path(string webhookId) => Call.Item(Webhooks, webhookId);
}
