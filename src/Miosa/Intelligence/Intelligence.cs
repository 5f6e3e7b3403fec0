using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>What the groups of models share.</summary>
internal static class Intelligence
{
    /// <summary>The body of a request with the fields that this version does not know; those it knows stay.</summary>
    public static JsonObject Merged(JsonNode? request, JsonObject? extra)
    {
        var body = (JsonObject)request!; // a record is written as an object
        foreach (var (name, value) in extra ?? [])
        {
            if (!body.ContainsKey(name))
                body[name] = value?.DeepClone();
        }
        return body;
    }
}
