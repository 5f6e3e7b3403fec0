using System.Threading.Channels;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Events;

/// <summary>
/// One reader of a tenant's events, or of one subject's: 1. from the table, page by page, what came after its last event; 2. a seat in the tenant's
/// feed, and from the table what came meanwhile; 3. what the feed tells. Between the feed and the connection lies a queue with an end: a reader
/// that does not keep up is cut and comes back with its last event id, and nobody waits for it.
/// </summary>
internal sealed class EventStream(string tenantId, EventFilter filter, Action cut) : IFeedReader
{
    /// <summary>The event after which a stream without Last-Event-ID begins, so that a client can come back even before it has got one.</summary>
    public const string StartHeader = "X-Miosa-Last-Event-Id";

    private const int QueueLength = 256;
    private const int FramesAtOnce = 32;

    private readonly Channel<Told> queue = Channel.CreateBounded<Told>(new BoundedChannelOptions(QueueLength) { SingleReader = true, SingleWriter = true });

    /// <summary>Only events of this subject.</summary>
    public string? SubjectId { get; init; }

    /// <summary>Only these, besides.</summary>
    public Func<EventRow, bool>? Concerns { get; init; }

    /// <summary>The stream ends behind this one, wanted or not.</summary>
    public Func<EventRow, bool>? IsLast { get; init; }

    /// <summary>Asked once, when everything from before was told: whether nothing can come any more.</summary>
    public Func<CancellationToken, Task<bool>>? IsOverAsync { get; init; }

    public void Tell(EventFrame frame)
    {
        if (Of(frame) is { } told && !queue.Writer.TryWrite(told))
            cut();
    }

    public void Beat()
    {
        // A full queue has bytes enough to send.
        queue.Writer.TryWrite(new Told(Sse.Heartbeat, Sequence: 0, IsLast: false));
    }

    /// <param name="context">The request.</param>
    /// <param name="log">The table.</param>
    /// <param name="feeds">What happens.</param>
    /// <param name="from">Number of the event to go on after; null: from now.</param>
    public async Task RunAsync(HttpContext context, EventLog log, TenantFeeds feeds, long? from)
    {
        TenantFeeds.Seat? seat = null;
        try
        {
            if (from is null)
            {
                seat = await feeds.JoinAsync(tenantId, this);
                context.Response.Headers[StartHeader] = await log.IdUpToAsync(tenantId, seat.Sequence, context.RequestAborted);
            }
            await using var sse = await Sse.StartAsync(context, beats: false);
            await sse.SendAsync([Sse.Heartbeat]);
            var position = from ?? seat?.Sequence ?? 0;
            if (seat is null)
            {
                if (await CatchUpAsync(sse, log, position) is not { } reached)
                    return;
                seat = await feeds.JoinAsync(tenantId, this);
                if (await CatchUpAsync(sse, log, reached) is not { } now)
                    return;
                position = now;
            }
            if (IsOverAsync is null || !await IsOverAsync(sse.Ended))
                await FollowAsync(sse, position);
        }
        catch (OperationCanceledException)
        {
            // The reader left or was cut, or the server stops: the stream just ends, and Last-Event-ID goes on elsewhere.
        }
        finally
        {
            seat?.Dispose();
        }
    }

    /// <summary>Tells what the table has; null when that was the last there is.</summary>
    private async Task<long?> CatchUpAsync(Sse sse, EventLog log, long position)
    {
        while (true)
        {
            var rows = SubjectId is null ? await log.OfTenantAsync(tenantId, position, EventLog.PageLength, sse.Ended) : await log.OfSubjectAsync(SubjectId, position, sse.Ended);
            var frames = new List<ReadOnlyMemory<byte>>();
            var isLast = false;
            foreach (var row in rows)
            {
                position = row.Sequence;
                if (Of(new EventFrame(row)) is not { } told)
                    continue;
                frames.Add(told.Bytes);
                isLast = told.IsLast;
                if (isLast)
                    break;
            }
            foreach (var chunk in frames.Chunk(FramesAtOnce))
                await sse.SendAsync(chunk);
            if (isLast)
                return null;
            if (rows.Count < EventLog.PageLength)
                return position;
        }
    }

    private async Task FollowAsync(Sse sse, long position)
    {
        var frames = new List<ReadOnlyMemory<byte>>();
        while (await queue.Reader.WaitToReadAsync(sse.Ended))
        {
            frames.Clear();
            var isLast = false;
            while (!isLast && frames.Count < FramesAtOnce && queue.Reader.TryRead(out var told))
            {
                // What the table had already; a heartbeat has no number.
                if (told.Sequence != 0 && told.Sequence <= position)
                    continue;
                frames.Add(told.Bytes);
                isLast = told.IsLast;
            }
            if (frames.Count > 0)
                await sse.SendAsync(frames);
            if (isLast)
                return;
        }
    }

    private Told? Of(EventFrame frame)
    {
        var row = frame.Row;
        if ((SubjectId is not null && row.SubjectId != SubjectId) || Concerns?.Invoke(row) == false)
            return null;
        var isLast = IsLast?.Invoke(row) == true;
        if (filter.NameFor(row.Type) is { } name)
            return new Told(frame.As(name), row.Sequence, isLast);
        return isLast ? new Told(default, row.Sequence, isLast) : null;
    }

    private readonly record struct Told(ReadOnlyMemory<byte> Bytes, long Sequence, bool IsLast);
}
