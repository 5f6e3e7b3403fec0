using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Threading.Channels;
using Miosa.Server.Egress;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Lifecycle;

/// <summary>A machine that runs already and has no owner yet. Its id becomes the sandbox's id.</summary>
internal sealed record WarmMachine(string Id, string Image, GuestRoad Road);

/// <summary>
/// Machines kept ready per image (docs/adr/0010). One at a time is launched in the background, and none while a cold create runs, so
/// refilling never slows a caller. The target follows the claims of the last seconds, between <c>--pool-size</c> and <c>--pool-max</c>.
/// A pool belongs to this process: what a former one left is nobody's and goes with the first sweep.
/// </summary>
internal sealed partial class WarmPool(RuntimeClient runtime, Sizes sizes, ServerSettings settings, TimeProvider time, ILogger<WarmPool> log) : BackgroundService
{
    private static readonly TimeSpan DemandWindow = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeepImage = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5);

    /// <summary>Whoever claimed a machine uses it at once; refilling at the same moment would take a core from that first command.</summary>
    private static readonly TimeSpan QuietAfterClaim = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, Shelf> shelves = [];
    private readonly ConcurrentDictionary<string, byte> owned = [];
    private readonly ConcurrentDictionary<string, WarmMachine> claimed = [];
    private readonly Channel<byte> wake = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private int coldCreates;

    /// <summary>True for machines in the pool and on their way out of it: no sweep may touch them.</summary>
    public bool Owns(string machine) => owned.ContainsKey(machine);

    public int ReadyCount => shelves.Values.Sum(s => s.Ready.Count);

    /// <summary>Whether a machine of this image waits now.</summary>
    public bool HasReady(string image) => shelves.TryGetValue(image, out var shelf) && !shelf.Ready.IsEmpty;

    /// <summary>Takes a machine, if one is ready; either way the demand is remembered.</summary>
    public WarmMachine? TryClaim(string image)
    {
        if (settings.PoolSize == 0)
            return null;
        var shelf = shelves.GetOrAdd(image, _ => new Shelf());
        shelf.Asked(time.GetUtcNow());
        var found = shelf.Ready.TryDequeue(out var machine);
        if (machine is not null)
            claimed[machine.Id] = machine;
        wake.Writer.TryWrite(0);
        return found ? machine : null;
    }

    /// <summary>The connection of a claimed machine goes to its new owner.</summary>
    public GuestRoad? Handover(string machine)
    {
        owned.TryRemove(machine, out _);
        return claimed.TryRemove(machine, out var warm) ? warm.Road : null;
    }

    /// <summary>A claim that came to nothing: a fresh machine goes back, a broken one is left to the sweep.</summary>
    public void GiveBack(WarmMachine machine, bool isBroken)
    {
        if (!claimed.TryRemove(machine.Id, out _))
            return;
        if (isBroken)
            owned.TryRemove(machine.Id, out _);
        else
            shelves.GetOrAdd(machine.Image, _ => new Shelf()).Ready.Enqueue(machine);
    }

    /// <summary>The runtime says that a machine died; true when it was one of the pool.</summary>
    public bool Died(string machine)
    {
        if (claimed.ContainsKey(machine) || !owned.TryRemove(machine, out _))
            return false;
        foreach (var shelf in shelves.Values)
        {
            // Rotated once through: the dead one is left out.
            for (var count = shelf.Ready.Count; count > 0 && shelf.Ready.TryDequeue(out var warm); count--)
            {
                if (warm.Id != machine)
                    shelf.Ready.Enqueue(warm);
            }
        }
        wake.Writer.TryWrite(0);
        return true;
    }

    /// <summary>While this is held the pool starts nothing.</summary>
    public IDisposable ColdCreate()
    {
        Interlocked.Increment(ref coldCreates);
        return new Release(() =>
        {
            if (Interlocked.Decrement(ref coldCreates) == 0)
                wake.Writer.TryWrite(0);
        });
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        foreach (var shelf in shelves.Values)
        {
            while (shelf.Ready.TryDequeue(out var warm))
                await DropAsync(warm, cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (settings.PoolSize == 0)
            return;
        shelves.GetOrAdd(settings.DefaultImage, _ => new Shelf()).Asked(time.GetUtcNow());
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (shelves.Values.Any(IsQuiet))
                    await Task.Delay(QuietAfterClaim, time, stoppingToken);
                else if (Volatile.Read(ref coldCreates) > 0 || !runtime.IsUp || !await AdjustOneAsync(stoppingToken))
                    await RestAsync(LookEvery, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException or SocketException or IOException or GuestException or OperationCanceledException)
            {
                RefillFailed(log, e.Message);
                await Task.Delay(PauseAfterFailure, time, CancellationToken.None).WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Launches or drops one machine; false when every shelf is as it should be.</summary>
    private async Task<bool> AdjustOneAsync(CancellationToken ct)
    {
        var now = time.GetUtcNow();
        foreach (var (image, shelf) in shelves)
        {
            var target = Target(image, shelf, now);
            if (shelf.Ready.Count < target)
            {
                if (!await HasImageAsync(image, ct))
                {
                    shelves.TryRemove(image, out _);
                    continue;
                }
                shelf.Ready.Enqueue(await LaunchAsync(image, ct));
                return true;
            }
            if (shelf.Ready.Count > target && shelf.Ready.TryDequeue(out var extra))
            {
                await DropAsync(extra, ct);
                return true;
            }
        }
        return false;
    }

    private bool IsQuiet(Shelf shelf) => !shelf.Ready.IsEmpty && time.GetUtcNow() - shelf.LastAsked < QuietAfterClaim;

    private int Target(string image, Shelf shelf, DateTimeOffset now)
    {
        if (image != settings.DefaultImage && now - shelf.LastAsked > KeepImage)
            return 0;
        return Math.Min(Math.Max(settings.PoolSize, settings.PoolMax), Math.Max(settings.PoolSize, shelf.AskedSince(now - DemandWindow)));
    }

    private async Task<bool> HasImageAsync(string image, CancellationToken ct) =>
        image == settings.DefaultImage || await runtime.FindImageAsync(image, ct) is not null;

    private async Task<WarmMachine> LaunchAsync(string image, CancellationToken ct)
    {
        var id = Ids.New("sbx");
        var shape = sizes.Find(Sizes.Default) ?? throw new InvalidOperationException("no default size");
        owned[id] = 0;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(TimeSpan.FromSeconds(settings.BootTimeoutSec));
            var info = await runtime.LaunchAsync(MachineGrain.LaunchRequest(id, image, shape.Vcpus, shape.MemoryMb, shape.DiskMb, EgressFields.Open), limit.Token);
            var road = new GuestRoad(info.Socket);
            await road.ConnectAsync(limit.Token);
            return new WarmMachine(id, image, road);
        }
        catch
        {
            // Not ours any more: the sweep removes whatever was made of it.
            owned.TryRemove(id, out _);
            throw;
        }
    }

    private async Task DropAsync(WarmMachine warm, CancellationToken ct)
    {
        owned.TryRemove(warm.Id, out _);
        await warm.Road.DisposeAsync();
        try
        {
            await runtime.DestroyAsync(warm.Id, ct);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException or OperationCanceledException)
        {
            RefillFailed(log, e.Message);
        }
    }

    private async Task RestAsync(TimeSpan pause, CancellationToken ct)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var rest = Task.Delay(pause, time, timer.Token);
        var woken = wake.Reader.ReadAsync(timer.Token).AsTask();
        await Task.WhenAny(rest, woken);
        await timer.CancelAsync();
        ct.ThrowIfCancellationRequested();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the warm pool could not be adjusted: {Reason}")]
    private static partial void RefillFailed(ILogger log, string reason);

    private sealed class Shelf
    {
        private readonly Queue<DateTimeOffset> asked = [];

        public ConcurrentQueue<WarmMachine> Ready { get; } = [];

        public DateTimeOffset LastAsked { get; private set; }

        public void Asked(DateTimeOffset now)
        {
            lock (asked)
            {
                LastAsked = now;
                asked.Enqueue(now);
                if (asked.Count > 1000)
                    asked.Dequeue();
            }
        }

        public int AskedSince(DateTimeOffset since)
        {
            lock (asked)
            {
                while (asked.TryPeek(out var oldest) && oldest < since)
                    asked.Dequeue();
                return asked.Count;
            }
        }
    }

    private sealed class Release(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
