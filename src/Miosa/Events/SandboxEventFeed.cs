using System.IO.Enumeration;
using System.Text.Json;
using Miosa.Http;

namespace Miosa;

/// <summary>The events of one sandbox over as many connections as it takes.</summary>
internal sealed class SandboxEventFeed : Feed<SandboxEvent>
{
    private readonly Pipeline pipeline;
    private readonly string id;
    private readonly string? types;
    private readonly bool isEndWanted;
    private EventReader<SandboxEvent?>? reader;
    private string? lastEventId;
    private TimeSpan? reconnectAfter;
    private int failures;
    private bool wasOpen;
    private bool isOver;

    public SandboxEventFeed(Pipeline pipeline, string id, IReadOnlyList<string>? types, string? lastEventId)
    {
        (this.pipeline, this.id, this.lastEventId) = (pipeline, id, lastEventId);
        isEndWanted = types is not { Count: > 0 } || types.Any(type => FileSystemName.MatchesSimpleExpression(type, EventNames.SandboxDestroyed, ignoreCase: false));
        // The end is always asked for: without it, the end of the sandbox and a dropped connection look the same.
        this.types = types is not { Count: > 0 } ? null : string.Join(',', isEndWanted ? types : [.. types, EventNames.SandboxDestroyed]);
    }

    public override async ValueTask<SandboxEvent?> NextAsync(bool async, CancellationToken ct)
    {
        while (!isOver)
        {
            MiosaException failure;
            try
            {
                if (await ReadAsync(async, ct).ConfigureAwait(false) is { } next)
                {
                    failures = 0;
                    isOver = next.Type == EventNames.SandboxDestroyed;
                    if (isOver && !isEndWanted)
                        return null;
                    return next;
                }
                if (await IsDestroyedAsync(async, ct).ConfigureAwait(false))
                    return null;
                failure = new ConnectionException("the server ended the event stream");
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
    private async ValueTask<SandboxEvent?> ReadAsync(bool async, CancellationToken ct)
    {
        reader ??= await EventReader<SandboxEvent?>
            .OpenAsync(pipeline, SandboxCalls.Events(id, types, lastEventId), Parse, async, ct).ConfigureAwait(false);
        wasOpen = true;
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (reader.LastEventId.Length > 0)
                lastEventId = reader.LastEventId;
            reconnectAfter = reader.ReconnectAfter ?? reconnectAfter;
            if (item.Data is { } known)
                return known.EventId is null && lastEventId is not null ? known with { EventId = lastEventId } : known;
        }
        return null;
    }

    // A stream that resumes after the last event of a destroyed sandbox ends without a word.
    private async ValueTask<bool> IsDestroyedAsync(bool async, CancellationToken ct)
    {
        try
        {
            return isOver = (await pipeline.SendAsync(SandboxCalls.Get(id), async, ct).ConfigureAwait(false)).State == SandboxState.Destroyed;
        }
        catch (NotFoundException)
        {
            return isOver = true;
        }
    }

    // An event that is not ours (a proxy's, or of a later version) is skipped rather than ending the stream.
    private static SandboxEvent? Parse(string type, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, WireJson.Default.SandboxEvent);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
