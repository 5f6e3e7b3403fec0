using Miosa.Server.Events;
using Miosa.Server.Storage;

namespace Miosa.Server.Webhooks;

/// <summary>
/// An active webhook while the server runs. The feed puts what is wanted into its buffer and starts somebody to work on it; there is at most one
/// who works, and he stops when there is nothing to do. What the buffer cannot hold is read from the table later. Everything here is guarded by the
/// lock but the fields of whoever works.
/// </summary>
internal sealed class Hook(string id, string tenantId, Func<Hook, Task> work) : IFeedReader
{
    private const int MostBuffered = 64;
    private const long Unknown = long.MaxValue;

    private readonly Lock gate = new();
    private readonly Queue<(EventRow Row, string Name)> buffer = [];
    private EventFilter filter = new([]);
    private string? workspaceId;

    /// <summary>Every event up to here was looked at: not wanted, buffered, or done. Unknown before it was loaded.</summary>
    private long seen = Unknown;
    private bool isBehind;
    private bool mustLoad = true;

    /// <summary>What failed last is tried later, and nothing else before it.</summary>
    private bool isWaiting;
    private bool hasReplays;
    private bool isClosed;
    private Task? running;

    public string Id => id;

    public string TenantId => tenantId;

    /// <summary>Cancelled when the webhook is deleted.</summary>
    public CancellationTokenSource Gone { get; } = new();

    /// <summary>Who works on it, or a finished task.</summary>
    public Task Running
    {
        get
        {
            lock (gate)
                return running ?? Task.CompletedTask;
        }
    }

    // Of whoever works:
    public WebhookRow? Row { get; set; }
    public WebhookSecrets? Secrets { get; set; }
    public TenantFeeds.Seat? Seat { get; set; }

    /// <summary>What failed and is due again.</summary>
    public DeliveryRow? Head { get; set; }

    /// <summary>The last attempt failed or took long: it waits for its turn among its like.</summary>
    public bool IsSlow { get; set; }

    /// <summary>The place in the log that was last written down without a delivery.</summary>
    public long WrittenAt { get; set; }

    public void Tell(EventFrame frame)
    {
        lock (gate)
        {
            if (frame.Row.Sequence <= seen)
                return;
            if (frame.Row.Sequence > seen + 1 || buffer.Count == MostBuffered)
            {
                isBehind = true;
            }
            else
            {
                seen = frame.Row.Sequence;
                if (NameOf(frame.Row) is not { } name)
                    return;
                buffer.Enqueue((frame.Row, name));
            }
            if (!isWaiting)
                Start();
        }
    }

    public void Beat()
    {
        // Nobody waits for a sign of life here.
    }

    /// <summary>Something about it changed: it is read from the database before it goes on. False: it is closed, and another takes its place.</summary>
    public bool Reload()
    {
        lock (gate)
        {
            if (isClosed)
                return false;
            mustLoad = true;
            Start();
            return true;
        }
    }

    /// <summary>What was to be tried again is due, or a replay.</summary>
    public void Wake()
    {
        lock (gate)
        {
            hasReplays = true;
            Start();
        }
    }

    /// <summary>Whether to look for replays that are due; asked once, it is true again when there may be more.</summary>
    public bool TakeReplays()
    {
        lock (gate)
        {
            var has = hasReplays;
            hasReplays = false;
            return has;
        }
    }

    public void LookForReplays()
    {
        lock (gate)
            hasReplays = true;
    }

    public bool TakeLoad()
    {
        lock (gate)
        {
            isWaiting = false;
            var must = mustLoad;
            mustLoad = false;
            return must;
        }
    }

    /// <summary>
    /// The event up to which everything is done, for whoever works between two deliveries; 0 when it is not known. What was not wanted before a
    /// change is not sent after it, although the table may not say yet that it was looked at.
    /// </summary>
    public long Place()
    {
        lock (gate)
        {
            if (seen == Unknown)
                return 0;
            return buffer.TryPeek(out var first) ? first.Row.Sequence - 1 : seen;
        }
    }

    /// <summary>Begins again behind an event.</summary>
    public void Begin(long sequence, EventFilter wanted, string? workspace)
    {
        lock (gate)
        {
            (seen, filter, workspaceId, isBehind, hasReplays) = (sequence, wanted, workspace, true, true);
            buffer.Clear();
        }
    }

    /// <summary>The next event that is wanted.</summary>
    public (EventRow Row, string Name)? Dequeue()
    {
        lock (gate)
            return buffer.TryDequeue(out var next) ? next : null;
    }

    /// <summary>The number of the event to read on after, when there is something in the table that was not looked at.</summary>
    public long? TakeBehind()
    {
        lock (gate)
        {
            if (!isBehind)
                return null;
            isBehind = false;
            return seen;
        }
    }

    /// <summary>Takes rows of the table, as many as fit; <paramref name="hasMore"/> when there may be more after them.</summary>
    public void Take(IReadOnlyList<EventRow> rows, bool hasMore)
    {
        lock (gate)
        {
            isBehind |= hasMore;
            foreach (var row in rows)
            {
                if (row.Sequence <= seen)
                    continue;
                if (buffer.Count == MostBuffered)
                {
                    isBehind = true;
                    return;
                }
                seen = row.Sequence;
                if (NameOf(row) is { } name)
                    buffer.Enqueue((row, name));
            }
        }
    }

    /// <summary>True: nothing is left to do now, and whoever works goes. False: something came.</summary>
    /// <param name="waits">Whether something is tried again later, which the rest has to wait for.</param>
    public bool TryEnd(bool waits)
    {
        lock (gate)
        {
            if (mustLoad || hasReplays || (!waits && (isBehind || buffer.Count > 0)))
                return false;
            isWaiting = waits;
            running = null;
            return true;
        }
    }

    /// <summary>True: it is over, for good. False: it changed again.</summary>
    public bool TryClose()
    {
        lock (gate)
        {
            isClosed = !mustLoad;
            return isClosed;
        }
    }

    /// <summary>Whoever works was stopped by a failure; the next one starts anew.</summary>
    public void Broke()
    {
        lock (gate)
        {
            // What was under way may not be written down: the table alone knows the place.
            (running, mustLoad, isWaiting, seen) = (null, true, true, Unknown);
        }
    }

    /// <summary>Up to which event everything is done while nobody works; null while somebody does or something waits.</summary>
    public long? IdleAt()
    {
        lock (gate)
            return running is null && !isWaiting && !isBehind && !mustLoad && buffer.Count == 0 ? seen : null;
    }

    private void Start()
    {
        if (running is not null || isClosed)
            return;
        isWaiting = false;
        running = Task.Run(() => work(this));
    }

    /// <summary>Nobody is told of his own failures: the news could not reach him, and would follow itself.</summary>
    private string? NameOf(EventRow row) =>
        row.SubjectId == id || (workspaceId is not null && row.WorkspaceId != workspaceId) ? null : filter.NameFor(row.Type);
}
