using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>The output of one streamed command. It never reconnects: the command dies with its connection, and must not run twice.</summary>
internal sealed class ExecFeed(Pipeline pipeline, string id, ExecRequest request) : Feed<ExecStreamEvent>
{
    private EventReader<ExecStreamEvent>? reader;
    private bool isOver;

    public override async ValueTask<ExecStreamEvent?> NextAsync(bool async, CancellationToken ct)
    {
        if (isOver)
            return null;
        reader ??= await EventReader<ExecStreamEvent>.OpenAsync(pipeline, SandboxCalls.ExecStream(id, request), Parse, async, ct).ConfigureAwait(false);
        if (await reader.NextAsync().ConfigureAwait(false) is not { Data: var item })
            throw new ConnectionException("the connection ended before the command did");
        isOver = item.Type is ExecStreamTypes.Exit or ExecStreamTypes.Error;
        return item;
    }

    public override void Dispose() => reader?.Dispose();

    private static ExecStreamEvent Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.ExecStreamEvent) ?? throw new JsonException("expected an object, not null");
        }
        catch (JsonException e)
        {
            throw new MiosaException($"an event of type '{type}' is not what this version of the SDK expects: {e.Message}", e);
        }
    }
}
