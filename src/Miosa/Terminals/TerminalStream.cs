using System.Net.WebSockets;

namespace Miosa;

/// <summary>
/// A connection to a terminal: read what is printed, write what is typed. It begins with what was printed lately (at most 256 KiB). Reading gives 0 when the terminal's program
/// has ended (then <see cref="ExitCode"/> is set) or the connection is over. One read and one write may be under way at a time. Disposing it leaves
/// the terminal as it is: attach again to go on. There are no blocking reads and writes.
/// </summary>
public sealed class TerminalStream : Stream
{
    private readonly OutputSocket socket;
    private ReadOnlyMemory<byte> unread;

    internal TerminalStream(ClientWebSocket socket, string sessionId) =>
        (this.socket, SessionId) = (new OutputSocket(socket, "the connection to the terminal was lost; the terminal is still there: attach again"), sessionId);

    /// <summary>The terminal's id.</summary>
    public string SessionId { get; }

    /// <summary>The exit code of the terminal's program, once reading has come to its end; null while it runs.</summary>
    public int? ExitCode => socket.ExitCode;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <summary>Not supported.</summary>
    public override long Length => throw new NotSupportedException();

    /// <summary>Not supported.</summary>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The next bytes that were printed; 0 at the end.</summary>
    /// <param name="buffer">Takes them.</param>
    /// <param name="cancellationToken">Ends the wait and, with it, this connection; the terminal stays.</param>
    /// <exception cref="ConnectionException">The connection was lost; the terminal is still there.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (unread.IsEmpty && !socket.IsOver && !buffer.IsEmpty)
            unread = await socket.ReceiveAsync(cancellationToken).ConfigureAwait(false);
        var count = Math.Min(buffer.Length, unread.Length);
        unread[..count].CopyTo(buffer);
        unread = unread[count..];
        return count;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Types bytes; control characters are keys (3 is Ctrl-C).</summary>
    /// <param name="buffer">What to type.</param>
    /// <param name="cancellationToken">Ends the wait and, with it, this connection.</param>
    /// <exception cref="ConnectionException">The connection is over.</exception>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        await socket.SendAsync(buffer, WebSocketMessageType.Binary, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Tells the terminal its new size; programs in it get SIGWINCH.</summary>
    /// <param name="cols">Columns, 1 to 1000.</param>
    /// <param name="rows">Rows, 1 to 1000.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is sent.</returns>
    /// <exception cref="ConnectionException">The connection is over.</exception>
    public async Task ResizeAsync(int cols, int rows, CancellationToken cancellationToken = default) =>
        await socket.ResizeAsync(cols, rows, cancellationToken).ConfigureAwait(false);

    /// <summary>Nothing is held back: does nothing.</summary>
    public override void Flush()
    {
    }

    /// <summary>Nothing is held back: does nothing.</summary>
    /// <param name="cancellationToken">Not used.</param>
    /// <returns>A completed task.</returns>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Not supported: use <see cref="ReadAsync(Memory{byte}, CancellationToken)"/>.</summary>
    /// <param name="buffer">Not used.</param>
    /// <param name="offset">Not used.</param>
    /// <param name="count">Not used.</param>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("a terminal is read with ReadAsync");

    /// <summary>Not supported: use <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>.</summary>
    /// <param name="buffer">Not used.</param>
    /// <param name="offset">Not used.</param>
    /// <param name="count">Not used.</param>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("a terminal is written with WriteAsync");

    /// <summary>Not supported.</summary>
    /// <param name="offset">Not used.</param>
    /// <param name="origin">Not used.</param>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <summary>Not supported.</summary>
    /// <param name="value">Not used.</param>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Leaves: what was written before still reaches the terminal.</summary>
    /// <returns>Completes when the server has taken it, after two seconds at the latest.</returns>
    public override async ValueTask DisposeAsync()
    {
        await socket.GoodbyeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            socket.Dispose();
        base.Dispose(disposing);
    }
}
