using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Miosa;

/// <summary>A chat model of the server. What the abstraction knows is translated; what it does not know goes through as it is.</summary>
internal sealed class MiosaChatClient(MiosaClient client, string? model) : IChatClient
{
    private readonly ChatClientMetadata metadata = new("miosa", providerUri: null, defaultModelId: model);

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var completion = await client.Completions.CreateAsync(ChatWire.Request(messages, options, model), cancellationToken).ConfigureAwait(false);
        var choice = completion.Choices.Count > 0 ? completion.Choices[0] : null;
        var contents = new List<AIContent>();
        if (completion.Text.Length > 0)
            contents.Add(new TextContent(completion.Text));
        foreach (var call in choice?.Message?.ToolCalls ?? [])
            contents.Add(ChatWire.Call(ChatWire.Text(call["id"]), ChatWire.Text(call["function"]?["name"]), ChatWire.Text(call["function"]?["arguments"])));
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, contents))
        {
            ResponseId = completion.Id,
            ModelId = completion.Model,
            CreatedAt = DateTimeOffset.FromUnixTimeSeconds(completion.Created),
            FinishReason = ChatWire.Reason(choice?.FinishReason),
            Usage = ChatWire.Usage(completion.Usage),
            RawRepresentation = completion,
        };
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // Calls of tools come in pieces of their arguments; only whole ones mean something.
        var calls = new SortedDictionary<int, PartialCall>();
        await foreach (var chunk in client.Completions.StreamAsync(ChatWire.Request(messages, options, model), cancellationToken).ConfigureAwait(false))
        {
            var choice = chunk.Choices.Count > 0 ? chunk.Choices[0] : null;
            foreach (var piece in choice?.Delta?.ToolCalls ?? [])
                PartialCall.Of(calls, piece).Add(piece);
            var update = new ChatResponseUpdate
            {
                Role = ChatRole.Assistant,
                ResponseId = chunk.Id,
                MessageId = chunk.Id,
                ModelId = chunk.Model,
                CreatedAt = DateTimeOffset.FromUnixTimeSeconds(chunk.Created),
                FinishReason = ChatWire.Reason(choice?.FinishReason),
                RawRepresentation = chunk,
            };
            if (chunk.Delta.Length > 0)
                update.Contents.Add(new TextContent(chunk.Delta));
            if (choice?.FinishReason is not null)
            {
                foreach (var call in calls.Values)
                    update.Contents.Add(ChatWire.Call(call.Id, call.Name, call.Arguments.ToString()));
                calls.Clear();
            }
            if (ChatWire.Usage(chunk.Usage) is { } usage)
                update.Contents.Add(new UsageContent(usage));
            yield return update;
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType == typeof(ChatClientMetadata))
            return metadata;
        return serviceType == typeof(MiosaClient) ? client : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
        // The client is the caller's.
    }

    private sealed class PartialCall
    {
        public string Id { get; private set; } = "";

        public string Name { get; private set; } = "";

        public StringBuilder Arguments { get; } = new();

        public static PartialCall Of(SortedDictionary<int, PartialCall> calls, JsonObject piece)
        {
            var index = piece["index"] is JsonValue value && value.TryGetValue(out int number) ? number : calls.Count;
            if (!calls.TryGetValue(index, out var call))
                calls[index] = call = new PartialCall();
            return call;
        }

        public void Add(JsonObject piece)
        {
            if (ChatWire.Text(piece["id"]) is { Length: > 0 } id)
                Id = id;
            if (ChatWire.Text(piece["function"]?["name"]) is { Length: > 0 } name)
                Name = name;
            Arguments.Append(ChatWire.Text(piece["function"]?["arguments"]));
        }
    }
}
