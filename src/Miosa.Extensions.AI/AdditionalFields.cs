using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Miosa;

/// <summary>Additional properties of options as fields of the body.</summary>
internal static class AdditionalFields
{
    public static JsonObject? Of(AdditionalPropertiesDictionary? properties)
    {
        if (properties is null or { Count: 0 })
            return null;
        var fields = new JsonObject();
        foreach (var (name, value) in properties)
            fields[name] = value is JsonNode node ? node.DeepClone() : JsonSerializer.SerializeToNode(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(value?.GetType() ?? typeof(object)));
        return fields;
    }
}
