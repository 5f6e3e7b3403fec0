using System.Buffers.Binary;

namespace Miosa.Runtime.Dns;

/// <summary>What an answer of a name server says that matters here: every IPv4 address in it, and those the question's name leads to.</summary>
internal sealed record DnsAnswer(IReadOnlyList<uint> All, IReadOnlyList<uint> Addresses, TimeSpan Ttl, bool IsCut)
{
    /// <summary>Aliases followed from one name to the next.</summary>
    private const int AliasLimit = 16;

    /// <summary>Null when the packet does not answer this question, or is not whole.</summary>
    public static DnsAnswer? Read(ReadOnlySpan<byte> packet, ushort id, DnsQuestion question)
    {
        if (packet.Length < DnsQuestion.HeaderSize || BinaryPrimitives.ReadUInt16BigEndian(packet) != id) return null;
        var flags = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        var (questions, answers, authorities, additions) = DnsQuestion.Counts(packet);
        if ((flags & 0x8000) == 0 || (flags & 0x7800) != 0 || questions != 1) return null;
        var reader = new DnsReader(packet, DnsQuestion.HeaderSize);
        if (!reader.TryName(mayPoint: false, out var asked) || !reader.TryUInt16(out var askedType) || !reader.TryUInt16(out var askedClass)) return null;
        if (asked != question.Name || askedType != question.Type || askedClass != question.Class) return null;
        // Cut off: the rest comes over TCP, and what is here is not used.
        if ((flags & 0x0200) != 0) return new DnsAnswer([], [], default, IsCut: true);

        var (addresses, aliases) = (new List<(string Owner, uint Address, uint Ttl)>(), new Dictionary<string, (string To, uint Ttl)>());
        for (var count = answers + authorities + additions; count > 0; count--)
        {
            if (!reader.TryName(mayPoint: true, out var owner) || !reader.TryUInt16(out var type) || !reader.TryUInt16(out var @class)
                || !reader.TryUInt32(out var ttl) || !reader.TryUInt16(out var size)) return null;
            var data = reader;
            if (!reader.TrySkip(size)) return null;
            if (@class != DnsQuestion.ClassInternet) continue;
            if (type == DnsQuestion.TypeA)
            {
                if (size != 4 || !data.TryUInt32(out var address)) return null;
                addresses.Add((owner, address, ttl));
            }
            else if (type == DnsQuestion.TypeCname)
            {
                if (!data.TryName(mayPoint: true, out var target) || data.At != reader.At) return null;
                aliases.TryAdd(owner, (target, ttl));
            }
        }
        var (reached, leastTtl) = Follow(question.Name, aliases);
        var led = addresses.Where(found => reached.Contains(found.Owner)).ToList();
        foreach (var found in led) leastTtl = Math.Min(leastTtl, found.Ttl);
        return new DnsAnswer([.. addresses.Select(found => found.Address)], [.. led.Select(found => found.Address).Distinct()], TimeSpan.FromSeconds(leastTtl), IsCut: false);
    }

    private static (HashSet<string> Names, uint LeastTtl) Follow(string name, Dictionary<string, (string To, uint Ttl)> aliases)
    {
        var (names, ttl) = (new HashSet<string>(StringComparer.Ordinal) { name }, uint.MaxValue);
        while (names.Count <= AliasLimit && aliases.TryGetValue(name, out var alias) && names.Add(alias.To))
            (name, ttl) = (alias.To, Math.Min(ttl, alias.Ttl));
        return (names, ttl);
    }
}
