using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>What happens inside a computer, over one connection: its events have no ids, and what happens between two connections would be missing.</summary>
internal sealed class ComputerEventFeed(Pipeline pipeline, Call call, Action? started) : Feed<ComputerEvent>
{
    private EventReader<ComputerEvent?>? reader;

    public override async ValueTask<ComputerEvent?> NextAsync(bool async, CancellationToken ct)
    {
        if (reader is null)
        {
            reader = await EventReader<ComputerEvent?>.OpenAsync(pipeline, call, Parse, async, ct).ConfigureAwait(false);
            started?.Invoke();
        }
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (item.Data is { } happened)
                return happened;
        }
        return null;
    }

    public override void Dispose() => reader?.Dispose();

    private static ComputerEvent? Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.ComputerEvent);
        }
        catch (JsonException)
        {
            return OfStatus(data);
        }
    }

    /// <summary>Changes of the status have their fields at the top. An event that is neither (a proxy's, or of a later version) is skipped rather than ending the stream.</summary>
    private static ComputerEvent? OfStatus(ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.ComputerStatusEvent) is { } told
                ? new() { Type = told.Type, Timestamp = told.Timestamp, Payload = new() { ["status"] = told.Status, ["previous_status"] = told.PreviousStatus } }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
