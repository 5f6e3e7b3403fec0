using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Miosa.Runtime.Dns;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Network;

/// <summary>
/// What machines may reach (docs/adr/0016). Policies are elements of sets in one nft table whose rules never change, so a machine that
/// has none reaches nothing. A machine's elements are there before its first instruction and go when its slot is given back.
/// </summary>
internal sealed class Egress : IDisposable
{
    private static readonly TimeSpan SweepPeriod = TimeSpan.FromSeconds(15);

    /// <summary>A table that another program removed is missed no longer.</summary>
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    private readonly RuntimeSettings settings;
    private readonly MachineNetwork network;
    private readonly NfTables tables;
    private readonly PacketLog packets;
    private readonly DnsServer dns;
    private readonly ConcurrentDictionary<int, MachineEgress> bySlot = [];
    private readonly CancellationTokenSource stopping = new();

    /// <summary>Changes of elements read it, making the table anew writes it. Taken before any machine's turn.</summary>
    private readonly ReaderWriterLockSlim rules = new();

    private Egress(RuntimeSettings settings, MachineNetwork network, NfTables tables, PacketLog packets)
    {
        (this.settings, this.network, this.tables, this.packets) = (settings, network, tables, packets);
        dns = new DnsServer(settings, this);
    }

    /// <summary>Takes over what runs and loads the rules with its policies in one step: at no moment is a machine freer than it should be.</summary>
    /// <returns>Null where machines have no network.</returns>
    public static Egress? Start(RuntimeSettings settings, MachineNetwork network)
    {
        if (!network.IsAvailable) return null;
        Egress egress;
        try
        {
            egress = Open(settings, network);
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            network.Fail(e.Message);
            return null;
        }
        try
        {
            foreach (var directory in Directory.EnumerateDirectories(settings.Machines))
            {
                if (MachineFile.Read(directory) is { Info.Network: true } record && Path.GetFileName(directory) == record.Info.Machine)
                    egress.bySlot[record.Slot] = new MachineEgress(
                        record.Info.Machine, record.Slot, settings.InterfaceOf(record.Slot), EgressPolicy.Of(record.Egress), record.EgressGeneration);
            }
            network.Load(egress.packets.Group, egress.dns.Port, [.. egress.bySlot.Values]);
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            egress.Dispose();
            network.Fail(e.Message);
            return null;
        }
        egress.packets.Start(egress.Refused);
        egress.dns.Start(egress.stopping.Token);
        _ = egress.SweepAsync(egress.stopping.Token);
        return egress;
    }

    private static Egress Open(RuntimeSettings settings, MachineNetwork network)
    {
        var (tables, packets) = ((NfTables?)null, (PacketLog?)null);
        try
        {
            tables = new NfTables(settings.Table);
            packets = PacketLog.Open(settings.LogGroup);
            return new Egress(settings, network, tables, packets);
        }
        catch
        {
            tables?.Dispose();
            packets?.Dispose();
            throw;
        }
    }

    public static uint NewGeneration()
    {
        Span<byte> bytes = stackalloc byte[4];
        RandomBytes.Fill(bytes);
        // A connection without a mark has none.
        return Math.Max(1, MemoryMarshal.Read<uint>(bytes));
    }

    /// <summary>Before the machine's first instruction.</summary>
    public void Open(string machine, int slot, EgressPolicy policy, uint generation)
    {
        var entry = new MachineEgress(machine, slot, settings.InterfaceOf(slot), policy, generation);
        Do(() =>
        {
            Apply(entry.Elements(isNew: true));
            bySlot[slot] = entry;
        });
    }

    /// <returns>The generation now.</returns>
    public uint Change(int slot, EgressPolicy policy)
    {
        if (!bySlot.TryGetValue(slot, out var entry)) throw new Refusal(RuntimeErrors.BadRequest, "the machine has no network");
        lock (entry.Turn)
        {
            if (policy.Mode == EgressModes.Open && entry.Policy.Mode == EgressModes.Open) return entry.Generation;
        }
        Do(() =>
        {
            lock (entry.Turn) Replace(entry, policy);
        });
        return entry.Generation;
    }

    private void Replace(MachineEgress entry, EgressPolicy policy)
    {
        var old = entry.Elements(isNew: false);
        var (oldPolicy, oldGeneration) = (entry.Policy, entry.Generation);
        var forgotten = entry.Forget(policy, TimeProvider.System.GetUtcNow());
        entry.Policy = policy;
        if (!policy.IncludesAllOf(oldPolicy)) entry.Generation = NewGeneration();
        try
        {
            Apply([.. old, .. entry.Elements(isNew: true)]);
        }
        catch (LinuxException)
        {
            (entry.Policy, entry.Generation) = (oldPolicy, oldGeneration);
            entry.Remember(forgotten);
            throw;
        }
    }

