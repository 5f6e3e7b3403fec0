using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Webhooks;

/// <summary>Writes down what attempts came to: the delivery, the webhook's counters and its place in the log, in one transaction.</summary>
internal sealed class DeliveryLog(Database database, EventLog events, RetrySchedule schedule) : IDisposable
{
    private readonly RowWriter<DeliveryRow> rows = database.Rows<DeliveryRow>();
    private readonly SqliteCommand webhook = database.Command(
        "UPDATE webhooks SET Cursor = MAX(Cursor, $cursor), FailureCount = $failures, FailingSince = $since, LastTriggeredAt = $at, LastStatusCode = $status WHERE Id = $id RETURNING State");
    private readonly SqliteCommand touch = database.Command("UPDATE webhooks SET LastTriggeredAt = $at, LastStatusCode = $status WHERE Id = $id RETURNING State");
    private readonly SqliteCommand fail = database.Command("UPDATE webhooks SET State = $state WHERE Id = $id");
    private readonly SqliteCommand last = database.Command("SELECT COALESCE(MAX(Number), 0) FROM webhook_deliveries");
    private long number = -1;

    /// <summary>The delivery of an event to a webhook, before its first attempt; made again it is the same to the last byte.</summary>
    public static DeliveryRow Draft(WebhookRow hook, EventRow row, string name, DateTimeOffset now)
    {
        var id = IdOf(hook.Id, row);
        return new DeliveryRow
        {
            Id = id,
            WebhookId = hook.Id,
            EventId = row.Id,
            Sequence = row.Sequence,
            Event = name,
            PayloadId = id,
            Payload = PayloadOf(id, name, row),
            State = WebhookDeliveryState.Pending,
            CreatedAt = now,
        };
    }

    public static byte[] PayloadOf(string id, string name, EventRow row) => Reply.Bytes(
        new WebhookPayload
        {
            Id = id,
            DeliveryId = id,
            EventId = row.Id,
            Event = name,
            Type = name,
            OccurredAt = row.At,
            Timestamp = row.At,
            CreatedAt = row.At,
            TenantId = row.TenantId,
            WorkspaceId = row.WorkspaceId,
            Data = JsonNode.Parse(row.Data) as JsonObject ?? [],
        },
        WireJson.Default.WebhookPayload);

    /// <summary>
    /// The delivery after an attempt, and the webhook after it; null when the webhook is gone. A webhook that has failed for too long is switched
    /// off with this, and keeps the delivery that could not be made.
    /// </summary>
    public async Task<(DeliveryRow Delivery, WebhookRow Webhook)?> RecordAsync(WebhookRow hook, DeliveryRow delivery, Attempt attempt)
    {
        var since = attempt.IsDelivered ? (DateTimeOffset?)null : hook.FailingSince ?? attempt.At;
        var isOver = since <= attempt.At - schedule.GiveUpAfter;
        delivery = After(delivery, attempt, schedule.Next(delivery.Attempts + 1, hook.RetryCount, attempt, keeps: isOver && delivery.Sequence > 0));
        var isDone = delivery.State is WebhookDeliveryState.Delivered or WebhookDeliveryState.DeadLetter;
        var after = hook with
        {
            Cursor = isDone && delivery.Sequence > 0 ? delivery.Sequence : hook.Cursor,
            FailureCount = attempt.IsDelivered ? 0 : hook.FailureCount + 1,
            FailingSince = since,
            LastTriggeredAt = attempt.At,
            LastStatusCode = attempt.Status,
        };
        var exists = false;
        // Not to be cancelled: what was sent is written down.
        await database.WriteRowsAsync(
            transaction =>
            {
                Set(webhook, transaction, ("$id", hook.Id), ("$cursor", after.Cursor), ("$failures", after.FailureCount), ("$since", since?.ToUnixTimeMilliseconds()),
                    ("$at", attempt.At.ToUnixTimeMilliseconds()), ("$status", attempt.Status));
                if (webhook.ExecuteScalar() is not string state)
                    return;
                exists = true;
                // Switched off meanwhile: it is not tried again, and not told to be failed.
                if (state != WebhookState.Active && delivery.State == WebhookDeliveryState.Retrying)
                    delivery = delivery with { State = WebhookDeliveryState.Failed, DueAt = null };
                delivery = Write(delivery, transaction);
                after = after with { State = state };
                if (!isOver || state != WebhookState.Active)
                    return;
                after = after with { State = WebhookState.Failed };
                Set(fail, transaction, ("$id", hook.Id), ("$state", after.State));
                fail.ExecuteNonQuery();
                events.Append(transaction, SubjectOf(after), new NewEvent(EventNames.WebhookFailed, new JsonObject
                {
                    ["failing_since"] = WireTime.Text(since ?? attempt.At),
                    ["failure_count"] = after.FailureCount,
                    ["last_status_code"] = attempt.Status,
                    ["error"] = attempt.Error,
                }));
            },
            CancellationToken.None);
        return exists ? (delivery, after) : null;
    }

