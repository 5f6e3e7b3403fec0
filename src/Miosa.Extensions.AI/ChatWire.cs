using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Miosa;

/// <summary>Messages and options of Microsoft.Extensions.AI as the wire writes them, and the reverse.</summary>
internal static class ChatWire
{
    public static CompletionRequest Request(IEnumerable<ChatMessage> messages, ChatOptions? options, string? model)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var all = messages.SelectMany(Messages).ToList();
        if (options?.Instructions is { Length: > 0 } instructions)
            all.Insert(0, CompletionMessage.System(instructions));
        var extra = AdditionalFields.Of(options?.AdditionalProperties) ?? [];
        Add("seed", options?.Seed);
        Add("frequency_penalty", options?.FrequencyPenalty);
        Add("presence_penalty", options?.PresencePenalty);
        Add("top_k", options?.TopK);
        Add("parallel_tool_calls", options?.AllowMultipleToolCalls);
        return new CompletionRequest
        {
            Model = options?.ModelId ?? model ?? throw new ArgumentException("no model is named: name it when the chat client is made, or in the options", nameof(options)),
            Messages = all,
            MaxTokens = options?.MaxOutputTokens,
            Temperature = options?.Temperature,
            TopP = options?.TopP,
            Stop = options?.StopSequences is { Count: > 0 } stop ? [.. stop] : null,
            Tools = options?.Tools?.OfType<AIFunctionDeclaration>().Select(Tool).ToList() is { Count: > 0 } tools ? tools : null,
            ToolChoice = options?.Tools is { Count: > 0 } ? Choice(options.ToolMode) : null,
            ResponseFormat = Format(options?.ResponseFormat),
            Extra = extra.Count > 0 ? extra : null,
        };

        void Add<T>(string name, T? value)
            where T : struct
        {
            if (value is { } given && !extra.ContainsKey(name))
                extra[name] = JsonValue.Create(given);
        }
    }

    public static FunctionCallContent Call(string? id, string? name, string? arguments) => FunctionCallContent.CreateFromParsedArguments(
        arguments ?? "", id ?? "", name ?? "",
        static json => json.Length == 0 ? [] : JsonSerializer.Deserialize(json, (System.Text.Json.Serialization.Metadata.JsonTypeInfo<Dictionary<string, object?>>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(Dictionary<string, object?>))));

    public static ChatFinishReason? Reason(string? reason) => reason is null ? null : new ChatFinishReason(reason);

    public static UsageDetails? Usage(LlmUsage? usage) =>
        usage is null ? null : new UsageDetails { InputTokenCount = usage.PromptTokens, OutputTokenCount = usage.CompletionTokens, TotalTokenCount = usage.TotalTokens };

    public static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static IEnumerable<CompletionMessage> Messages(ChatMessage message)
    {
        // Each result of a tool is a message of its own.
        foreach (var result in message.Contents.OfType<FunctionResultContent>())
            yield return new CompletionMessage { Role = "tool", ToolCallId = result.CallId, Content = JsonValue.Create(Plain(result.Result)) };
        var parts = message.Contents.Select(Part).OfType<JsonObject>().ToList();
        var calls = message.Contents.OfType<FunctionCallContent>().Select(ToolCall).ToList();
        if (parts.Count == 0 && calls.Count == 0)
            yield break;
        yield return new CompletionMessage
        {
            Role = message.Role.Value,
            Name = message.AuthorName,
            Content = parts.Count == 0 ? null : parts.All(part => Text(part["type"]) == "text") ? JsonValue.Create(message.Text) : new JsonArray([.. parts]),
            ToolCalls = calls.Count > 0 ? calls : null,
        };
    }

    private static JsonObject? Part(AIContent content) => content switch
    {
        TextContent text => new JsonObject { ["type"] = "text", ["text"] = text.Text },
        DataContent data when data.HasTopLevelMediaType("image") => Image(data.Uri),
        UriContent uri when uri.HasTopLevelMediaType("image") => Image(uri.Uri.AbsoluteUri),
        _ => null,
    };

    private static JsonObject Image(string url) => new() { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = url } };

    private static JsonObject ToolCall(FunctionCallContent call) => new()
    {
        ["id"] = call.CallId,
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = call.Name,
            ["arguments"] = JsonSerializer.Serialize(call.Arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>))),
        },
    };

    private static JsonObject Tool(AIFunctionDeclaration function) => new()
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = function.Name,
            ["description"] = function.Description,
            ["parameters"] = JsonNode.Parse(function.JsonSchema.GetRawText()),
        },
    };

    private static JsonNode? Choice(ChatToolMode? mode) => mode switch
    {
        null => null,
        NoneChatToolMode => JsonValue.Create("none"),
        RequiredChatToolMode { RequiredFunctionName: { } name } => new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = name } },
        RequiredChatToolMode => JsonValue.Create("required"),
        _ => JsonValue.Create("auto"),
    };

    private static JsonObject? Format(ChatResponseFormat? format) => format switch
    {
        ChatResponseFormatJson { Schema: { } schema } json => new JsonObject
        {
            ["type"] = "json_schema",
            ["json_schema"] = new JsonObject { ["name"] = json.SchemaName ?? "answer", ["schema"] = JsonNode.Parse(schema.GetRawText()) },
        },
        ChatResponseFormatJson => new JsonObject { ["type"] = "json_object" },
        _ => null,
    };

    private static string Plain(object? result) => result switch
    {
        null => "",
        string text => text,
        _ => JsonSerializer.Serialize(result, AIJsonUtilities.DefaultOptions.GetTypeInfo(result.GetType())),
    };
}
