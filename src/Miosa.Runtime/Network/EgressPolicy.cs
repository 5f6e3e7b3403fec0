using Miosa.Runtime.Machines;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Network;

/// <summary>A checked policy: what a machine may reach.</summary>
internal sealed record EgressPolicy(string Mode, IReadOnlyList<AddressRange> Ranges, IReadOnlyList<string> Domains)
{
    public const int MaxEntries = 256;

    public static EgressPolicy Open { get; } = new(EgressModes.Open, [], []);

    public static EgressPolicy Of(EgressRequest? request)
    {
        if (request is null) return Open;
        var cidrs = request.Cidrs ?? [];
        var domains = request.Domains ?? [];
        if (request.Mode is not (EgressModes.Open or EgressModes.Closed or EgressModes.Listed))
            throw Bad($"\"mode\" must be open, closed or listed, got \"{request.Mode}\"");
        if (request.Mode != EgressModes.Listed && cidrs.Count + domains.Count > 0) throw Bad("\"cidrs\" and \"domains\" belong to the mode listed");
        if (cidrs.Count > MaxEntries || domains.Count > MaxEntries) throw Bad($"\"cidrs\" and \"domains\" hold at most {MaxEntries} entries each");
        return new EgressPolicy(
            request.Mode,
            [.. cidrs.Select(text => AddressRange.TryParse(text, out var range) ? range : throw Bad($"\"{text}\" is not an IPv4 range like 203.0.113.0/24")).Distinct()],
            [.. domains.Select(text => DomainPattern.Normalize(text) ?? throw Bad($"\"{text}\" is not a domain like example.org or *.example.org")).Distinct()]);
    }

    public EgressRequest ToRequest() => new() { Mode = Mode, Cidrs = [.. Ranges.Select(range => range.ToString())], Domains = Domains };

    /// <summary>True when the name may be asked for.</summary>
    public bool Resolves(string name) => Mode switch
    {
        EgressModes.Open => true,
        EgressModes.Listed => Lists(name),
        _ => false,
    };

    public bool Lists(string name) => Domains.Any(pattern => DomainPattern.Matches(pattern, name));

    /// <summary>True when whatever <paramref name="other"/> allowed is allowed by this one, too, so that no connection has to end.</summary>
    public bool IncludesAllOf(EgressPolicy other) =>
        Mode == other.Mode && other.Ranges.All(range => Ranges.Any(mine => mine.Contains(range))) && other.Domains.All(Domains.Contains);

    private static Refusal Bad(string message) => new(RuntimeErrors.BadRequest, "egress: " + message);
}
