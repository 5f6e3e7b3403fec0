using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Webhooks;

/// <summary>The webhooks of all tenants and their past deliveries: rows. What is sent, and when, is <see cref="Deliveries"/>' business.</summary>
internal sealed class WebhookSet(Database database, WebhookSeal seal, DeliveryLog deliveries, ServerSettings settings, TimeProvider time)
{
    public const int DefaultOverlapSec = 86_400;

    private const int DefaultRetries = 10;
    private const int MaxReplays = 100;
    private const string SwitchedOff = "the webhook was switched off";

    public async Task<Page<WebhookRow>> ListAsync(string tenantId, bool? active, Paging paging, CancellationToken ct)
    {
        await using var db = database.Read();
        var rows = db.Webhooks.Where(w => w.TenantId == tenantId);
        if (active is { } wanted)
            rows = rows.Where(w => w.State == WebhookState.Active == wanted);
        var total = await rows.CountAsync(ct);
        if (paging.Cursor is { } cursor)
            rows = rows.Where(w => string.Compare(w.Id, cursor) < 0);
        // Ids grow with time.
        var page = await rows.OrderByDescending(w => w.Id).Skip(paging.Skip).Take(paging.PerPage + 1).ToListAsync(ct);
        return paging.Of(page, total, row => row, row => row.Id);
    }

    public async Task<WebhookRow?> FindAsync(string tenantId, string id, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Webhooks.FirstOrDefaultAsync(w => w.Id == id && w.TenantId == tenantId, ct);
    }

    public async Task<(WebhookRow? Row, string Secret, Refusal? Refusal)> CreateAsync(string tenantId, string url, WebhookWish wish)
    {
        var now = time.GetUtcNow();
        var secret = wish.Secret ?? WebhookSeal.NewSecret();
        WebhookRow? made = null;
        var count = 0;
        await database.WriteAsync(
            db =>
            {
                count = db.Webhooks.Count(w => w.TenantId == tenantId);
                if (count >= settings.MaxWebhooks)
                    return;
                made = Apply(wish, now, new WebhookRow
                {
                    Id = Ids.New("wh"),
                    TenantId = tenantId,
                    Url = url,
                    Events = "[]",
                    State = wish.Active == false ? WebhookState.Inactive : WebhookState.Active,
                    RetryCount = DefaultRetries,
                    SealedSecret = seal.Seal(secret),
                    SecretPreview = WebhookSeal.PreviewOf(secret),
                    Cursor = LastSequence(db, tenantId),
                    CreatedAt = now,
                    UpdatedAt = now,
                });
                db.Webhooks.Add(made);
            },
            CancellationToken.None);
        return made is not null ? (made, secret, null) : (null, secret, new Refusal(
            ErrorCodes.QuotaExceeded,
            $"the tenant has {count} webhooks and may have {settings.MaxWebhooks}: delete some",
            new JsonObject { ["what"] = "webhooks", ["limit"] = settings.MaxWebhooks, ["current"] = count }));
    }

    /// <summary>Null when there is no such webhook. Read and written in one transaction, so that changes at the same time keep each other's fields.</summary>
    public async Task<WebhookRow?> ChangeAsync(string tenantId, string id, WebhookWish wish)
    {
        var now = time.GetUtcNow();
        WebhookRow? row = null;
        await database.WriteAsync(
            db =>
            {
                if (db.Webhooks.FirstOrDefault(w => w.Id == id && w.TenantId == tenantId) is not { } old)
                    return;
                row = Apply(wish, now, old);
                if (wish.Secret is { } secret && secret != seal.Open(old.SealedSecret))
                    row = Rotated(row, secret, now.AddSeconds(DefaultOverlapSec), now);
                if (wish.Active is { } active && active != (old.State == WebhookState.Active))
                    row = active ? SwitchedOn(db, row, old) : SwitchOff(db, row);
                // What failed at the old address is tried at the new one now.
                else if (row.State == WebhookState.Active && (row.Url != old.Url || wish.Headers is not null || wish.Secret is not null))
                    db.Deliveries.Where(d => d.WebhookId == id && d.State == WebhookDeliveryState.Retrying).ExecuteUpdate(set => set.SetProperty(d => d.DueAt, now));
                db.Webhooks.Update(row);
            },
            CancellationToken.None);
        return row;
    }

    /// <summary>A new secret; deliveries are signed with both until the overlap is over. Null when there is no such webhook.</summary>
    public async Task<(WebhookRow Row, string Secret)?> RotateAsync(string tenantId, string id, string? secret, int overlapSec)
    {
        var now = time.GetUtcNow();
        secret ??= WebhookSeal.NewSecret();
        WebhookRow? row = null;
        await database.WriteAsync(
            db =>
            {
                row = db.Webhooks.FirstOrDefault(w => w.Id == id && w.TenantId == tenantId);
                if (row is null)
                    return;
                row = Rotated(row, secret, now.AddSeconds(overlapSec), now);
                db.Webhooks.Update(row);
            },
            CancellationToken.None);
        return row is null ? null : (row, secret);
    }

    /// <summary>Its deliveries follow in pieces, so that other writers need not wait for a million rows.</summary>
    public async Task<bool> DeleteAsync(string tenantId, string id)
    {
        var count = 0;
        await database.WriteAsync(db => count = db.Webhooks.Where(w => w.Id == id && w.TenantId == tenantId).ExecuteDelete(), CancellationToken.None);
        return count > 0;
    }

