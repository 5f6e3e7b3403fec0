using System.Text.Json;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;

namespace Miosa.Server.Egress;

/// <summary>Policies as the wire and the rows have them. A row keeps null for everything public, else the checked request as JSON.</summary>
internal sealed class EgressFields(RuntimeClient runtime)
{
    private const int MaxEntries = 256;

    public static EgressRequest Open { get; } = new() { Mode = EgressModes.Open };

    public static EgressRequest RequestOf(Machine row) =>
        row.Egress is null ? Open : JsonSerializer.Deserialize(row.Egress, RuntimeWireJson.Default.EgressRequest) ?? throw new JsonException($"machine {row.Id} has no policy");

    /// <summary>The object under <c>egress</c> of a body that has other fields, too.</summary>
    public string? Inside(Fields fields) => fields.Object("egress") is not { } body ? null : Read(new Fields(body), (name, message) => fields.Fail("egress." + name, message));

    /// <summary>A body that is a policy.</summary>
    public (string? Egress, Refusal? Refusal) Read(Fields fields)
    {
        var egress = Read(fields, fields.Fail);
        return fields.Errors() is { } refusal ? (null, refusal) : (egress, null);
    }

    private string? Read(Fields fields, Action<string, string> fail)
    {
        var mode = fields.Text("mode");
        var cidrs = fields.TextList("cidrs", MaxEntries) ?? [];
        var domains = fields.TextList("domains", MaxEntries) ?? [];
        if (fields.Errors() is { Details: { } faults })
        {
            foreach (var (name, message) in faults)
                fail(name, message?.GetValue<string>() ?? "is faulty");
            return null;
        }
        if (mode is not (EgressModes.Open or EgressModes.Closed or EgressModes.Listed))
        {
            fail("mode", mode is null ? "is missing: send open, closed or listed" : $"must be open, closed or listed, got \"{mode}\"");
            return null;
        }
        if (mode != EgressModes.Listed && cidrs.Count + domains.Count > 0)
        {
            fail(cidrs.Count > 0 ? "cidrs" : "domains", $"belongs to the mode listed; with {mode} leave it out");
            return null;
        }
        var request = new EgressRequest
        {
            Mode = mode,
            Cidrs = [.. cidrs.Select((text, index) => Range(text, index, fail)).OfType<string>().Distinct()],
            Domains = [.. domains.Select((text, index) => Domain(text, index, fail)).OfType<string>().Distinct()],
        };
        return mode == EgressModes.Open ? null : JsonSerializer.Serialize(request, RuntimeWireJson.Default.EgressRequest);
    }

    private string? Range(string text, int index, Action<string, string> fail)
    {
        if (!AddressRange.TryParse(text, out var range))
        {
            fail($"cidrs[{index}]", $"must be an IPv4 range such as 203.0.113.0/24, without bits behind its prefix, got \"{text}\"");
            return null;
        }
        if (AddressRange.Closed.Any(closed => closed.Contains(range)) && !IsOpenedByOperator(range))
        {
            fail($"cidrs[{index}]", $"is in a private or reserved range, which no sandbox of this server reaches: {range}");
            return null;
        }
        return range.ToString();
    }

    private bool IsOpenedByOperator(AddressRange range) =>
        runtime.Hello?.EgressAllow?.Any(text => AddressRange.TryParse(text, out var opened) && (opened.Contains(range) || range.Contains(opened))) == true;

    private static string? Domain(string text, int index, Action<string, string> fail)
    {
        if (DomainPattern.Normalize(text) is { } pattern)
            return pattern;
        fail($"domains[{index}]", $"must be a name such as example.org, or *.example.org for the names below it, got \"{text}\"");
        return null;
    }
}
