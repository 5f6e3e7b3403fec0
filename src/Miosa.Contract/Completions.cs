using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>One message of a conversation with a model.</summary>
public sealed record CompletionMessage
{
    /// <summary><c>system</c>, <c>developer</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</summary>
    public required string Role { get; init; }

    /// <summary>A text, or a list of parts as OpenAI writes them; null beside <see cref="ToolCalls"/>.</summary>
    public JsonNode? Content { get; init; }

    /// <summary>Name of who speaks; null for none.</summary>
    public string? Name { get; init; }

    /// <summary>Calls of tools by an assistant, as OpenAI writes them; null for none.</summary>
    public IReadOnlyList<JsonObject>? ToolCalls { get; init; }

    /// <summary>The call that a message of a tool answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>The text of <see cref="Content"/>, that of its parts one after the other; empty when there is none.</summary>
    [JsonIgnore]
    public string Text => Content switch
    {
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonArray parts => string.Concat(parts.OfType<JsonObject>().Select(part => part["text"] is JsonValue value && value.TryGetValue(out string? text) ? text : "")),
        _ => "",
    };

    /// <summary>What the model is told to be.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The message.</returns>
    public static CompletionMessage System(string text) => Of("system", text);

    /// <summary>What a user says.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The message.</returns>
    public static CompletionMessage User(string text) => Of("user", text);

    /// <summary>What the model said before.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The message.</returns>
    public static CompletionMessage Assistant(string text) => Of("assistant", text);

    private static CompletionMessage Of(string role, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new() { Role = role, Content = JsonValue.Create(text) };
    }
}

/// <summary>What a model is asked to complete. Null fields are the provider's to choose.</summary>
public sealed record CompletionRequest
{
    /// <summary>Id of the model.</summary>
    public required string Model { get; init; }

    /// <summary>The conversation; goes before <see cref="Prompt"/>. One of the two is needed.</summary>
    public IReadOnlyList<CompletionMessage>? Messages { get; init; }

    /// <summary>A text to go on from.</summary>
    public string? Prompt { get; init; }

    /// <summary>Most tokens of the answer, 1 to 1,000,000.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>How freely words are chosen, 0 to 2.</summary>
    public double? Temperature { get; init; }

    /// <summary>From how much of the likely words is chosen, 0 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Number of answers, 1 to 128.</summary>
    public int? N { get; init; }

    /// <summary>Tools that the model may call, as OpenAI writes them.</summary>
    public IReadOnlyList<JsonObject>? Tools { get; init; }

    /// <summary>Which tool it must call, as OpenAI writes it.</summary>
    public JsonNode? ToolChoice { get; init; }

    /// <summary>The form of the answer, as OpenAI writes it.</summary>
    public JsonObject? ResponseFormat { get; init; }

    /// <summary>Your user, also told to the provider; recorded as <see cref="ExternalUserId"/> when that is null.</summary>
    public string? User { get; init; }

    /// <summary>Your user whose usage it is; not told to the provider.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your project whose usage it is.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your workspace whose usage it is.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The platform's workspace whose usage it is, by id or slug.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>More fields, sent to the provider as they are, such as <c>seed</c>.</summary>
    [JsonIgnore]
    public JsonObject? Extra { get; init; }
}

/// <summary>Tokens of a call.</summary>
public sealed record LlmUsage
{
    /// <summary>Tokens that the model read.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens that it wrote.</summary>
    public long CompletionTokens { get; init; }

    /// <summary>Both.</summary>
    public long TotalTokens { get; init; }
}

/// <summary>What a model answered.</summary>
public sealed record Completion
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary><c>chat.completion</c>, or <c>text_completion</c> when a prompt was sent.</summary>
    public string Object { get; init; } = "chat.completion";

    /// <summary>When, in seconds since 1970.</summary>
    public long Created { get; init; }

    /// <summary>The model, by the name it was asked for.</summary>
    public string? Model { get; init; }

    /// <summary>The answers.</summary>
    public required IReadOnlyList<CompletionChoice> Choices { get; init; }

    /// <summary>Tokens; an estimate where the provider does not count.</summary>
    public LlmUsage? Usage { get; init; }

    /// <summary>The text of the first answer; empty when there is none.</summary>
    [JsonIgnore]
    public string Text => Choices.Count == 0 ? "" : Choices[0].Message?.Text is { Length: > 0 } text ? text : Choices[0].Text ?? "";
}

/// <summary>One of the answers.</summary>
public sealed record CompletionChoice
{
    /// <summary>Its position.</summary>
    public int Index { get; init; }

    /// <summary>The message; null when a prompt was sent.</summary>
    public CompletionMessage? Message { get; init; }

    /// <summary>The text of it.</summary>
    public string? Text { get; init; }

    /// <summary><c>stop</c>, <c>length</c>, <c>tool_calls</c> or <c>content_filter</c>; null when unknown.</summary>
    public string? FinishReason { get; init; }
}

/// <summary>A piece of an answer.</summary>
public sealed record CompletionChunk
{
    /// <summary>The same in all pieces.</summary>
    public required string Id { get; init; }

    /// <summary><c>chat.completion.chunk</c> or <c>text_completion</c>.</summary>
    public string Object { get; init; } = "chat.completion.chunk";

    /// <summary>When, in seconds since 1970.</summary>
    public long Created { get; init; }

    /// <summary>The model, by the name it was asked for.</summary>
    public string? Model { get; init; }

    /// <summary>What is new of each answer; empty in the piece that tells the usage.</summary>
    public required IReadOnlyList<CompletionChunkChoice> Choices { get; init; }

    /// <summary>The new text of the first answer; empty when there is none.</summary>
    [AllowNull]
    public string Delta
    {
        get => field ?? (Choices.Count == 0 ? "" : Choices[0].Delta?.Content ?? Choices[0].Text ?? "");
        init;
    }

    /// <summary>Tokens, in the last piece; null in all others.</summary>
    public LlmUsage? Usage { get; init; }
}

/// <summary>What is new of one answer.</summary>
public sealed record CompletionChunkChoice
{
    /// <summary>Position of the answer.</summary>
    public int Index { get; init; }

    /// <summary>The piece of a message; null when a prompt was sent.</summary>
    public CompletionDelta? Delta { get; init; }

    /// <summary>The piece of a text; null when messages were sent.</summary>
    public string? Text { get; init; }

    /// <summary>Why it ends here; null when it goes on.</summary>
    public string? FinishReason { get; init; }
}

/// <summary>A piece of a message.</summary>
public sealed record CompletionDelta
{
    /// <summary>Who speaks; told once.</summary>
    public string? Role { get; init; }

    /// <summary>New text.</summary>
    public string? Content { get; init; }

    /// <summary>New pieces of calls of tools, as OpenAI writes them.</summary>
    public IReadOnlyList<JsonObject>? ToolCalls { get; init; }
}
