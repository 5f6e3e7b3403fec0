using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>What a process prints, over as many connections as it takes: each goes on behind the last event of the one before.</summary>
internal sealed class ProcessFeed(Pipeline pipeline, Call call, string? lastEventId) : Feed<ProcessStreamEvent>
{
    private EventReader<ProcessStreamEvent>? reader;
    private string? lastEventId = lastEventId;
    private int failures;
    private bool wasOpen;
    private bool isOver;

    public override async ValueTask<ProcessStreamEvent?> NextAsync(bool async, CancellationToken ct)
    {
        while (!isOver)
        {
            MiosaException failure;
            try
            {
                reader ??= await EventReader<ProcessStreamEvent>
                    .OpenAsync(pipeline, call with { LastEventId = lastEventId }, Parse, async, ct).ConfigureAwait(false);
                wasOpen = true;
                if (await reader.NextAsync().ConfigureAwait(false) is { Data: var item })
                {
                    failures = 0;
                    if (reader.LastEventId.Length > 0)
                        lastEventId = reader.LastEventId;
                    isOver = item.Type is ProcessStreamTypes.Exit or ProcessStreamTypes.Error;
                    return item;
                }
                failure = new ConnectionException("the server ended the stream before the process did");
            }
            catch (MiosaException e) when (wasOpen && e.IsTransient)
            {
                failure = e;
            }
            reader?.Dispose();
            reader = null;
            if (failures >= pipeline.MaxRetries)
                throw failure;
            await pipeline.PauseAsync(Retry.BackOff(failures), async, ct).ConfigureAwait(false);
            failures++;
        }
        return null;
    }

    public override void Dispose() => reader?.Dispose();

    private static ProcessStreamEvent Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.ProcessStreamEvent) ?? throw new JsonException("expected an object, not null");
        }
        catch (JsonException e)
        {
            throw new MiosaException($"an event of type '{type}' is not what this version of the SDK expects: {e.Message}", e);
        }
    }
}
