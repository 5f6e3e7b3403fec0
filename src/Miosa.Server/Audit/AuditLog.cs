using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Audit;

/// <summary>
/// The one writer of the audit log. Entries come in one queue, in the order in which they are told, and are written many at a time: at once when
/// somebody waits for one of them, else within <see cref="Gather"/>. The queue is bounded: a database that stalls makes callers wait and loses nothing.
/// </summary>
internal sealed partial class AuditLog(Database database, ServerSettings settings, TimeProvider time, ILogger<AuditLog> log) : BackgroundService
{
    /// <summary>Stands for the tenant in entries of administrators that are about none.</summary>
    public const string Platform = "platform";

    private const int MaxWaiting = 10_000;
    private const int MaxBatch = 1000;
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(5);

    private readonly RowWriter<AuditRow> rows = database.Rows<AuditRow>();
    private readonly Channel<(AuditRow Row, TaskCompletionSource? Written)> queue =
        Channel.CreateBounded<(AuditRow, TaskCompletionSource?)>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    /// <summary>Completes when the entry is committed.</summary>
    public async Task WriteAsync(AuditRow row)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await QueueAsync(row, written);
        await written.Task;
    }

    /// <summary>Completes when the entry is in the queue; it is committed soon, also when the server is told to stop.</summary>
    public ValueTask WriteBehindAsync(AuditRow row) => QueueAsync(row, null);

    /// <summary>Deletes entries older than their retention.</summary>
    public Task ForgetOldAsync(CancellationToken ct)
    {
        var limit = time.GetUtcNow().AddDays(-settings.AuditDays);
        return database.WriteAsync(db => db.Audit.Where(e => e.At < limit).ExecuteDelete(), ct);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // Requests are over by now; what they told is written before the process ends, also when they have used up the time there was.
        queue.Writer.TryComplete();
        if (ExecuteTask is { } loop)
            await loop.WaitAsync(LastPatience, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        rows.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<(AuditRow Row, TaskCompletionSource? Written)>();
        // Ends with the queue, not with the token.
        while (await queue.Reader.WaitToReadAsync(CancellationToken.None))
        {
            await GatherAsync(batch);
            try
            {
                await CommitAsync(batch);
                foreach (var (_, written) in batch)
                    written?.TrySetResult();
            }
#pragma warning disable CA1031 // A loop's edge: who waits is told, and the entries of the others are tried once more.
            catch (Exception e)
#pragma warning restore CA1031
            {
                WriteFailed(log, batch.Count, e);
                foreach (var (_, written) in batch)
                    written?.TrySetException(e);
                await OnceMoreAsync([.. batch.Where(e => e.Written is null)]);
            }
            batch.Clear();
        }
    }

    private async ValueTask QueueAsync(AuditRow row, TaskCompletionSource? written)
    {
        try
        {
            await queue.Writer.WriteAsync((row, written));
        }
        catch (ChannelClosedException)
        {
            // A request that outlived the end of the queue.
            await CommitAsync([(row, null)]);
            written?.TrySetResult();
        }
    }

    private async ValueTask GatherAsync(List<(AuditRow Row, TaskCompletionSource? Written)> batch)
    {
        if (Take(batch))
            return;
        using var limit = new CancellationTokenSource(Gather, time);
        try
        {
            while (await queue.Reader.WaitToReadAsync(limit.Token) && !Take(batch))
            {
                // Nobody waits for these yet.
            }
        }
        catch (OperationCanceledException)
        {
            // Long enough.
        }
    }

    /// <summary>True when the batch is to be written now.</summary>
    private bool Take(List<(AuditRow Row, TaskCompletionSource? Written)> batch)
    {
        var isAwaited = false;
        while (batch.Count < MaxBatch && queue.Reader.TryRead(out var entry))
        {
            batch.Add(entry);
            isAwaited |= entry.Written is not null;
        }
        return isAwaited || batch.Count == MaxBatch;
    }

    private Task CommitAsync(IReadOnlyList<(AuditRow Row, TaskCompletionSource? Written)> batch) => database.WriteRowsAsync(
        transaction =>
        {
            foreach (var (row, _) in batch)
                rows.Insert(row, transaction);
        },
        CancellationToken.None);

    private async Task OnceMoreAsync(List<(AuditRow Row, TaskCompletionSource? Written)> left)
    {
        if (left.Count == 0)
            return;
        await Task.Delay(TryAgainAfter, time, CancellationToken.None);
        try
        {
            await CommitAsync(left);
        }
#pragma warning disable CA1031 // Nobody waits for these; the log tells that they are lost.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Lost(log, left.Count, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} entries of the audit log could not be written")]
    private static partial void WriteFailed(ILogger log, int count, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Count} entries of the audit log are lost")]
    private static partial void Lost(ILogger log, int count, Exception exception);
}
