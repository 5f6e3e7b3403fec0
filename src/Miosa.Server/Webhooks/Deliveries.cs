using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Webhooks;

/// <summary>
/// Sends what happened to whoever wants it. Each webhook has a place in its tenant's event log, and gets one event after the other: an attempt,
/// then in one transaction what came of it and the new place. What a crash cuts off between the two is sent again, under the same id.
/// 1. the tenant's feed wakes a webhook that wants the event; 2. somebody works on it until nothing is left; 3. what failed is queued by the time
/// it is due, and holds up what comes after it. Nothing polls, and a webhook without work costs no thread.
/// </summary>
internal sealed partial class Deliveries(
    Database database, EventLog log, TenantFeeds feeds, WebhookSeal seal, WebhookSender sender, DeliveryLog deliveries, ServerSettings settings, TimeProvider time,
    ILogger<Deliveries> logger) : BackgroundService
{
    private const int PageLength = 100;
    private const int ForgottenAtOnce = 500;

    /// <summary>A place in the log that fell behind by so many events nobody wanted is written down.</summary>
    private const int WorthWriting = 1000;

    private static readonly TimeSpan SlowFrom = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ForgetEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan WriteEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LastWait = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<string, Hook> hooks = [];
    private readonly Channel<(Hook Hook, DateTimeOffset DueAt)> news = Channel.CreateUnbounded<(Hook, DateTimeOffset)>(new UnboundedChannelOptions { SingleReader = true });
    private readonly PriorityQueue<Hook, DateTimeOffset> queue = new();
    private readonly CancellationTokenSource stopping = new();

    /// <summary>Attempts at the same time. Targets that are slow or fail have places of their own, so that they hold up each other alone.</summary>
    private readonly SemaphoreSlim quick = new(settings.WebhooksAtOnce);
    private readonly SemaphoreSlim slow = new(settings.WebhooksAtOnce);

    /// <summary>Cancelled when the server begins to stop: nothing new is begun then.</summary>
    private CancellationToken leaving;

    /// <summary>A webhook was made, changed, or got a replay.</summary>
    public void Changed(WebhookRow row)
    {
        if (row.State != WebhookState.Active)
        {
            if (hooks.TryGetValue(row.Id, out var known))
                known.Reload();
            return;
        }
        while (!hooks.GetOrAdd(row.Id, _ => new Hook(row.Id, row.TenantId, WorkAsync)).Reload())
            Thread.Yield(); // whoever closed it is just taking it out
    }

    /// <summary>A webhook was deleted: a delivery under way ends.</summary>
    public void Deleted(string id)
    {
        if (hooks.TryGetValue(id, out var hook))
        {
            hook.Gone.Cancel();
            hook.Reload();
        }
    }

    public override void Dispose()
    {
        stopping.Dispose();
        quick.Dispose();
        slow.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        leaving = stoppingToken;
        await using (var db = database.Read())
        {
            foreach (var row in await db.Webhooks.Where(w => w.State == WebhookState.Active).ToListAsync(stoppingToken))
                Changed(row);
        }
        var forgetAt = time.GetUtcNow();
        var writeAt = forgetAt + WriteEvery;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (news.Reader.TryRead(out var item))
                    queue.Enqueue(item.Hook, item.DueAt);
                while (queue.TryPeek(out var hook, out var due) && due <= time.GetUtcNow())
                    queue.Dequeue().Wake();
                if (time.GetUtcNow() >= forgetAt)
                {
                    forgetAt = time.GetUtcNow() + ForgetEvery;
                    await ForgetAsync(stoppingToken);
                }
                if (time.GetUtcNow() >= writeAt)
                {
                    await WritePlacesAsync(WorthWriting);
                    writeAt = time.GetUtcNow() + WriteEvery;
                }
                await SleepAsync(writeAt < forgetAt ? writeAt : forgetAt, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // A loop's edge: other webhooks must go on.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LoopFailed(logger, e);
                await Task.Delay(TryAgainAfter, time, CancellationToken.None);
            }
        }
        // What is under way may end; the rest is sent after the next start.
        stopping.CancelAfter(LastWait);
        await Task.WhenAll(hooks.Values.Select(hook => hook.Running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await WritePlacesAsync(1);
    }

    private async Task SleepAsync(DateTimeOffset until, CancellationToken ct)
    {
        if (queue.TryPeek(out _, out var next) && next < until)
            until = next;
        var pause = until - time.GetUtcNow();
        if (pause <= TimeSpan.Zero)
            return;
        using var wake = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var timer = Task.Delay(pause, time, wake.Token);
        var changed = news.Reader.WaitToReadAsync(wake.Token).AsTask();
        await Task.WhenAny(timer, changed);
        await wake.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    /// <summary>Works on a webhook until nothing is left to do.</summary>
    private async Task WorkAsync(Hook hook)
    {
        try
        {
            while (await NextAsync(hook) is { } delivery)
                await DeliverAsync(hook, delivery);
        }
        catch (OperationCanceledException)
        {
            // The server stops; if it does not, it goes on in a moment.
            hook.Broke();
            Later(hook, time.GetUtcNow() + TryAgainAfter);
        }
#pragma warning disable CA1031 // A loop's edge: this webhook is tried again, the others go on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            WorkFailed(logger, hook.Id, e);
            hook.Broke();
            Later(hook, time.GetUtcNow() + TryAgainAfter);
        }
    }

    /// <summary>What is to be sent next; null when nothing is, and then nobody works on it any more.</summary>
    private async Task<DeliveryRow?> NextAsync(Hook hook)
    {
        while (true)
        {
            leaving.ThrowIfCancellationRequested();
            if (hook.TakeLoad() && !await LoadAsync(hook))
                return null;
            var row = hook.Row ?? throw new InvalidOperationException($"webhook {hook.Id} was not loaded");
            if (hook.TakeReplays() && await ReplayAsync(hook) is { } replay)
                return replay;
            if (hook.Head is { } head)
            {
                if (head.DueAt <= time.GetUtcNow())
                    return head;
                if (!hook.TryEnd(waits: true))
                    continue;
                Later(hook, head.DueAt ?? DateTimeOffset.MaxValue);
                return null;
            }
            if (hook.Dequeue() is var (next, name))
                return DeliveryLog.Draft(row, next, name, time.GetUtcNow());
            if (hook.TakeBehind() is { } sequence)
            {
                var rows = await log.OfTenantAsync(hook.TenantId, sequence, PageLength, stopping.Token);
                hook.Take(rows, hasMore: rows.Count == PageLength);
            }
            else if (hook.TryEnd(waits: false))
            {
                return null;
            }
        }
    }

    /// <summary>False when it is not active any more: then it is left alone.</summary>
    private async Task<bool> LoadAsync(Hook hook)
    {
        // A seat before the look at the table: what is written in between is told.
        hook.Seat ??= await feeds.JoinAsync(hook.TenantId, hook);
        await using var db = database.Read();
        if (await db.Webhooks.FirstOrDefaultAsync(w => w.Id == hook.Id && w.State == WebhookState.Active, stopping.Token) is not { } row)
        {
            if (!hook.TryClose())
                return hook.TakeLoad() && await LoadAsync(hook);
            hooks.TryRemove(KeyValuePair.Create(hook.Id, hook));
            hook.Seat.Dispose();
            return false;
        }
        hook.Row = row;
        hook.Secrets = seal.Open(row);
        hook.Head = await db.Deliveries.FirstOrDefaultAsync(d => d.WebhookId == hook.Id && d.Sequence > 0 && d.State == WebhookDeliveryState.Retrying, stopping.Token);
        hook.Begin(Math.Max(Math.Max(row.Cursor, hook.Head?.Sequence ?? 0), hook.Place()), new EventFilter(WebhookView.EventsOf(row)), row.WorkspaceId);
        return true;
    }

    /// <summary>A replay that is due. They are outside the order of events, and hold up nothing.</summary>
    private async Task<DeliveryRow?> ReplayAsync(Hook hook)
    {
        await using var db = database.Read();
        var next = await db.Deliveries.Where(d => d.WebhookId == hook.Id && d.Sequence == 0 && d.DueAt != null).OrderBy(d => d.DueAt).FirstOrDefaultAsync(stopping.Token);
        if (next?.DueAt is not { } due)
            return null;
        if (due <= time.GetUtcNow())
        {
            hook.LookForReplays();
            return next;
        }
        Later(hook, due);
        return null;
    }

    private async Task DeliverAsync(Hook hook, DeliveryRow delivery)
    {
        if (hook is not { Row: { } row, Secrets: { } secrets })
            throw new InvalidOperationException($"webhook {hook.Id} was not loaded");
        Attempt attempt;
        var places = hook.IsSlow ? slow : quick;
        await places.WaitAsync(stopping.Token);
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token, hook.Gone.Token);
            attempt = await sender.SendAsync(secrets.ShipmentOf(row, delivery, time.GetUtcNow()), end.Token);
        }
        catch (OperationCanceledException) when (hook.Gone.IsCancellationRequested)
        {
            return;
        }
        finally
        {
            places.Release();
        }
        hook.IsSlow = !attempt.IsDelivered || attempt.DurationMs >= SlowFrom.TotalMilliseconds;
        if (await deliveries.RecordAsync(row, delivery, attempt) is not { } recorded)
        {
            // It is gone, perhaps with its tenant, which tells nobody here: the look at the table ends it, or this would be sent for ever.
            hook.Reload();
            return;
        }
        (delivery, hook.Row) = recorded;
        if (delivery.Sequence > 0)
            hook.Head = delivery.State == WebhookDeliveryState.Retrying ? delivery : null;
        if (!attempt.IsDelivered)
            NotDelivered(logger, delivery.Id, hook.Id, delivery.Attempts, attempt.Error ?? "", delivery.State);
        if (recorded.Webhook.State == WebhookState.Failed)
            GaveUp(logger, hook.Id);
        if (recorded.Webhook.State != WebhookState.Active)
            hook.Reload();
    }

    private void Later(Hook hook, DateTimeOffset due) => news.Writer.TryWrite((hook, due));

    /// <summary>Writes down how far webhooks have come that wanted nothing for long, so that a start need not look at all of it again.</summary>
    private async Task WritePlacesAsync(int atLeast)
    {
        var places = hooks.Values.Select(hook => (Hook: hook, At: hook.IdleAt())).Where(p => p.At is { } at && p.Hook.Row is { } row && at - Math.Max(row.Cursor, p.Hook.WrittenAt) >= atLeast).ToList();
        if (places.Count == 0)
            return;
        await database.WriteAsync(
            db =>
            {
                foreach (var (hook, at) in places)
                    db.Webhooks.Where(w => w.Id == hook.Id && w.State == WebhookState.Active && w.Cursor < at).ExecuteUpdate(set => set.SetProperty(w => w.Cursor, at ?? 0));
            },
            CancellationToken.None);
        foreach (var (hook, at) in places)
            hook.WrittenAt = at ?? 0;
    }

    /// <summary>Deletes old deliveries, and those of webhooks that are gone, in pieces between which others can write.</summary>
    private async Task ForgetAsync(CancellationToken ct)
    {
        var limit = time.GetUtcNow().AddDays(-settings.DeliveryDays);
        await DeleteAsync(rows => rows.Where(d => d.CreatedAt < limit && d.DueAt == null && d.State != WebhookDeliveryState.Retrying));
        List<string> orphans;
        await using (var db = database.Read())
            orphans = await db.Deliveries.Select(d => d.WebhookId).Distinct().Where(id => !db.Webhooks.Any(w => w.Id == id)).ToListAsync(ct);
        foreach (var id in orphans)
            await DeleteAsync(rows => rows.Where(d => d.WebhookId == id));

        async Task DeleteAsync(Func<IQueryable<DeliveryRow>, IQueryable<DeliveryRow>> old)
        {
            var count = ForgottenAtOnce;
            while (count == ForgottenAtOnce)
            {
                await database.WriteAsync(
                    db =>
                    {
                        var ids = old(db.Deliveries).Select(d => d.Id).Take(ForgottenAtOnce).ToList();
                        count = db.Deliveries.Where(d => ids.Contains(d.Id)).ExecuteDelete();
                    },
                    ct);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "delivery {Delivery} to webhook {Webhook} failed, attempt {Attempt}: {Error}; it is {State}")]
    private static partial void NotDelivered(ILogger logger, string delivery, string webhook, int attempt, string error, string state);

    [LoggerMessage(Level = LogLevel.Information, Message = "webhook {Webhook} failed for too long and was switched off")]
    private static partial void GaveUp(ILogger logger, string webhook);

    [LoggerMessage(Level = LogLevel.Error, Message = "work on webhook {Webhook} failed; it is tried again")]
    private static partial void WorkFailed(ILogger logger, string webhook, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "the scheduler of deliveries failed once; it goes on")]
    private static partial void LoopFailed(ILogger logger, Exception exception);
}
