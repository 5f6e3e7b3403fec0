using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>Log lines over one connection: they have no ids, so that a second one would repeat or miss some.</summary>
internal sealed class LogLineFeed(Pipeline pipeline, Call call) : Feed<ComputerLogLine>
{
    private EventReader<ComputerLogLine?>? reader;

    public override async ValueTask<ComputerLogLine?> NextAsync(bool async, CancellationToken ct)
    {
        reader ??= await EventReader<ComputerLogLine?>.OpenAsync(pipeline, call, Parse, async, ct).ConfigureAwait(false);
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (item.Data is { } line)
                return line;
        }
        return null;
    }

    public override void Dispose() => reader?.Dispose();

    // An event that is not ours (a proxy's, or of a later version) is skipped rather than ending the stream.
    private static ComputerLogLine? Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.ComputerLogLine);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
