using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>
/// Gives a provider's answer the form of the contract: the name under which the model was asked for, the text once more where some clients look for
/// it, usage always counted. What it does not know it leaves as it is.
/// </summary>
/// <param name="isText">The form of text completions, whatever the provider answers in.</param>
internal sealed class CompletionShape(string model, bool isText, bool wantsUsage, long estimatedIn, DateTimeOffset now)
{
    /// <summary>Of one call; what a provider claims beyond is not believed.</summary>
    private const long MaxTokens = 10_000_000;

    private static readonly string[] Thoughts = ["reasoning", "reasoning_content", "thinking"];
    private static readonly string[] Structured = ["tool_calls", "function_call"];

    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    private readonly string id = Ids.New(isText ? "cmpl" : "chatcmpl");
    private long? tokensIn;
    private long? tokensOut;
    private long characters;

    public long TokensIn => tokensIn ?? estimatedIn;

    public long TokensOut => tokensOut ?? CompletionRequest.TokensOf(characters);

    /// <summary>The provider did not count.</summary>
    public bool IsEstimated => tokensIn is null;

    /// <summary>Something of an answer came, or the provider counted.</summary>
    public bool IsUsed { get; private set; }

    /// <summary>A choice has told its end.</summary>
    public bool IsFinished { get; private set; }

    /// <exception cref="JsonException">It is not a JSON object.</exception>
    public static JsonObject Parse(ReadOnlyMemory<byte> json) =>
        JsonNode.Parse(json.Span, documentOptions: Options) as JsonObject ?? throw new JsonException("not an object");

    /// <summary>What it says went wrong, if it says that.</summary>
    public static bool IsError(JsonObject answer, out string? message, out string? code)
    {
        (message, code) = (null, null);
        if (answer["error"] is not { } error)
            return false;
        if ((error is JsonObject nested ? nested["message"] : error) is JsonValue value && value.TryGetValue(out string? text))
            message = text;
        if (error is JsonObject told && told["code"] is JsonValue name && name.TryGetValue(out string? known))
            code = known;
        return true;
    }

    /// <exception cref="JsonException">It has no choices.</exception>
    public JsonObject Whole(JsonObject answer)
    {
        foreach (var choice in Choices(answer))
        {
            IsUsed = true;
            var text = TextOf(choice, "message", out var other);
            characters += (text?.Length ?? 0) + other;
            choice["text"] ??= text ?? "";
            if (isText)
                choice.Remove("message");
        }
        Count(answer["usage"]);
        Head(answer, isText ? "text_completion" : "chat.completion");
        if (answer["usage"] is not JsonObject usage)
            answer["usage"] = usage = [];
        (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) = (TokensIn, TokensOut, TokensIn + TokensOut);
        return answer;
    }

    /// <summary>One piece of a stream, and its text; null when the caller has no use for it.</summary>
    /// <exception cref="JsonException">It has no choices.</exception>
    public (JsonObject? Chunk, string Text) Chunk(JsonObject chunk)
    {
        var all = "";
        var count = 0;
        foreach (var choice in Choices(chunk))
        {
            count++;
            var text = TextOf(choice, "delta", out var other);
            IsUsed |= text is { Length: > 0 } || other > 0;
            characters += (text?.Length ?? 0) + other;
            // One string at the top can tell one choice only.
            if (count == 1)
                all = text ?? "";
            IsFinished |= choice["finish_reason"] is not null;
            if (!isText)
                continue;
            choice["text"] ??= text ?? "";
            choice.Remove("delta");
        }
        Count(chunk["usage"]);
        if (!wantsUsage)
        {
            chunk.Remove("usage");
            if (count == 0)
                return (null, "");
        }
        Head(chunk, isText ? "text_completion" : "chat.completion.chunk");
        chunk["delta"] = all;
        return (chunk, all);
    }

    private void Head(JsonObject answer, string kind)
    {
        answer["id"] ??= id;
        answer["created"] ??= now.ToUnixTimeSeconds();
        answer["object"] = kind;
        answer["model"] = model;
    }

    private static IEnumerable<JsonObject> Choices(JsonObject answer) =>
        answer["choices"] is JsonArray choices && choices.All(choice => choice is JsonObject) ? choices.OfType<JsonObject>() : throw new JsonException("no list of choices");

    /// <param name="other">Characters that were made and are no text of the answer: thoughts, refusals, calls of tools.</param>
    private static string? TextOf(JsonObject choice, string place, out int other)
    {
        var inner = choice[place] as JsonObject;
        other = Structured.Sum(name => inner?[name] is { } calls ? calls.ToJsonString().Length : 0)
            // Some providers send the same thoughts under two names.
            + Thoughts.Max(name => StringOf(inner?[name])?.Length ?? 0)
            + (StringOf(inner?["refusal"])?.Length ?? 0);
        return StringOf(inner?["content"] ?? choice["text"]);
    }

    private static string? StringOf(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private void Count(JsonNode? usage)
    {
        if (usage is not JsonObject)
            return;
        tokensIn = Number(usage["prompt_tokens"]) ?? tokensIn;
        tokensOut = Number(usage["completion_tokens"]) ?? tokensOut;
        IsUsed |= tokensIn > 0 || tokensOut > 0;
    }

    private static long? Number(JsonNode? node) => node is JsonValue value && value.TryGetValue(out long number) ? Math.Clamp(number, 0, MaxTokens) : null;
}
