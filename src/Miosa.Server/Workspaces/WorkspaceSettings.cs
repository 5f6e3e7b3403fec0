using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Quotas;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Workspaces;

/// <summary>
/// What works of a workspace's settings: caps, at the top or under <c>limits</c>, and under <c>defaults</c> the fields that a new machine gets when its
/// creation does not name them. Anything else is kept for its owner.
/// </summary>
internal static class WorkspaceSettings
{
    private const string Limits = "limits";
    private const string Defaults = "defaults";

    private static readonly IReadOnlyList<string> DefaultNames =
        ["template_id", "size", "cpu_count", "memory_mb", "disk_size_mb", "timeout_sec", "idle_timeout_sec", "always_on", "persistent", "region", "egress"];

    private static readonly IReadOnlyList<string> Shape = ["cpu_count", "memory_mb", "disk_size_mb"];

    /// <summary>Null when they are fine; else every fault, named as <c>limits.max_sandboxes</c> or <c>defaults.size</c>.</summary>
    public static Refusal? Faults(JsonObject settings, SandboxFields sandboxes, Caller caller, Sandboxes.Defaults ofTenant)
    {
        var all = new Fields(settings);
        Caps.Read(all);
        Nested(all, Limits, limits => Caps.Read(limits), Caps.Names);
        Nested(all, Defaults, defaults => sandboxes.Create(defaults, caller, template: null, ofTenant), DefaultNames);
        return all.Errors();
    }

    public static Caps CapsIn(string settings)
    {
        var all = Parse(settings);
        var top = Caps.Read(new Fields(all));
        var nested = all[Limits] is JsonObject limits ? Caps.Read(new Fields(limits)) : Caps.None;
        return new Caps(
            nested.MaxSandboxes ?? top.MaxSandboxes, nested.MaxConcurrent ?? top.MaxConcurrent, nested.MaxStorageGb ?? top.MaxStorageGb, nested.MaxCreditCents ?? top.MaxCreditCents);
    }

    /// <summary>Fills what a creation leaves out. A size that it names leaves out the figures of the default shape.</summary>
    public static void Fill(JsonObject body, string settings)
    {
        if (settings == "{}" || Parse(settings)[Defaults] is not JsonObject defaults)
            return;
        var namesSize = body["size"] is not null;
        foreach (var name in DefaultNames)
        {
            if (body[name] is null && defaults[name] is { } value && !(namesSize && Shape.Contains(name)))
                body[name] = value.DeepClone();
        }
    }

    private static JsonObject Parse(string settings) => JsonNode.Parse(settings) as JsonObject ?? [];

    private static void Nested(Fields all, string name, Action<Fields> read, IReadOnlyList<string> known)
    {
        if (all.Object(name) is not { } part)
            return;
        foreach (var (field, _) in part)
        {
            if (!known.Contains(field))
                all.Fail($"{name}.{field}", $"is not known: there are {string.Join(", ", known)}");
        }
        var fields = new Fields((JsonObject)part.DeepClone());
        read(fields);
        foreach (var (field, fault) in fields.Errors()?.Details ?? [])
            all.Fail($"{name}.{field}", fault?.GetValue<string>() ?? "is faulty");
    }
}
