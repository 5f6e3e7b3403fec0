using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Env;

/// <summary>The spellings of a set: <c>vars</c>, one <c>key</c> and <c>value</c>, or a map under <c>env</c>.</summary>
internal static class EnvFields
{
    private const string KeyRule = "must be letters, digits and underscores, not beginning with a digit, at most 256 characters";

    public static (EnvChange? Change, Refusal? Refusal) Read(Fields fields, DateTimeOffset now)
    {
        var set = new Dictionary<string, EnvValue>();
        var replaces = fields.Bool("replace") ?? false;
        var isSecret = fields.Bool("encrypted") ?? true;
        foreach (var (item, index) in (fields.List("vars") ?? []).Select((item, index) => (item, index)))
        {
            if (item is JsonObject variable)
                Take(fields, set, $"vars[{index}].", variable["key"] ?? variable["name"], variable["value"], variable["encrypted"], now);
            else
                fields.Fail($"vars[{index}]", "must be an object with key and value");
        }
        foreach (var (key, value) in fields.Object("env") ?? [])
            Take(fields, set, $"env.{Cut(key)}.", key, value, isSecret, now);
        if ((fields.Body["key"] ?? fields.Body["name"]) is { } single)
            Take(fields, set, "", single, fields.Body["value"], isSecret, now);
        else if (!fields.Body.ContainsKey("vars") && !fields.Body.ContainsKey("env") && !replaces)
            fields.Fail("vars", "is required: a list of objects with key and value (or send key and value, or a map under env)");
        return fields.Errors() is { } refusal ? (null, refusal) : (new EnvChange { Set = set, Replaces = replaces }, null);
    }

    /// <summary>The form whose name stands in the address.</summary>
    public static (EnvChange? Change, Refusal? Refusal) ReadOne(Fields fields, string key, DateTimeOffset now)
    {
        var set = new Dictionary<string, EnvValue>();
        Take(fields, set, "", key, fields.Body["value"], fields.Bool("encrypted") ?? true, now);
        return fields.Errors() is { } refusal ? (null, refusal) : (new EnvChange { Set = set }, null);
    }

    // The value is never shown in a complaint: it may be a secret that was only misspelt around.
    private static void Take(Fields fields, Dictionary<string, EnvValue> set, string where, JsonNode? key, JsonNode? value, JsonNode? encrypted, DateTimeOffset now)
    {
        var name = Text(key);
        if (name is null || !MachineEnv.Key().IsMatch(name))
            fields.Fail(where + "key", name is null ? "is required" : $"{KeyRule}, got \"{Cut(name)}\"");
        else if (Text(value) is not { } text)
            fields.Fail(where + "value", $"of {name} must be a string");
        else if (text.Contains('\0'))
            fields.Fail(where + "value", $"of {name} must not contain a NUL character");
        else if (encrypted is not null && encrypted.GetValueKind() is not (JsonValueKind.True or JsonValueKind.False))
            fields.Fail(where + "encrypted", "must be true or false");
        else
            set[name] = new EnvValue(text, encrypted?.GetValueKind() != JsonValueKind.False, now);
    }

    private static string? Text(JsonNode? node)
    {
        try
        {
            return node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate: JSON allows it, UTF-8 cannot carry it.
            return null;
        }
    }

    private static string Cut(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
