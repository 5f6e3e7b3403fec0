using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>The log of one build over as many connections as it takes.</summary>
internal sealed class BuildLogFeed(Pipeline pipeline, string id) : Feed<TemplateBuildEvent>
{
    private EventReader<TemplateBuildEvent?>? reader;
    private string? lastEventId;
    private TimeSpan? reconnectAfter;
    private int failures;
    private bool wasOpen;
    private bool isOver;

    public override async ValueTask<TemplateBuildEvent?> NextAsync(bool async, CancellationToken ct)
    {
        while (!isOver)
        {
            MiosaException failure;
            try
            {
                if (await ReadAsync(async, ct).ConfigureAwait(false) is { } next)
                {
                    failures = 0;
                    isOver = next.Type is EventNames.BuildCompleted or EventNames.BuildFailed or EventNames.BuildTimedOut;
                    return next;
                }
                failure = new ConnectionException("the server ended the log before the build was over");
            }
            catch (MiosaException e) when (wasOpen && e.IsTransient)
            {
                failure = e;
            }
            reader?.Dispose();
            reader = null;
            if (failures >= pipeline.MaxRetries)
                throw failure;
            await pipeline.PauseAsync(reconnectAfter ?? Retry.BackOff(failures), async, ct).ConfigureAwait(false);
            failures++;
        }
        return null;
    }

    public override void Dispose() => reader?.Dispose();

    /// <summary>Null: the server ended the stream.</summary>
    private async ValueTask<TemplateBuildEvent?> ReadAsync(bool async, CancellationToken ct)
    {
        reader ??= await EventReader<TemplateBuildEvent?>.OpenAsync(pipeline, TemplateCalls.Logs(id, lastEventId), Parse, async, ct).ConfigureAwait(false);
        wasOpen = true;
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (reader.LastEventId.Length > 0)
                lastEventId = reader.LastEventId;
            reconnectAfter = reader.ReconnectAfter ?? reconnectAfter;
            if (item.Data is { } known)
                return known;
        }
        return null;
    }

    // An event that is not ours (a proxy's, or of a later version) is skipped rather than ending the stream.
    private static TemplateBuildEvent? Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.TemplateBuildEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
