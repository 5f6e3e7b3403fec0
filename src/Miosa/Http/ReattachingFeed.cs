using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Miosa.Http;

/// <summary>
/// A stream of events over as many connections as it takes: each goes on behind the last event of the one before. It ends with an event that
/// is the last of its kind; a stream that ends without one, or breaks, is opened again, a bounded number of times in a row.
/// </summary>
internal abstract class ReattachingFeed<T>(Pipeline pipeline, JsonTypeInfo<T> type, string? lastEventId) : Feed<T>
    where T : class
{
    /// <summary>A connection that held so long was good, whatever came over it: the tries to make it again are counted anew.</summary>
    private static readonly TimeSpan GoodAfter = TimeSpan.FromSeconds(30);

    private EventReader<T?>? reader;
    private long openedAt;
    private TimeSpan? reconnectAfter;
    private int failures;
    private bool wasOpen;
    private bool isOver;

    protected string? LastEventId { get; private set; } = lastEventId;

    /// <summary>The call that opens the stream behind <see cref="LastEventId"/>.</summary>
    protected abstract Call Call { get; }

    /// <summary>Said when the stream ends too early and cannot be opened again.</summary>
    protected abstract string EndedEarly { get; }

    /// <summary>Nothing comes after this one.</summary>
    protected abstract bool IsLast(T item);

    /// <summary>What the reader gets of an event; null ends the feed without it.</summary>
    protected virtual T? Shown(T item) => item;

    /// <summary>Whether a stream that the server has ended was over.</summary>
    protected virtual ValueTask<bool> IsOverAsync(bool async, CancellationToken ct) => ValueTask.FromResult(false);

    public override async ValueTask<T?> NextAsync(bool async, CancellationToken ct)
    {
        while (!isOver)
        {
            MiosaException failure;
            try
            {
                if (await ReadAsync(async, ct).ConfigureAwait(false) is { } next)
                {
                    failures = 0;
                    isOver = IsLast(next);
                    return Shown(next);
                }
                if (isOver = await IsOverAsync(async, ct).ConfigureAwait(false))
                    return null;
                failure = new ConnectionException(EndedEarly);
            }
            catch (MiosaException e) when (wasOpen && e.IsTransient)
            {
                failure = e;
            }
            if (reader is not null && pipeline.Clock.GetElapsedTime(openedAt) >= GoodAfter)
                failures = 0;
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
    private async ValueTask<T?> ReadAsync(bool async, CancellationToken ct)
    {
        if (reader is null)
        {
            reader = await EventReader<T?>.OpenAsync(pipeline, Call, Parse, async, ct).ConfigureAwait(false);
            openedAt = pipeline.Clock.GetTimestamp();
            // So that also what happens before its first event is not lost when it breaks now.
            LastEventId ??= reader.StartEventId;
        }
        wasOpen = true;
        while (await reader.NextAsync().ConfigureAwait(false) is { } item)
        {
            if (reader.LastEventId.Length > 0)
                LastEventId = reader.LastEventId;
            reconnectAfter = reader.ReconnectAfter ?? reconnectAfter;
            if (item.Data is { } known)
                return known;
        }
        return null;
    }

    // An event that is not ours (a proxy's, or of a later version) is skipped rather than ending the stream.
    private T? Parse(string eventType, ReadOnlySpan<byte> data)
    {
        try
        {
            return JsonSerializer.Deserialize(data, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
