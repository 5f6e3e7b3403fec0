using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Runtime.Wire;
using Miosa.Server.Egress;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.NetworkPolicies;

/// <summary>
/// A policy of a computer: rules from first to last and what holds where none does. What a machine may reach is decided by destination alone and
/// by a list of what is allowed (docs/adr/0016), so a policy becomes such a list, or is refused with what to write instead; nothing is
/// promised that is not enforced. The row keeps the caller's own words beside the list, and gives them back.
/// </summary>
internal static class NetworkPolicy
{
    private const int MaxRules = 256;
    private const string Allow = "allow";
    private const string Deny = "deny";
    private const string Any = "any";

    /// <summary>Where the row's JSON has the caller's words; the runtime never sees them.</summary>
    private const string Words = "policy";

    private static readonly Aliases RuleAliases = new Aliases().Add("effect", "action").Add("destination", "host").Add("ports", "port");

    public static ComputerNetworkPolicy Of(Machine row)
    {
        var (rules, standard) = row.Egress is { } json && JsonNode.Parse(json) is JsonObject { } egress
            ? egress[Words] is JsonObject words ? (words["rules"]?.AsArray().Select(Kept).ToList() ?? [], words["default_effect"]?.GetValue<string>() ?? Allow) : Told(EgressFields.RequestOf(row))
            : ([], Allow);
        return new ComputerNetworkPolicy { ComputerId = row.Id, TenantId = row.TenantId, Rules = rules, DefaultEffect = standard };
    }

    /// <summary>The row's text of a policy; null is everything public.</summary>
    public static (string? Egress, Refusal? Refusal) Read(Fields body)
    {
        var standard = body.Text("default_effect") ?? Allow;
        if (standard is not (Allow or Deny))
            body.Fail("default_effect", $"must be allow or deny, got \"{standard}\"");
        if (!body.Has("rules"))
            body.Fail("rules", "is required: a list, which may be empty");
        var list = body.List("rules") ?? [];
        if (list.Count > MaxRules)
            body.Fail("rules", $"must have at most {MaxRules} items, got {list.Count}");
        var rules = new List<Rule>();
        for (var i = 0; i < list.Count && i < MaxRules; i++)
        {
            if (RuleOf(list[i], $"rules[{i}]", body) is { } rule)
                rules.Add(rule);
        }
        if (body.Errors() is null)
            Check(rules, ref standard, body);
        if (body.Errors() is { } refusal)
            return (null, refusal);
        if (list.Count == 0 && standard == Allow)
            return (null, null);
        var allowed = rules.Where(rule => rule.IsAllowed).ToList();
        var request = new EgressRequest
        {
            Mode = standard == Allow ? EgressModes.Open : allowed.Count == 0 ? EgressModes.Closed : EgressModes.Listed,
            Cidrs = standard == Allow ? [] : [.. allowed.Select(rule => rule.Range?.ToString()).OfType<string>().Distinct()],
            Domains = standard == Allow ? [] : [.. allowed.Select(rule => rule.Domain).OfType<string>().Distinct()],
        };
        // As it came, not as it was understood: the default that a rule for any has set is not the caller's.
        var words = new JsonObject { ["rules"] = new JsonArray([.. list.Select(item => WordsOf(new Fields((JsonObject)item!.DeepClone())))]), ["default_effect"] = body.Text("default_effect") ?? Allow };
        var json = JsonSerializer.SerializeToNode(request, RuntimeWireJson.Default.EgressRequest) as JsonObject ?? [];
        json[Words] = words;
        return (json.ToJsonString(), null);
    }

