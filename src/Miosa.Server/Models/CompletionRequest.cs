using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Models;

/// <summary>What a completion is asked for. Only what the platform itself goes by is read; all other fields are the provider's, unchanged.</summary>
internal sealed record CompletionRequest
{
    public const int MaxBody = 8 * 1024 * 1024;

    private const int MaxTokens = 1_000_000;
    private const int MaxChoices = 128;
    private const int CharactersPerToken = 4;

    private static readonly string[] Roles = ["system", "developer", "user", "assistant", "tool"];

    private readonly JsonObject body;

    private CompletionRequest(JsonObject body) => this.body = body;

    public required string Model { get; init; }
    public required Attribution For { get; init; }
    public required bool IsStream { get; init; }
    public required bool WantsUsage { get; init; }

    /// <summary>There are no messages but a prompt.</summary>
    public required bool IsPrompt { get; init; }

    /// <summary>A guess, for when the provider does not count.</summary>
    public long EstimatedTokens => Math.Max(1, (IsPrompt ? Characters(body["prompt"]) : (body["messages"] as JsonArray ?? []).Sum(message => Characters(message?["content"]))) / CharactersPerToken);

    public static long TokensOf(long characters) => (characters + CharactersPerToken - 1) / CharactersPerToken;

    /// <param name="streams">What holds when the body does not say.</param>
    public static (CompletionRequest? Request, Refusal? Refusal) Read(Fields fields, Caller caller, WorkspaceSet workspaces, bool streams)
    {
        var isPrompt = !fields.Has("messages") && fields.Has("prompt");
        if (!fields.Has("model"))
            fields.Fail("model", "is missing: GET /intelligence/models lists them");
        if (isPrompt)
            CheckPrompt(fields);
        else
            CheckMessages(fields);
        fields.Int("max_tokens", 1, MaxTokens);
        fields.Int("max_completion_tokens", 1, MaxTokens);
        fields.Int("n", 1, MaxChoices);
        fields.Number("temperature", 0, 2);
        fields.Number("top_p", 0, 1);
        var options = fields.Object("stream_options");
        var request = new CompletionRequest(fields.Body)
        {
            Model = fields.Text("model", 200) ?? "",
            For = Attribution.Take(fields, caller, workspaces),
            IsStream = fields.Bool("stream") ?? streams,
            WantsUsage = options is not null && new Fields(options).Bool("include_usage") == true,
            IsPrompt = isPrompt,
        };
        return fields.Errors() is { } faults ? (null, faults) : (request, null);
    }

    /// <summary>Where to send it, and the bytes. A prompt becomes a message where the model takes no prompts.</summary>
    public (string Operation, byte[] Body, Refusal? Refusal) ToSend(ModelConfig model)
    {
        var sent = (JsonObject)body.DeepClone();
        var asPrompt = IsPrompt && model.TakesPrompts;
        if (!asPrompt && IsPrompt)
        {
            var prompt = sent["prompt"] is JsonArray { Count: 1 } one ? one[0] : sent["prompt"];
            if (prompt?.GetValueKind() != JsonValueKind.String)
                return ("", [], Refusal.Invalid("prompt", $"must be one string for the model \"{Model}\", which takes messages"));
            sent["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = prompt.DeepClone() });
        }
        if (!asPrompt)
            sent.Remove("prompt");
        sent["model"] = model.Upstream;
        sent["stream"] = IsStream;
        if (IsStream)
        {
            // Always asked for: it is what is charged. The caller gets it if he asked, too.
            if (sent["stream_options"] is not JsonObject options)
                sent["stream_options"] = options = [];
            options["include_usage"] = true;
        }
        else
        {
            sent.Remove("stream_options");
        }
        try
        {
            return (asPrompt ? "completions" : "chat/completions", JsonSerializer.SerializeToUtf8Bytes(sent, WireJson.Default.JsonObject), null);
        }
        catch (Exception e) when (e is InvalidOperationException or JsonException)
        {
            return ("", [], Refusal.BadRequest("the body has text that is not valid Unicode: an escaped half of a surrogate pair"));
        }
    }

    private static void CheckPrompt(Fields fields)
    {
        switch (fields.Body["prompt"])
        {
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                fields.Text("prompt", MaxBody);
                break;
            case JsonArray { Count: > 0 and <= MaxChoices }:
                break;
            default:
                fields.Fail("prompt", $"must be a string, or a list of 1 to {MaxChoices} of them");
                break;
        }
    }

    private static void CheckMessages(Fields fields)
    {
        if (!fields.Has("messages"))
            fields.Fail("messages", "is missing: send a list of messages, or a prompt");
        if (fields.List("messages") is not { } messages)
            return;
        if (messages.Count == 0)
            fields.Fail("messages", "must not be empty");
        for (var at = 0; at < messages.Count; at++)
        {
            if (messages[at] is not JsonObject entry)
            {
                fields.Fail($"messages[{at}]", "must be an object with role and content");
                continue;
            }
            var message = new Fields(entry);
            var role = message.Text("role", 40);
            if (role is null || !Roles.Contains(role))
                fields.Fail($"messages[{at}].role", $"must be one of {string.Join(", ", Roles)}; got {(role is null ? "none" : $"\"{role}\"")}");
            if (Content(entry["content"]) is { } fault && !(entry["content"] is null && role == "assistant"))
                fields.Fail($"messages[{at}].content", fault);
        }
    }

    private static string? Content(JsonNode? content) => content switch
    {
        JsonValue value when value.GetValueKind() == JsonValueKind.String => null,
        JsonArray { Count: > 0 } parts => parts.All(part => part is JsonObject one && one["type"] is JsonValue type && type.GetValueKind() == JsonValueKind.String)
            ? null
            : "must be a string or a list of objects with a type",
        null => "is missing",
        _ => "must be a string or a list of objects with a type",
    };

    private static long Characters(JsonNode? content) => content switch
    {
        JsonArray parts => parts.Sum(part => part is JsonObject one ? Characters(one["text"]) : Characters(part)),
        JsonValue value when value.TryGetValue(out JsonElement element) && element.ValueKind == JsonValueKind.String => element.GetRawText().Length,
        JsonValue => CharactersPerToken,
        _ => 0,
    };
}