    /// <summary>The same for a test, which is one attempt and says nothing about the order of events; null when the webhook is gone.</summary>
    public async Task<DeliveryRow?> RecordTestAsync(DeliveryRow delivery, Attempt attempt)
    {
        delivery = After(delivery, attempt, new RetrySchedule.Step(attempt.IsDelivered ? WebhookDeliveryState.Delivered : WebhookDeliveryState.Failed, DueAt: null));
        var exists = false;
        await database.WriteRowsAsync(
            transaction =>
            {
                Set(touch, transaction, ("$id", delivery.WebhookId), ("$at", attempt.At.ToUnixTimeMilliseconds()), ("$status", attempt.Status));
                exists = touch.ExecuteScalar() is string;
                if (exists)
                    delivery = Write(delivery, transaction);
            },
            CancellationToken.None);
        return exists ? delivery : null;
    }

    /// <summary>Adds a delivery that waits, in a change of somebody else's.</summary>
    public DeliveryRow Add(ServerDb db, DeliveryRow delivery)
    {
        number = Math.Max(number, db.Deliveries.Max(d => (long?)d.Number) ?? 0) + 1;
        delivery = delivery with { Number = number };
        db.Deliveries.Add(delivery);
        return delivery;
    }

    public void Dispose()
    {
        rows.Dispose();
        foreach (var command in (SqliteCommand[])[webhook, touch, fail, last])
            command.Dispose();
    }

    private DeliveryRow Write(DeliveryRow delivery, SqliteTransaction transaction)
    {
        // Without a number it was never written.
        if (delivery.Number > 0)
        {
            rows.Update(delivery, transaction);
            return delivery;
        }
        if (number < 0)
        {
            last.Transaction = transaction;
            number = (long)(last.ExecuteScalar() ?? 0L);
        }
        delivery = delivery with { Number = ++number };
        rows.Insert(delivery, transaction);
        return delivery;
    }

    private static DeliveryRow After(DeliveryRow delivery, Attempt attempt, RetrySchedule.Step step) => delivery with
    {
        State = step.State,
        DueAt = step.DueAt,
        Attempts = delivery.Attempts + 1,
        AttemptedAt = attempt.At,
        DeliveredAt = attempt.IsDelivered ? attempt.At.AddMilliseconds(attempt.DurationMs) : null,
        DurationMs = attempt.DurationMs,
        StatusCode = attempt.Status,
        Answer = attempt.Answer,
        Error = attempt.Error,
    };

    /// <summary>Its host alone: the rest of an address can be as good as a password, and others read this.</summary>
    private static EventSubject SubjectOf(WebhookRow hook) => new(hook.TenantId, hook.Id)
    {
        Status = hook.State,
        WorkspaceId = hook.WorkspaceId,
        Fields = new JsonObject { ["name"] = hook.Name, ["host"] = new Uri(hook.Url).Host },
    };

    /// <summary>As old as the event and as random as the two together.</summary>
    private static string IdOf(string webhookId, EventRow row) =>
        Ids.From("del", Ulid.NewUlid(row.At, SHA256.HashData(Encoding.UTF8.GetBytes(webhookId + row.Id)).AsSpan(0, 10)));

    private static void Set(SqliteCommand command, SqliteTransaction transaction, params (string Name, object? Value)[] values)
    {
        command.Transaction = transaction;
        command.Parameters.Clear();
        foreach (var (name, value) in values)
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
    }
}