    /// <summary>The machine is gone; its slot may have another soon. Repeating it is fine.</summary>
    public void Close(int slot)
    {
        if (!bySlot.TryGetValue(slot, out var entry)) return;
        Do(() =>
        {
            lock (entry.Turn)
            {
                entry.IsOver = true;
                Apply(entry.Elements(isNew: false));
            }
            bySlot.TryRemove(slot, out _);
        });
    }

    public IReadOnlyList<RefusedInfo> RefusedOf(int slot) => bySlot.TryGetValue(slot, out var entry) ? entry.Refusals.List() : [];

    /// <summary>The machine that has this address, or null.</summary>
    public MachineEgress? Find(uint address)
    {
        var offset = address - AddressRange.NumberOf(settings.AddressesOf(0).Machine);
        return offset % 4 == 0 && bySlot.TryGetValue((int)(offset / 4), out var entry) ? entry : null;
    }

    /// <summary>Opens the addresses that a listed name led to; true when the answer may go out.</summary>
    public bool Learn(MachineEgress entry, string name, IReadOnlyCollection<uint> addresses, TimeSpan ttl)
    {
        var isAllowed = false;
        Do(() =>
        {
            lock (entry.Turn)
            {
                // The policy may have changed while the name was being asked for.
                isAllowed = !entry.IsOver && entry.Policy.Resolves(name);
                if (!isAllowed || entry.Policy.Mode == EgressModes.Open) return;
                var (fresh, gone) = entry.Learn(name, addresses, ttl, TimeProvider.System.GetUtcNow());
                try
                {
                    if (fresh.Count + gone.Count > 0) Apply([Names(entry, gone, isNew: false), Names(entry, fresh, isNew: true)]);
                }
                catch (LinuxException)
                {
                    entry.Unlearn(fresh);
                    throw;
                }
            }
        });
        return isAllowed;
    }

    public bool IsClosed(uint address) => settings.IsClosed(address);

    public void Dispose()
    {
        stopping.Cancel();
        dns.Dispose();
        packets.Dispose();
        tables.Dispose();
        stopping.Dispose();
        rules.Dispose();
    }

    private static NfTables.Change Names(MachineEgress entry, IEnumerable<uint> addresses, bool isNew) =>
        new(EgressSets.Names, isNew, [.. addresses.Select(address => new NfTables.Element(NfTables.Key(entry.InterfaceName, address)))]);

    // Another program of the host may have removed our table or what is in it (a firewall that is started anew flushes all of them).
    private void Do(Action change)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            rules.EnterReadLock();
            try
            {
                change();
                return;
            }
            catch (LinuxException e) when (isFirst && e.Errno is Errno.ENOENT or Errno.EEXIST)
            {
                Log.Line($"the rules of {settings.Table} are not as they were left: they are made anew");
            }
            finally
            {
                rules.ExitReadLock();
            }
            Restore();
        }
    }

    /// <summary>Makes the table anew, with what is known here. Nothing changes meanwhile.</summary>
    private void Restore()
    {
        rules.EnterWriteLock();
        try
        {
            network.Load(packets.Group, dns.Port, [.. bySlot.Values]);
        }
        finally
        {
            rules.ExitWriteLock();
        }
    }

    private void Apply(IReadOnlyList<NfTables.Change> changes)
    {
        var errno = tables.Apply(changes);
        if (errno != 0) throw new LinuxException("nft sets", settings.Table, errno);
    }

    private void Refused(string reason, ReadOnlySpan<byte> packet)
    {
        if (Refusals.Read(packet) is not var (source, destination, protocol, port)) return;
        // A machine's whole /30: the rules let no other source pass on its interface.
        if (Find((source & ~3u) + 2) is { } entry)
            entry.Refusals.Add(protocol, AddressRange.Text(destination), port, reason, TimeProvider.System.GetUtcNow());
    }

    private async Task SweepAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(LookPeriod);
        var sweptAt = TimeProvider.System.GetTimestamp();
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                Look();
                if (TimeProvider.System.GetElapsedTime(sweptAt) < SweepPeriod) continue;
                sweptAt = TimeProvider.System.GetTimestamp();
                foreach (var entry in bySlot.Values) Sweep(entry);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops.
        }
    }

    private void Look()
    {
        try
        {
            if (tables.Exists()) return;
            Log.Line($"somebody removed the table {settings.Table}: it is made anew");
            Restore();
        }
        catch (Exception e) when (e is LinuxException or CommandFailure)
        {
            Log.Line($"the table {settings.Table} cannot be made anew, machines may be unprotected: {e.Message}");
        }
    }

    private void Sweep(MachineEgress entry)
    {
        try
        {
            Do(() =>
            {
                lock (entry.Turn)
                {
                    if (entry.IsOver) return;
                    var gone = entry.Forget(entry.Policy, TimeProvider.System.GetUtcNow());
                    if (gone.Count > 0) Apply([Names(entry, gone.Keys, isNew: false)]);
                }
            });
        }
        catch (Exception e) when (e is LinuxException or CommandFailure)
        {
            Log.Line($"machine {entry.Machine}: addresses that have run out stay open: {e.Message}");
        }
    }
}
