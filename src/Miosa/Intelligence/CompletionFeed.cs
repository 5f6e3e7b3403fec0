using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>The pieces of one answer. It never reconnects: the answer would begin anew, and be paid for twice.</summary>
internal sealed class CompletionFeed(Pipeline pipeline, Call call) : Feed<CompletionChunk>
{
    private EventReader<CompletionChunk?>? reader;
    private bool isOver;

    public override async ValueTask<CompletionChunk?> NextAsync(bool async, CancellationToken ct)
    {
        if (isOver)
            return null;
        reader ??= await EventReader<CompletionChunk?>.OpenAsync(pipeline, call, Parse, async, ct).ConfigureAwait(false);
        if (await reader.NextAsync().ConfigureAwait(false) is not { } item)
            throw new ConnectionException("the connection ended before the answer did");
        isOver = item.Data is null;
        return item.Data;
    }

    public override void Dispose() => reader?.Dispose();

    /// <summary>Null for the mark at the end.</summary>
    private static CompletionChunk? Parse(string type, ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8))
            return null;
        try
        {
            if (Failure(data) is { } failure)
                throw failure;
            return JsonSerializer.Deserialize(data, WireJson.Default.CompletionChunk) ?? throw new JsonException("expected an object, not null");
        }
        catch (JsonException e)
        {
            throw new MiosaException($"a piece of the answer is not what this version of the SDK expects: {e.Message}", e);
        }
    }

    private static MiosaException? Failure(ReadOnlySpan<byte> data)
    {
        if (data.IndexOf("\"error\""u8) < 0 || JsonNode.Parse(data) is not JsonObject piece || piece["error"] is not { } error)
            return null;
        var message = Text(error is JsonObject nested ? nested["message"] : error) ?? "the answer broke off";
        return new MiosaException(message) { Code = Text(piece["code"]) ?? Text((error as JsonObject)?["code"]), RequestId = Text(piece["request_id"]) };
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
