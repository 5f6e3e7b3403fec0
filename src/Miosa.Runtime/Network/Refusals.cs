using System.Globalization;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Network;

/// <summary>What one machine was refused, merged by what it wanted; bounded, the longest unseen goes first.</summary>
internal sealed class Refusals
{
    private const int Limit = 256;

    private readonly Lock turn = new();
    private readonly Dictionary<(string Protocol, string Target, int Port, string Reason), RefusedInfo> entries = [];

    public void Add(string protocol, string target, int port, string reason, DateTimeOffset now)
    {
        lock (turn)
        {
            var key = (protocol, target, port, reason);
            if (entries.TryGetValue(key, out var old))
            {
                entries[key] = old with { Count = old.Count + 1, LastAt = now };
                return;
            }
            if (entries.Count == Limit) entries.Remove(entries.MinBy(entry => entry.Value.LastAt).Key);
            entries[key] = new RefusedInfo { Protocol = protocol, Target = target, Port = port, Reason = reason, Count = 1, FirstAt = now, LastAt = now };
        }
    }

    /// <summary>The latest first.</summary>
    public IReadOnlyList<RefusedInfo> List()
    {
        lock (turn) return [.. entries.Values.OrderByDescending(entry => entry.LastAt)];
    }

    /// <summary>An IPv4 packet as nflog hands it over, cut off after its first bytes.</summary>
    /// <returns>Null when it is no packet one could tell of.</returns>
    public static (uint Source, uint Destination, string Protocol, int Port)? Read(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 20 || packet[0] >> 4 != 4) return null;
        var header = (packet[0] & 15) * 4;
        var protocol = packet[9];
        var hasPort = protocol is 6 or 17 && header >= 20 && packet.Length >= header + 4;
        return (
            System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(packet[12..]),
            System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(packet[16..]),
            protocol switch { 1 => "icmp", 6 => "tcp", 17 => "udp", _ => "ip-" + protocol.ToString(CultureInfo.InvariantCulture) },
            hasPort ? (packet[header + 2] << 8) | packet[header + 3] : 0);
    }
}