    public async Task<Page<DeliveryRow>> DeliveriesAsync(string webhookId, DateTimeOffset? before, Paging paging, CancellationToken ct)
    {
        await using var db = database.Read();
        var rows = db.Deliveries.Where(d => d.WebhookId == webhookId);
        if (before is { } time)
            rows = rows.Where(d => d.CreatedAt < time);
        var total = await rows.CountAsync(ct);
        if (paging.Cursor is { } cursor)
        {
            var number = await db.Deliveries.Where(d => d.Id == cursor && d.WebhookId == webhookId).Select(d => d.Number).FirstOrDefaultAsync(ct);
            rows = rows.Where(d => d.Number < number);
        }
        var page = await rows.OrderByDescending(d => d.Number).Skip(paging.Skip).Take(paging.PerPage + 1).ToListAsync(ct);
        return paging.Of(page, total, row => row, row => row.Id);
    }

    /// <summary>Puts the same bytes on their way again, with the same id in them.</summary>
    public async Task<(DeliveryRow? Row, Refusal? Refusal)> ReplayAsync(WebhookRow hook, string deliveryId, string? replayId)
    {
        var now = time.GetUtcNow();
        DeliveryRow? row = null;
        Refusal? refusal = null;
        await database.WriteAsync(
            db =>
            {
                var mine = db.Deliveries.Where(d => d.WebhookId == hook.Id);
                if (mine.FirstOrDefault(d => d.Id == deliveryId) is not { } old)
                    refusal = Refusal.NotFound("delivery");
                else if (replayId is not null && mine.FirstOrDefault(d => d.ReplayId == replayId) is { } before)
                    (row, refusal) = before.ReplayOf == deliveryId ? (before, (Refusal?)null) : (null, Refusal.Conflict("the replay_id was used for another delivery"));
                else if (db.Webhooks.Where(w => w.Id == hook.Id).Select(w => w.State).FirstOrDefault() != WebhookState.Active)
                    refusal = Refusal.Conflict("the webhook is not active: switch it on first");
                else if (old.State is WebhookDeliveryState.Pending or WebhookDeliveryState.Retrying)
                    refusal = Refusal.Conflict("the delivery is still on its way");
                else if (mine.Count(d => d.ReplayOf != null && d.DueAt != null) >= MaxReplays)
                    refusal = Refusal.Conflict($"{MaxReplays} replays of the webhook are on their way: wait until some are over");
                else
                    row = deliveries.Add(db, new DeliveryRow
                    {
                        Id = Ids.New("del"),
                        WebhookId = hook.Id,
                        EventId = old.EventId,
                        Event = old.Event,
                        PayloadId = old.PayloadId,
                        Payload = old.Payload,
                        State = WebhookDeliveryState.Pending,
                        DueAt = now,
                        ReplayOf = old.Id,
                        ReplayId = replayId,
                        CreatedAt = now,
                    });
            },
            CancellationToken.None);
        return (row, refusal);
    }

    private WebhookRow Apply(WebhookWish wish, DateTimeOffset now, WebhookRow row) => row with
    {
        Url = wish.Url ?? row.Url,
        Events = wish.Events is null ? row.Events : JsonSerializer.Serialize(wish.Events),
        Name = wish.Cleared.Contains("name") ? null : wish.Name ?? row.Name,
        Description = wish.Cleared.Contains("description") ? null : wish.Description ?? row.Description,
        WorkspaceId = wish.Cleared.Contains("workspace_id") ? null : wish.WorkspaceId ?? row.WorkspaceId,
        SealedHeaders = wish.Headers is null ? row.SealedHeaders : seal.SealHeaders(wish.Headers),
        RetryCount = wish.RetryCount ?? row.RetryCount,
        Metadata = wish.Metadata ?? row.Metadata,
        UpdatedAt = now,
    };

    private WebhookRow Rotated(WebhookRow row, string secret, DateTimeOffset until, DateTimeOffset now) => row with
    {
        SealedOldSecret = until > now ? row.SealedSecret : null,
        OldSecretUntil = until > now ? until : null,
        SealedSecret = seal.Seal(secret),
        SecretPreview = WebhookSeal.PreviewOf(secret),
        UpdatedAt = now,
    };

    /// <summary>One that was off misses what happened meanwhile, as its owner wanted; one that had failed goes on where it stopped.</summary>
    private WebhookRow SwitchedOn(ServerDb db, WebhookRow row, WebhookRow old)
    {
        if (old.State == WebhookState.Failed)
        {
            var now = time.GetUtcNow();
            db.Deliveries.Where(d => d.WebhookId == row.Id && d.State == WebhookDeliveryState.Retrying)
                .ExecuteUpdate(set => set.SetProperty(d => d.DueAt, now).SetProperty(d => d.Attempts, 0));
        }
        else
        {
            row = row with { Cursor = LastSequence(db, row.TenantId) };
        }
        return row with { State = WebhookState.Active, FailureCount = 0, FailingSince = null };
    }

    private static WebhookRow SwitchOff(ServerDb db, WebhookRow row)
    {
        db.Deliveries.Where(d => d.WebhookId == row.Id && (d.State == WebhookDeliveryState.Pending || d.State == WebhookDeliveryState.Retrying))
            .ExecuteUpdate(set => set.SetProperty(d => d.State, WebhookDeliveryState.Failed).SetProperty(d => d.DueAt, (DateTimeOffset?)null).SetProperty(d => d.Error, SwitchedOff));
        return row with { State = WebhookState.Inactive };
    }

    private static long LastSequence(ServerDb db, string tenantId) => db.Tenants.Where(t => t.Id == tenantId).Select(t => t.LastSequence).First();
}
