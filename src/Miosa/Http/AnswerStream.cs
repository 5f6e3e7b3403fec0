namespace Miosa.Http;

/// <summary>
/// The body of an answer while it arrives. Only the time spent waiting for bytes counts as silence, not the time the reader takes between reads.
/// A blocking read has no token; the timer ends it by disposing the answer under it.
/// </summary>
internal sealed class AnswerStream : Stream
{
    private readonly HttpResponseMessage response;
    private readonly Stream body;
    private readonly IdleTimer timer;
    private readonly string operation;
    private readonly CancellationTokenRegistration abort;
    private bool isDisposed;

    public AnswerStream(HttpResponseMessage response, Stream body, IdleTimer timer, string operation)
    {
        (this.response, this.body, this.timer, this.operation) = (response, body, timer, operation);
        // Taken now: the timer may dispose the answer at any moment.
        MediaType = response.Content.Headers.ContentType?.MediaType;
        ExpectedLength = response.Content.Headers.ContentLength;
        StartEventId = response.Headers.TryGetValues("X-Miosa-Last-Event-Id", out var ids) ? ids.First() : null;
        timer.Pause();
        abort = timer.Token.UnsafeRegister(static state => ((HttpResponseMessage)state!).Dispose(), response);
    }

    public override bool CanRead => !isDisposed;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => ExpectedLength ?? throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public string? MediaType { get; }

    public long? ExpectedLength { get; }

    /// <summary>The event after which an event stream begins, when the server tells.</summary>
    public string? StartEventId { get; }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        try
        {
            timer.Restart();
            return body.Read(buffer);
        }
        catch (Exception e) when (IsBroken(e))
        {
            throw timer.Explain(operation, e);
        }
        finally
        {
            timer.Pause();
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(isDisposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        using var cancelled = cancellationToken.UnsafeRegister(static state => ((HttpResponseMessage)state!).Dispose(), response);
        try
        {
            timer.Restart();
            return await body.ReadAsync(buffer, timer.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (IsBroken(e) || cancellationToken.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw timer.Explain(operation, e);
        }
        finally
        {
            timer.Pause();
        }
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !isDisposed)
        {
            isDisposed = true;
            abort.Dispose();
            response.Dispose();
            timer.Dispose();
        }
        base.Dispose(disposing);
    }

    // Once the timer has disposed the answer, a read that was in flight may fail in any way.
    private bool IsBroken(Exception e)
        => timer.Token.IsCancellationRequested || e is IOException or HttpRequestException or ObjectDisposedException or OperationCanceledException;
}
