namespace Miosa.Server.Events;

/// <summary>
/// One loop for each tenant whose events somebody follows, however many they are: 1. it is woken when events of the tenant are committed;
/// 2. it reads the new rows once; 3. it tells every reader. A reader that joins learns after which event it will be told, and reads what was
/// before from the table itself.
/// </summary>
internal sealed class TenantFeeds(EventLog log, IHostApplicationLifetime life, TimeProvider time, ILogger<TenantFeed> logger)
{
    private readonly Dictionary<string, TenantFeed> feeds = [];

    public async Task<Seat> JoinAsync(string tenantId, IFeedReader reader)
    {
        TenantFeed feed;
        lock (feeds)
        {
            if (!feeds.TryGetValue(tenantId, out feed!)) // set below
                feeds[tenantId] = feed = new TenantFeed(tenantId, log, life, time, logger);
            feed.Seats++;
        }
        try
        {
            // Not before it knows where it begins: what is committed from then on is told.
            await feed.Started;
            return new Seat(this, feed, reader, feed.Add(reader));
        }
        catch
        {
            Leave(feed);
            throw;
        }
    }

    private void Leave(TenantFeed feed)
    {
        lock (feeds)
        {
            if (--feed.Seats > 0)
                return;
            feeds.Remove(feed.TenantId);
        }
        feed.Stop();
    }

    /// <summary>A reader's place in a feed.</summary>
    internal sealed class Seat(TenantFeeds owner, TenantFeed feed, IFeedReader reader, long sequence) : IDisposable
    {
        /// <summary>Every event of the tenant after this one is told.</summary>
        public long Sequence => sequence;

        public void Dispose()
        {
            feed.Remove(reader);
            owner.Leave(feed);
        }
    }
}
