using System.Threading.Channels;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Storage;
using Microsoft.EntityFrameworkCore;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// The one scheduler of life and idle limits. A queue ordered by time holds a guess per machine; when a guess comes due the machine is
/// asked again, so a guess that is too early only costs a look. The truth is the row and the time of last use.
/// </summary>
internal sealed partial class Deadlines(IServiceProvider services, MachineDirectory directory, Database database, ServerSettings settings, TimeProvider time, ILogger<Deadlines> log)
    : BackgroundService
{
    private static readonly TimeSpan FlushEvery = TimeSpan.FromSeconds(5);

    /// <summary>A limit that could not be carried out (the runtime is down) is tried again after this.</summary>
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);

    private readonly Channel<Resident> news = Channel.CreateUnbounded<Resident>(new UnboundedChannelOptions { SingleReader = true });
    private readonly PriorityQueue<Resident, DateTimeOffset> queue = new();
    private readonly Dictionary<string, DateTimeOffset> flushed = [];
    private Task checkpoint = Task.CompletedTask;

    /// <summary>Tells that a machine is new or that its limits changed.</summary>
    public void Watch(Resident resident) => news.Writer.TryWrite(resident);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var resident in directory.All)
            Watch(resident);
        var flushAt = time.GetUtcNow() + FlushEvery;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                Enqueue();
                await RunDueAsync();
                if (time.GetUtcNow() >= flushAt)
                {
                    await FlushActivityAsync(stoppingToken);
                    // Elsewhere: it waits for the disk, and limits must not wait with it.
                    if (checkpoint.IsCompleted)
                        checkpoint = Task.Run(database.Checkpoint, CancellationToken.None);
                    flushAt = time.GetUtcNow() + FlushEvery;
                }
                await SleepAsync(flushAt, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // A loop's edge: limits of other machines must go on being kept.
            catch (Exception e)
#pragma warning restore CA1031
            {
                LoopFailed(log, e);
                await Task.Delay(TryAgainAfter, time, CancellationToken.None);
            }
        }
        await checkpoint.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await FlushActivityAsync(CancellationToken.None);
    }

    private void Enqueue()
    {
        while (news.Reader.TryRead(out var resident))
        {
            if (resident.NextDue(time.GetUtcNow()) is { } due)
                queue.Enqueue(resident, due);
        }
    }

    private async Task RunDueAsync()
    {
        while (queue.TryPeek(out var resident, out var guess) && guess <= time.GetUtcNow())
        {
            queue.Dequeue();
            var now = time.GetUtcNow();
            if (directory.Find(resident.Row.Id) != resident || resident.NextDue(now) is not { } due)
                continue;
            if (due > now)
            {
                queue.Enqueue(resident, due);
                continue;
            }
            // Resolved late: the grains need this scheduler.
            var grain = services.GetRequiredService<IGrainFactory>().GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, resident.Row.Id));
            var answer = await grain.Ask(Want.Deadline, reason: null);
            if (answer.Code is not null)
                queue.Enqueue(resident, now + TryAgainAfter);
        }
    }

    private async Task SleepAsync(DateTimeOffset flushAt, CancellationToken ct)
    {
        var until = queue.TryPeek(out _, out var next) && next < flushAt ? next : flushAt;
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

    /// <summary>
    /// Writes times of last use in one transaction. The only column the grain does not write alone: it takes the same value from the
    /// same place, so neither can undo the other.
    /// </summary>
    private async Task FlushActivityAsync(CancellationToken ct)
    {
        var stamps = directory.All.Select(r => (r.Row.Id, r.LastUsed)).Where(s => flushed.GetValueOrDefault(s.Id) != s.LastUsed).ToList();
        if (stamps.Count > 0)
        {
            await database.WriteAsync(
                db =>
                {
                    foreach (var (id, at) in stamps)
                        db.Machines.Where(m => m.Id == id).ExecuteUpdate(set => set.SetProperty(m => m.LastActivityAt, at));
                },
                ct);
            foreach (var (id, at) in stamps)
                flushed[id] = at;
        }
        foreach (var id in flushed.Keys.Where(id => directory.Find(id) is null).ToList())
            flushed.Remove(id);
        await services.GetRequiredService<Keys.ApiKeys>().FlushUsedAsync(ct);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the scheduler of limits failed once; it goes on")]
    private static partial void LoopFailed(ILogger log, Exception exception);
}
