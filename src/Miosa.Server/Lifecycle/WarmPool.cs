using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Threading.Channels;
using Miosa.Guest;
using Miosa.Server.Computers;
using Miosa.Server.Egress;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Lifecycle;

/// <summary>What machines of one shelf are: sandboxes of an image, or computers of it, whose desktop runs.</summary>
internal readonly record struct WarmKind(string Image, bool IsComputer);

/// <summary>A machine that runs already and has no owner yet. Its id becomes the sandbox's or computer's id.</summary>
internal sealed record WarmMachine(string Id, WarmKind Kind, GuestRoad Road);

/// <summary>
/// Machines kept ready per image (docs/adr/0010). One at a time is launched in the background, and none while a cold create runs, so
/// refilling never slows a caller. The target of sandboxes follows the claims of the last seconds, between <c>--pool-size</c> and <c>--pool-max</c>;
/// of computers, whose desktop costs a second of a core and tens of megabytes, <c>--computer-pool-size</c> are kept. A pool belongs to this process: what a former one left is nobody's and goes with the first sweep.
/// </summary>
internal sealed partial class WarmPool(RuntimeClient runtime, Desktops desktops, Sizes sizes, ServerSettings settings, TimeProvider time, ILogger<WarmPool> log) : BackgroundService
{
    private static readonly TimeSpan DemandWindow = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeepImage = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(5);

    /// <summary>The same for the shelf that it was.</summary>
    private static readonly TimeSpan RestAfterFailure = TimeSpan.FromSeconds(15);

    /// <summary>Whoever claimed a machine uses it at once; refilling at the same moment would take a core from that first command.</summary>
    private static readonly TimeSpan QuietAfterClaim = TimeSpan.FromMilliseconds(50);

    /// <summary>The same of a computer: who has just got one looks at it and opens things.</summary>
    private static readonly TimeSpan QuietAfterComputer = TimeSpan.FromSeconds(3);

    private readonly ConcurrentDictionary<WarmKind, Shelf> shelves = [];
    private readonly ConcurrentDictionary<string, byte> owned = [];
    private readonly ConcurrentDictionary<string, WarmMachine> claimed = [];
    private readonly Channel<byte> wake = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private int coldCreates;

    /// <summary>True for machines in the pool and on their way out of it: no sweep may touch them.</summary>
    public bool Owns(string machine) => owned.ContainsKey(machine);

    public int ReadyCount => shelves.Values.Sum(s => s.Ready.Count);

    /// <summary>Those of them that are computers.</summary>
    public int ReadyComputers => shelves.TryGetValue(Computers, out var shelf) ? shelf.Ready.Count : 0;

    /// <summary>Whether a machine of this kind waits now.</summary>
    public bool HasReady(WarmKind kind) => shelves.TryGetValue(kind, out var shelf) && !shelf.Ready.IsEmpty;

    /// <summary>Takes a machine, if one is ready; either way the demand is remembered.</summary>
    public WarmMachine? TryClaim(WarmKind kind)
    {
        if (settings.PoolSize == 0 || (kind.IsComputer && (settings.ComputerPoolSize == 0 || kind != Computers)))
            return null;
        var shelf = shelves.GetOrAdd(kind, _ => new Shelf());
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
            shelves.GetOrAdd(machine.Kind, _ => new Shelf()).Ready.Enqueue(machine);
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
        shelves.GetOrAdd(Sandboxes, _ => new Shelf()).Asked(time.GetUtcNow());
        if (settings.ComputerPoolSize > 0)
            shelves.GetOrAdd(Computers, _ => new Shelf());
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
        foreach (var (kind, shelf) in shelves)
        {
            if (now < shelf.RestsUntil)
                continue;
            var target = Target(kind, shelf, now);
            if (shelf.Ready.Count < target)
            {
                if (kind.IsComputer && (desktops.IsStarting || now - shelf.LastAsked < QuietAfterComputer))
                    continue;
                if (!await HasImageAsync(kind, ct))
                {
                    shelves.TryRemove(kind, out _);
                    continue;
                }
                try
                {
                    shelf.Ready.Enqueue(await LaunchAsync(kind, ct));
                    return true;
                }
                catch
                {
                    // Or an image that cannot start would keep every other shelf from its turn.
                    shelf.RestsUntil = time.GetUtcNow() + RestAfterFailure;
                    throw;
                }
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

    private WarmKind Sandboxes => new(settings.DefaultImage, IsComputer: false);

    private static WarmKind Computers => new(ComputerFields.DefaultImage, IsComputer: true);

    private int Target(WarmKind kind, Shelf shelf, DateTimeOffset now)
    {
        if (kind.IsComputer)
            return settings.ComputerPoolSize;
        if (kind != Sandboxes && now - shelf.LastAsked > KeepImage)
            return 0;
        return Math.Min(Math.Max(settings.PoolSize, settings.PoolMax), Math.Max(settings.PoolSize, shelf.AskedSince(now - DemandWindow)));
    }

    private async Task<bool> HasImageAsync(WarmKind kind, CancellationToken ct) =>
        kind == Sandboxes || await runtime.FindImageAsync(kind.Image, ct) is not null;

    private async Task<WarmMachine> LaunchAsync(WarmKind kind, CancellationToken ct)
    {
        var owner = kind.IsComputer ? MachineKind.Computer : MachineKind.Sandbox;
        var id = Ids.New(MachineKind.PrefixOf(owner));
        var shape = sizes.Find(Sizes.Default) ?? throw new InvalidOperationException("no default size");
        owned[id] = 0;
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(TimeSpan.FromSeconds(settings.BootTimeoutSec));
            var request = MachineGrain.LaunchRequest(id, kind.Image, shape.Vcpus, shape.MemoryMb, shape.DiskMb, EgressFields.Open, isDurable: kind.IsComputer);
            var info = await runtime.LaunchAsync(request with { Hostname = owner }, limit.Token);
            var road = new GuestRoad(info.Socket);
            var guest = await road.ConnectAsync(limit.Token);
            if (kind.IsComputer)
            {
                limit.CancelAfter(Desktops.StartLimit);
                await Desktops.StartOnAsync(guest, DesktopLimits.DefaultWidth, DesktopLimits.DefaultHeight, limit.Token);
            }
            return new WarmMachine(id, kind, road);
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

        public DateTimeOffset RestsUntil { get; set; }

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