    /// <summary>What the rules come to. A rule for any decides all that follows, and what stands behind it is never looked at.</summary>
    private static void Check(List<Rule> rules, ref string standard, Fields body)
    {
        if (rules.FindIndex(rule => rule.IsAny) is >= 0 and var last)
        {
            standard = rules[last].IsAllowed ? Allow : Deny;
            rules.RemoveRange(last, rules.Count - last);
        }
        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            if (rule.IsAllowed && rule.Range is { } range && AddressRange.Closed.Any(closed => closed.Contains(range)))
                body.Fail(rule.Name, $"allows {range}, which is private or reserved: no machine of this server reaches it");
            if (rule.IsAllowed || rule.Range is { } denied && AddressRange.Closed.Any(closed => closed.Contains(denied)))
                continue;
            if (standard == Allow)
                body.Fail(rule.Name, "denies one destination of all that are allowed, which cannot be enforced: set default_effect to deny and allow what is needed");
            else if (rules.Skip(i + 1).FirstOrDefault(later => later.IsAllowed && later.Meets(rule)) is { } hole)
                body.Fail(rule.Name, $"cuts a piece out of what {hole.Name} allows, which cannot be enforced: allow the rest in ranges of their own");
        }
    }

    private static Rule? RuleOf(JsonNode? item, string name, Fields body)
    {
        if (item is not JsonObject given)
        {
            body.Fail(name, "must be an object with effect and destination");
            return null;
        }
        var fields = new Fields(RuleAliases.Apply((JsonObject)given.DeepClone()));
        var effect = fields.Text("effect");
        if (effect is not (Allow or Deny))
            fields.Fail("effect", "must be allow or deny");
        if (!fields.Has("destination"))
            fields.Fail("destination", "is required: an address, a range, a host name, *.host or any");
        var destination = fields.Text("destination", maxLength: 300);
        var (isAny, range, domain) = (destination is Any or "*" or "0.0.0.0/0", default(AddressRange?), default(string));
        if (destination is not null && !isAny)
        {
            if (AddressRange.TryParse(destination, out var parsed))
                range = parsed;
            else if ((domain = DomainPattern.Normalize(destination)) is null)
                fields.Fail("destination", $"must be an IPv4 address or range such as 203.0.113.0/24, a host name, *.host or any, got \"{destination}\"");
        }
        if (fields.Body["ports"] is { } ports && !(ports.GetValueKind() == JsonValueKind.String && ports.GetValue<string>() is "*" or ""))
            fields.Fail("ports", "must be left out: what a machine may reach is decided by destination, for all ports");
        if (fields.Has("protocol") && fields.Text("protocol") is not Any)
            fields.Fail("protocol", "must be any or left out: what a machine may reach is decided by destination, for every protocol");
        if (fields.Has("direction") && fields.Text("direction") is not "egress")
            fields.Fail("direction", "must be egress: nothing reaches a computer from outside but through its previews");
        if (fields.Errors() is not { Details: { } faults })
            return new Rule(name, effect == Allow, isAny, range, domain);
        foreach (var (field, message) in faults)
            body.Fail($"{name}.{field}", message?.GetValue<string>() ?? "is faulty");
        return null;
    }

    private static JsonObject WordsOf(Fields rule)
    {
        RuleAliases.Apply(rule.Body);
        return new JsonObject { ["effect"] = rule.Text("effect"), ["destination"] = rule.Text("destination", maxLength: 300) is "*" ? Any : rule.Text("destination", maxLength: 300), ["protocol"] = rule.Text("protocol") };
    }

    private static ComputerNetworkRule Kept(JsonNode? rule) =>
        RuleOf(rule?["effect"]?.GetValue<string>() ?? Deny, rule?["destination"]?.GetValue<string>() ?? Any, rule?["protocol"]?.GetValue<string>());

    /// <summary>A policy that was set in other words, such as a tenant's defaults.</summary>
    private static (List<ComputerNetworkRule> Rules, string Standard) Told(EgressRequest egress) => egress.Mode switch
    {
        EgressModes.Open or null => ([], Allow),
        _ => ([.. (egress.Cidrs ?? []).Concat(egress.Domains ?? []).Select(destination => RuleOf(Allow, destination, protocol: null))], Deny),
    };

    private static ComputerNetworkRule RuleOf(string effect, string destination, string? protocol) => new()
    {
        Effect = effect,
        Action = effect,
        Destination = destination,
        Host = destination,
        Protocol = protocol,
    };

    private sealed record Rule(string Name, bool IsAllowed, bool IsAny, AddressRange? Range, string? Domain)
    {
        /// <summary>
        /// Whether a destination may be meant by both. A name leads today into a range and tomorrow out of it, and whoever has the name decides that: of the
        /// two it is always possible.
        /// </summary>
        public bool Meets(Rule other) => (Range, other.Range, Domain, other.Domain) switch
        {
            ({ } mine, { } its, _, _) => mine.Contains(its) || its.Contains(mine),
            (_, _, { } mine, { } its) => mine == its || DomainPattern.Matches(mine, its) || DomainPattern.Matches(its, mine),
            _ => true,
        };
    }
}
