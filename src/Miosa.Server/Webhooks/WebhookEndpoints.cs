using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Webhooks;

/// <summary>The group Webhooks.</summary>
internal sealed class WebhookEndpoints(
    WebhookSet webhooks, WebhookView view, WebhookSeal seal, WebhookSender sender, DeliveryLog log, Deliveries deliveries, WorkspaceSet workspaces,
    ServerSettings settings, TimeProvider time) : IDisposable
{
    private const int MaxOverlapSec = 7 * 86_400;
    private const int DefaultLimit = 50;
    private const int MaxDeliveries = 200;
    private const int TestsAtOnce = 32;

    private static readonly TimeSpan LookUpLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan TestPatience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim tests = new(TestsAtOnce);

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<WebhookEndpoints>();
        Read("", it.ListAsync);
        Read("/events", _ => Task.FromResult(it.Catalog()));
        Read("/{webhook_id}", it.GetAsync);
        Read("/{webhook_id}/deliveries", it.DeliveriesAsync);
        Write("POST", "", it.CreateAsync);
        Write("PATCH", "/{webhook_id}", it.ChangeAsync);
        Write("DELETE", "/{webhook_id}", it.DeleteAsync);
        Write("POST", "/{webhook_id}/test", it.TestAsync);
        Write("POST", "/{webhook_id}/rotate-secret", it.RotateAsync);
        Write("POST", "/{webhook_id}/deliveries/{delivery_id}/replay", it.ReplayAsync);

        void Read(string pattern, Func<HttpContext, Task<IResult>> handler) => api.Map("GET", "/webhooks" + pattern, handler).Needs(Scopes.WebhooksRead);

        void Write(string method, string pattern, Func<HttpContext, Task<IResult>> handler)
        {
            var route = api.Map(method, "/webhooks" + pattern, handler).Needs(Scopes.WebhooksWrite);
            if (method == "POST")
                route.WithMetadata(new Replayable(KeyInBody: false));
        }
    }

    public void Dispose() => tests.Dispose();

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var faults = new Fields([]);
        var paging = Paging.Read(query, faults, DefaultLimit);
        bool? active = query["active"].ToString() switch
        {
            "" => null,
            "true" or "1" => true,
            "false" or "0" => false,
            _ => Fail(),
        };
        if (faults.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var page = await webhooks.ListAsync(context.Caller().TenantId, active, paging, context.RequestAborted);
        return Reply.List(Told(page, row => view.Of(row)), WireJson.Default.PageWebhook);

        bool? Fail()
        {
            faults.Fail("active", "must be true or false");
            return null;
        }
    }

    private async Task<IResult> GetAsync(HttpContext context) => await FindAsync(context) is { } row ? One(row) : Reply.Refuse(Refusal.NotFound("webhook"));

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (wish, refusal) = await WishAsync(context, isNew: true);
        if (wish?.Url is not { } url)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        var (row, secret, full) = await webhooks.CreateAsync(context.Caller().TenantId, url, wish);
        if (row is null)
            return Reply.Refuse(full ?? Refusal.Internal());
        deliveries.Changed(row);
        return Reply.One(view.Of(row, secret), WireJson.Default.Webhook, 201);
    }

    private async Task<IResult> ChangeAsync(HttpContext context)
    {
        var (wish, refusal) = await WishAsync(context, isNew: false);
        if (wish is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        if (await webhooks.ChangeAsync(context.Caller().TenantId, context.PathValue("webhook_id"), wish) is not { } row)
            return Reply.Refuse(Refusal.NotFound("webhook"));
        deliveries.Changed(row);
        return One(row);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        var id = context.PathValue("webhook_id");
        if (!await webhooks.DeleteAsync(context.Caller().TenantId, id))
            return Reply.Refuse(Refusal.NotFound("webhook"));
        deliveries.Deleted(id);
        return Results.NoContent();
    }

    private async Task<IResult> RotateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var secret = WebhookFields.Secret(body);
        var overlapSec = body.Int("overlap_seconds", 0, MaxOverlapSec) ?? WebhookSet.DefaultOverlapSec;
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        if (await webhooks.RotateAsync(context.Caller().TenantId, context.PathValue("webhook_id"), secret, overlapSec) is not { } rotated)
            return Reply.Refuse(Refusal.NotFound("webhook"));
        deliveries.Changed(rotated.Row);
        return Reply.One(view.Of(rotated.Row, rotated.Secret), WireJson.Default.Webhook);
    }

    /// <summary>The road of every delivery, once and without waiting for those before it; how it ends is the answer, not an error.</summary>
    private async Task<IResult> TestAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } row)
            return Reply.Refuse(Refusal.NotFound("webhook"));
        if (!await tests.WaitAsync(TestPatience, context.RequestAborted))
            return Reply.Refuse(new Refusal(ErrorCodes.RateLimitExceeded, $"{TestsAtOnce} tests run already", RetryAfter: (int)TestPatience.TotalSeconds));
        try
        {
            var now = time.GetUtcNow();
            var id = Ids.New("del");
            var about = new EventRow { Id = Ids.New("evt"), TenantId = row.TenantId, Sequence = 0, SubjectId = row.Id, Type = EventNames.WebhookTest, At = now, WorkspaceId = row.WorkspaceId, Data = "{}" };
            var draft = new DeliveryRow
            {
                Id = id,
                WebhookId = row.Id,
                EventId = about.Id,
                Event = about.Type,
                PayloadId = id,
                Payload = DeliveryLog.PayloadOf(id, about.Type, about),
                State = WebhookDeliveryState.Pending,
                CreatedAt = now,
            };
            var attempt = await sender.SendAsync(seal.Open(row).ShipmentOf(row, draft, now), context.RequestAborted);
            return await log.RecordTestAsync(draft, attempt) is { } made
                ? Reply.One(WebhookView.Of(made), WireJson.Default.WebhookDelivery)
                : Reply.Refuse(Refusal.NotFound("webhook"));
        }
        finally
        {
            tests.Release();
        }
    }

    private async Task<IResult> DeliveriesAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } row)
            return Reply.Refuse(Refusal.NotFound("webhook"));
        var query = context.Request.Query;
        var faults = new Fields([]);
        var paging = Paging.Read(query, faults, DefaultLimit, MaxDeliveries);
        DateTimeOffset? before = null;
        if (query["before"].ToString() is { Length: > 0 } text)
        {
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
                before = time;
            else
                faults.Fail("before", "must be an RFC 3339 time");
        }
        if (faults.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var page = await webhooks.DeliveriesAsync(row.Id, before, paging, context.RequestAborted);
        return Reply.List(Told(page, WebhookView.Of), WireJson.Default.PageWebhookDelivery);
    }

    private async Task<IResult> ReplayAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var replayId = body.Text("replay_id");
        if (replayId is not null && !Guid.TryParse(replayId, out _))
            body.Fail("replay_id", "must be a UUID");
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        if (await FindAsync(context) is not { } row)
            return Reply.Refuse(Refusal.NotFound("webhook"));
        var (replay, no) = await webhooks.ReplayAsync(row, context.PathValue("delivery_id"), replayId);
        if (replay is null)
            return Reply.Refuse(no ?? Refusal.Internal());
        deliveries.Changed(row);
        return Reply.One(WebhookView.Of(replay), WireJson.Default.WebhookDelivery, 202);
    }

    private IResult Catalog() => Reply.Bare(WebhookCatalog.Of(settings.WebhookSignature == ServerSettings.LegacySignature), WireJson.Default.WebhookEventCatalog);

    private async Task<(WebhookWish? Wish, Refusal? Refusal)> WishAsync(HttpContext context, bool isNew)
    {
        var (body, refusal) = await Body.ReadAsync(context, WebhookFields.Aliases);
        if (refusal is not null)
            return (null, refusal);
        var wish = WebhookFields.Read(body, isNew, workspaces, context.Caller().TenantId);
        // Checked again whenever it is connected to; this tells the user early.
        if (wish.Url is { } url && await RefusesAsync(new Uri(url), context.RequestAborted) is { } why)
            body.Fail("url", why);
        return body.Errors() is { } faults ? (null, faults) : (wish, null);
    }

    private async Task<string?> RefusesAsync(Uri url, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(LookUpLimit);
        try
        {
            return await sender.Destinations.RefusesNowAsync(url, limit.Token) is { } why ? "cannot be used: " + why : null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return "cannot be looked up: its name server does not answer";
        }
    }

    private Task<WebhookRow?> FindAsync(HttpContext context) => webhooks.FindAsync(context.Caller().TenantId, context.PathValue("webhook_id"), context.RequestAborted);

    private IResult One(WebhookRow row) => Reply.One(view.Of(row), WireJson.Default.Webhook);

    private static Page<TOut> Told<TIn, TOut>(Page<TIn> page, Func<TIn, TOut> tell) =>
        new() { Data = [.. page.Data.Select(tell)], Meta = page.Meta, Figures = page.Figures, NextCursor = page.NextCursor };
}
