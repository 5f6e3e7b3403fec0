namespace Miosa.Server.Events;

/// <summary>Is told the events of a tenant as they are written. Both must return at once: everybody else waits.</summary>
internal interface IFeedReader
{
    void Tell(EventFrame frame);

    /// <summary>Some seconds have passed.</summary>
    void Beat();
}

/// <summary>The loop over one tenant's events; it observes its own failures and ends when nobody reads.</summary>
#pragma warning disable CA1001 // The source is cancelled, which ends everything that waits for it; it holds nothing to be freed.
internal sealed partial class TenantFeed
#pragma warning restore CA1001
{
    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);

    private readonly EventLog log;
    private readonly TimeProvider time;
    private readonly ILogger<TenantFeed> logger;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<IFeedReader> readers = [];
    private long sequence;

    public TenantFeed(string tenantId, EventLog log, IHostApplicationLifetime life, TimeProvider time, ILogger<TenantFeed> logger)
    {
        (TenantId, this.log, this.time, this.logger) = (tenantId, log, time, logger);
        Run = RunAsync(life.ApplicationStopping);
    }

    public string TenantId { get; }

    /// <summary>Guarded by the table.</summary>
    public int Seats { get; set; }

    public Task Started => started.Task;

    public Task Run { get; }

    public long Add(IFeedReader reader)
    {
        lock (readers)
        {
            readers.Add(reader);
            return sequence;
        }
    }

    public void Remove(IFeedReader reader)
    {
        lock (readers)
            readers.Remove(reader);
    }

    public void Stop() => stop.Cancel();

    private async Task RunAsync(CancellationToken stopping)
    {
        // Not in the constructor: somebody holds a lock there, and the first look is a query.
        await Task.Yield();
        using var ending = stopping.UnsafeRegister(static feed => ((TenantFeed)feed!).Stop(), this);
        // Subscribed before the first look: what comes in between wakes it.
        using var wake = log.Subscribe(TenantId);
        using var timer = new PeriodicTimer(BeatEvery, time);
        try
        {
            sequence = await log.LastSequenceAsync(TenantId, stop.Token);
            started.SetResult();
        }
#pragma warning disable CA1031 // Whoever waits for the start gets it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            started.SetException(e);
            return;
        }
        var woken = wake.WaitAsync(stop.Token).AsTask();
        var beat = timer.WaitForNextTickAsync(stop.Token).AsTask();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                while (await TellAsync())
                {
                    // More rows than one page.
                }
                await Task.WhenAny(woken, beat);
                if (woken.IsCompleted)
                    woken = wake.WaitAsync(stop.Token).AsTask();
                if (beat.IsCompleted)
                {
                    beat = timer.WaitForNextTickAsync(stop.Token).AsTask();
                    Beat();
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Nobody reads any more, or the server stops.
            }
#pragma warning disable CA1031 // A loop's edge: the next look reads what this one could not.
            catch (Exception e)
#pragma warning restore CA1031
            {
                FeedFailed(logger, TenantId, e);
                await Task.Delay(TryAgainAfter, time, CancellationToken.None);
            }
        }
        await Task.WhenAll(woken, beat).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>True when there may be more.</summary>
    private async Task<bool> TellAsync()
    {
        var rows = await log.OfTenantAsync(TenantId, sequence, EventLog.PageLength, stop.Token);
        lock (readers)
        {
            foreach (var row in rows)
            {
                var frame = new EventFrame(row);
                foreach (var reader in readers)
                    reader.Tell(frame);
                sequence = row.Sequence;
            }
        }
        return rows.Count == EventLog.PageLength;
    }

    private void Beat()
    {
        lock (readers)
        {
            foreach (var reader in readers)
                reader.Beat();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the events of tenant {Tenant} could not be read; it is tried again")]
    private static partial void FeedFailed(ILogger logger, string tenant, Exception exception);
}
