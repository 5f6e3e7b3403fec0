using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Miosa.Server.Host;

namespace Miosa.Server.Limits;

/// <summary>
/// How often an address may come without a good key. One that has come too often is not looked up any more: only keys that are in memory
/// still work for it, so that whoever guesses cannot lock out his neighbours behind the same address.
/// </summary>
internal sealed class AddressLimits(ServerSettings settings, TimeProvider time)
{
    /// <summary>Addresses remembered at once; all others then share one bucket.</summary>
    private const int MaxAddresses = 20_000;

    private static readonly TimeSpan SweepEvery = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<IPAddress, TokenBucket> buckets = [];
    private readonly TokenBucket others = new(Math.Max(1, settings.BadKeyRpm), time);
    private long sweptAt = time.GetTimestamp();

    /// <summary>429 for an address that has no try left.</summary>
    public Refusal? IsBlocked(IPAddress? address) =>
        settings.BadKeyRpm > 0 && buckets.TryGetValue(Network(address), out var bucket) ? RefusalOf(bucket.Look()) : null;

    /// <summary>Counts a bad or missing key; 429 for one too many.</summary>
    public Refusal? Refuse(IPAddress? address)
    {
        if (settings.BadKeyRpm == 0)
            return null;
        Sweep();
        var network = Network(address);
        var bucket = buckets.GetValueOrDefault(network) ?? (buckets.Count < MaxAddresses ? buckets.GetOrAdd(network, _ => new TokenBucket(settings.BadKeyRpm, time)) : others);
        return RefusalOf(bucket.TryTake());
    }

    private static Refusal? RefusalOf(Taken taken) =>
        taken.IsGranted ? null : Refusal.TooMany("too many requests without a valid API key from this address", taken.WaitSec);

    /// <summary>Whoever has an IPv6 address has 2^64 of them.</summary>
    private static IPAddress Network(IPAddress? address)
    {
        if (address is null)
            return IPAddress.None;
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address;
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }

    private void Sweep()
    {
        var last = Volatile.Read(ref sweptAt);
        if (time.GetElapsedTime(last) < SweepEvery || Interlocked.CompareExchange(ref sweptAt, time.GetTimestamp(), last) != last)
            return;
        foreach (var (address, bucket) in buckets)
        {
            if (bucket.IsFull)
                buckets.TryRemove(KeyValuePair.Create(address, bucket));
        }
    }
}
