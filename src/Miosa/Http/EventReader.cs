using System.Net.ServerSentEvents;

namespace Miosa.Http;

/// <summary>One open event stream, read by blocking or by awaiting.</summary>
internal sealed class EventReader<T> : IDisposable
{
    private readonly AnswerStream stream;
    private readonly SseParser<T> parser;
    private readonly IEnumerator<SseItem<T>>? blocking;
    private readonly IAsyncEnumerator<SseItem<T>>? awaiting;

    private EventReader(AnswerStream stream, SseItemParser<T> parse, bool async, CancellationToken ct)
    {
        this.stream = stream;
        parser = SseParser.Create(stream, parse);
        if (async)
            awaiting = parser.EnumerateAsync(ct).GetAsyncEnumerator(ct);
        else
            blocking = parser.Enumerate().GetEnumerator();
    }

    public string LastEventId => parser.LastEventId;

    public string? StartEventId => stream.StartEventId;

    /// <summary>The wait before the next connection that the server asked for.</summary>
    public TimeSpan? ReconnectAfter => parser.ReconnectionInterval is var wait && wait > TimeSpan.Zero && wait < Retry.LongestWait ? wait : null;

    public static async ValueTask<EventReader<T>> OpenAsync(Pipeline pipeline, Call call, SseItemParser<T> parse, bool async, CancellationToken ct)
    {
        var stream = await pipeline.OpenAsync(call, async, ct, lifetime: ct).ConfigureAwait(false);
        if (stream.MediaType == "text/event-stream")
            return new EventReader<T>(stream, parse, async, ct);
        stream.Dispose();
        throw new MiosaException($"{call.Method} {call.Path.Split('?')[0]}: the answer is '{stream.MediaType}', not an event stream");
    }

    /// <summary>Null: the server ended the stream.</summary>
    public async ValueTask<SseItem<T>?> NextAsync()
    {
        if (awaiting is not null)
            return await awaiting.MoveNextAsync().ConfigureAwait(false) ? awaiting.Current : null;
        return blocking!.MoveNext() ? blocking.Current : null; // exactly one of the two is set
    }

    // The enumerators hold nothing but the stream. Disposing an async one would need an await.
    public void Dispose() => stream.Dispose();
}
