using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>The changes of one watched folder over one connection.</summary>
internal sealed class FileWatchFeed(Pipeline pipeline, Call call, Action? started) : Feed<FileWatchEvent>
{
    private EventReader<FileWatchEvent?>? reader;
    private bool isOver;

    public override async ValueTask<FileWatchEvent?> NextAsync(bool async, CancellationToken ct)
    {
        if (isOver)
            return null;
        if (reader is null)
        {
            reader = await EventReader<FileWatchEvent?>.OpenAsync(pipeline, call, Parse, async, ct).ConfigureAwait(false);
            started?.Invoke();
        }
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (item.Data is not { } change)
                continue;
            if (change.Event == FileWatchEvents.Error)
                throw new MiosaException($"the watch of {change.Path} ended: {change.Message}");
            isOver = change.Event == FileWatchEvents.Ended;
            return change;
        }
        throw new ConnectionException("the server ended the watch");
    }

    public override void Dispose() => reader?.Dispose();

    // An event that is not ours (a proxy's, or of a later version) is skipped rather than ending the stream.
    private static FileWatchEvent? Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.FileWatchEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
