using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Models;

/// <summary>What vectors are asked for.</summary>
internal sealed record EmbeddingRequest
{
    public const int MaxBody = 4 * 1024 * 1024;
    public const int MaxInputs = 2048;

    private readonly JsonObject body;

    private EmbeddingRequest(JsonObject body) => this.body = body;

    public required string Model { get; init; }
    public required Attribution For { get; init; }
    public required int Count { get; init; }
    public required bool IsBase64 { get; init; }
    public required int? Dimensions { get; init; }

    /// <summary>The inputs as texts; null when they are numbers of tokens, which only their model understands.</summary>
    public required IReadOnlyList<string>? Texts { get; init; }

    /// <summary>A guess, for when the provider does not count.</summary>
    public long EstimatedTokens => Math.Max(1, Texts?.Sum(text => CompletionRequest.TokensOf(text.Length)) ?? Numbers(body["input"]));

    public static (EmbeddingRequest? Request, Refusal? Refusal) Read(Fields fields, Caller caller, WorkspaceSet workspaces)
    {
        if (!fields.Has("model"))
            fields.Fail("model", "is missing: GET /intelligence/models lists them");
        var (texts, count) = Inputs(fields);
        var format = fields.Text("encoding_format", 20);
        if (format is not (null or "float" or "base64"))
            fields.Fail("encoding_format", $"must be float or base64, got \"{format}\"");
        var request = new EmbeddingRequest(fields.Body)
        {
            Model = fields.Text("model", 200) ?? "",
            For = Attribution.Take(fields, caller, workspaces),
            Count = count,
            IsBase64 = format == "base64",
            Dimensions = fields.Int("dimensions", 1, WordVectors.MaxDimensions * 16),
            Texts = texts,
        };
        return fields.Errors() is { } faults ? (null, faults) : (request, null);
    }

    /// <summary>The body for a provider. It always answers in numbers: the plain matrix is made of them.</summary>
    public byte[] ToSend(ModelConfig model)
    {
        var sent = (JsonObject)body.DeepClone();
        sent["model"] = model.Upstream;
        sent["encoding_format"] = "float";
        return JsonSerializer.SerializeToUtf8Bytes(sent, WireJson.Default.JsonObject);
    }

    private static (IReadOnlyList<string>? Texts, int Count) Inputs(Fields fields)
    {
        switch (fields.Body["input"])
        {
            case null:
                fields.Fail("input", "is missing: send a string, or a list of strings");
                return (null, 0);
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                return fields.Text("input", MaxBody) is { } text ? ([text], 1) : (null, 0);
            case JsonArray { Count: 0 }:
                fields.Fail("input", "must not be empty");
                return (null, 0);
            case JsonArray { Count: > MaxInputs } many when !IsNumber(many[0]):
                fields.Fail("input", $"must have at most {MaxInputs} items, got {many.Count}: send several calls");
                return (null, 0);
            case JsonArray numbers when numbers.All(IsNumber):
                return (null, 1);
            case JsonArray lists when lists.All(list => list is JsonArray { Count: > 0 } inner && inner.All(IsNumber)):
                return (null, lists.Count);
            case JsonArray:
                var texts = fields.TextList("input", MaxInputs, MaxBody);
                if (texts?.ToList().IndexOf("") is >= 0 and var at)
                    fields.Fail("input", $"must hold no empty string, got one at position {at}");
                return (texts, texts?.Count ?? 0);
            default:
                fields.Fail("input", "must be a string, or a list of strings");
                return (null, 0);
        }
    }

    private static long Numbers(JsonNode? input) => input is JsonArray many ? many.Sum(Numbers) : 1;

    private static bool IsNumber(JsonNode? node) => node?.GetValueKind() == JsonValueKind.Number;
}
