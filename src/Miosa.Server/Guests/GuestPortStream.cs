using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>
/// A TCP connection inside a machine as a stream. Reading gives credit back to the guest, writing waits for its credit, so neither side buffers
/// more than a window. Disposing drops the connection at once.
/// </summary>
internal sealed class GuestPortStream : Stream
{
    private readonly GuestCall _call;
    private readonly CancellationTokenSource _over = new();
    private ReadOnlySequence<byte> _rest;
    private bool _isAtEnd;
    private int _isDisposed;

    public GuestPortStream(GuestCall call)
    {
        _call = call;
        // A writer that waits for credit must hear that there will be none.
        _ = call.Reply.ContinueWith(_ => _over.Cancel(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Called once, when it is disposed.</summary>
    public Action? Closed { get; init; }

    public override bool CanRead => true;
    public override bool CanWrite => true;
    public override bool CanSeek => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_rest.IsEmpty && !_isAtEnd)
        {
            var chunk = await _call.NextAsync(cancellationToken);
            if (!chunk.IsEnd)
                _rest = chunk.Channel == FrameChannel.Body ? chunk.Bytes : throw _call.Broken("the guest mixed another channel into a port");
            else if (Volatile.Read(ref _isDisposed) != 0)
                throw new ObjectDisposedException(nameof(GuestPortStream));
            else
                _isAtEnd = true;
        }
        if (_rest.IsEmpty)
        {
            // A server that broke off, or a machine that died, must not look like a complete answer.
            if (_call.Reply.IsFaulted)
                throw new IOException("the connection into the machine broke", _call.Reply.Exception?.InnerException);
            return 0;
        }
        var count = (int)Math.Min(buffer.Length, _rest.Length);
        _rest.Slice(0, count).CopyTo(buffer.Span);
        _rest = _rest.Slice(count);
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var either = cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _over.Token) : null;
        var ct = either?.Token ?? _over.Token;
        var frame = ArrayPool<byte>.Shared.Rent(FrameLimits.HeaderBytes + Math.Min(buffer.Length, FrameLimits.MaxPayload));
        try
        {
            while (!buffer.IsEmpty)
            {
                var piece = Math.Min(buffer.Length, FrameLimits.MaxPayload);
                buffer[..piece].CopyTo(frame.AsMemory(FrameLimits.HeaderBytes));
                await _call.Credit.TakeAsync(piece, ct);
                await _call.SendDataAsync(frame, piece, ct);
                buffer = buffer[piece..];
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("the connection into the machine has ended");
        }
        catch (GuestException e)
        {
            throw new IOException("the connection into the machine broke", e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // HttpClient and the forwarder are asynchronous throughout; a synchronous call would block a thread on a hostile peer.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _call.Abandon();
            _over.Cancel();
            Closed?.Invoke();
        }
        base.Dispose(disposing);
    }
}
