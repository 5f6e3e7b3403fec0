using System.Globalization;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Network;

/// <summary>The sets of the instance's nft table that say what which machine may reach, and what a policy puts into them.</summary>
internal static class EgressSets
{
    /// <summary>Interfaces that reach everything public.</summary>
    public const string Open = "open";

    /// <summary>Interfaces that reach what is listed. One that is in neither set reaches nothing.</summary>
    public const string Listed = "listed";

    /// <summary>Interface and generation: connections that carry it were allowed and go on.</summary>
    public const string Going = "going";

    /// <summary>Interface to generation, for connections that begin.</summary>
    public const string Generations = "generations";

    /// <summary>Interface and an address that a listed name led to.</summary>
    public const string Names = "names";

    /// <summary>One set for each length of prefix, so that each is a hash: an interval set copies itself at every change.</summary>
    public static string Ranges(int prefix) => string.Create(CultureInfo.InvariantCulture, $"ranges{prefix}");

    public static IReadOnlyList<NfTables.Change> PolicyElements(string interfaceName, EgressPolicy policy, uint generation, bool isNew)
    {
        if (policy.Mode == EgressModes.Closed) return [];
        var name = NfTables.Key(interfaceName);
        if (policy.Mode == EgressModes.Open) return [new(Open, isNew, [new(name)])];
        return
        [
            new(Generations, isNew, [new(name, NfTables.Mark(generation))]),
            new(Going, isNew, [new(NfTables.MarkedKey(interfaceName, generation))]),
            .. policy.Ranges.SelectMany(Halves).Distinct().GroupBy(range => range.Prefix)
                .Select(group => new NfTables.Change(Ranges(group.Key), isNew, [.. group.Select(range => new NfTables.Element(NfTables.Key(interfaceName, range.First)))])),
            new(Listed, isNew, [new(name)]),
        ];
    }

    // There is no set for a prefix of no bits.
    private static IEnumerable<AddressRange> Halves(AddressRange range) =>
        range.Prefix > 0 ? [range] : [new AddressRange(0, 1), new AddressRange(0x8000_0000, 1)];
}
