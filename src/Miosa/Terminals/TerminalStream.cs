using System.Net.WebSockets;
using System.Text.Json;

namespace Miosa;

/// <summary>
/// A connection to a terminal: read what is printed, write what is typed. It begins with what was printed lately (at most 256 KiB). Reading gives 0 when the terminal's program
/// has ended (then <see cref="ExitCode"/> is set) or the connection is over. One read and one write may be under way at a time. Disposing it leaves
/// the terminal as it is: attach again to go on. There are no blocking reads and writes.
/// </summary>
public sealed class TerminalStream : Stream
{
    private const byte Stdout = 1;
    private const byte Stderr = 2;
    private const int MessageBytes = 16 * 1024;

    private static readonly TimeSpan GoodbyePatience = TimeSpan.FromSeconds(2);

    private readonly ClientWebSocket socket;
    private readonly SemaphoreSlim sending = new(1);
    private readonly byte[] piece = new byte[MessageBytes];
    private ReadOnlyMemory<byte> unread;
    private bool isInMessage;
    private bool isOver;

    internal TerminalStream(ClientWebSocket socket, string sessionId) => (this.socket, SessionId) = (socket, sessionId);

    /// <summary>The terminal's id.</summary>
    public string SessionId { get; }

    /// <summary>The exit code of the terminal's program, once reading has come to its end; null while it runs.</summary>
    public int? ExitCode { get; private set; }

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
        while (unread.IsEmpty && !isOver && !buffer.IsEmpty)
            await ReceiveAsync(cancellationToken).ConfigureAwait(false);
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
        await SendAsync(buffer, WebSocketMessageType.Binary, cancellationToken).ConfigureAwait(false);

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
        await SendAsync(JsonSerializer.SerializeToUtf8Bytes(new SizeMessage { Cols = cols, Rows = rows }, RequestJson.Default.SizeMessage), WebSocketMessageType.Text, cancellationToken).ConfigureAwait(false);

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
        using var patience = new CancellationTokenSource(GoodbyePatience);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, patience.Token).ConfigureAwait(false);
            // To the server's own goodbye: a connection closed with something unread in it takes back what was sent.
            while (!isOver && socket.State == WebSocketState.CloseSent)
                await ReceiveAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ConnectionException or WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            // Then it is over without.
        }
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            socket.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, WebSocketMessageType type, CancellationToken ct)
    {
        await sending.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            await socket.SendAsync(bytes, type, endOfMessage: true, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or InvalidOperationException or IOException)
        {
            throw new ConnectionException("the connection to the terminal is over", e);
        }
        finally
        {
            sending.Release();
        }
    }

    private async ValueTask ReceiveAsync(CancellationToken ct)
    {
        ValueWebSocketReceiveResult part;
        try
        {
            part = await socket.ReceiveAsync(piece.AsMemory(), ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or InvalidOperationException or IOException)
        {
            throw new ConnectionException("the connection to the terminal was lost; the terminal is still there: attach again", e);
        }
        if (part.MessageType == WebSocketMessageType.Close)
            isOver = true;
        else if (part.MessageType == WebSocketMessageType.Text && part.EndOfMessage)
            Control(piece.AsSpan(0, part.Count));
        else if (part.MessageType == WebSocketMessageType.Binary)
        {
            // The first byte of a message says which stream it is; a terminal has one.
            var isPrefixed = !isInMessage && part.Count > 0 && piece[0] is Stdout or Stderr;
            unread = piece.AsMemory(isPrefixed ? 1 : 0, part.Count - (isPrefixed ? 1 : 0));
            isInMessage = !part.EndOfMessage;
        }
    }

    private void Control(ReadOnlySpan<byte> text)
    {
        try
        {
            if (JsonSerializer.Deserialize(text, RequestJson.Default.ExitMessage) is { Type: "exit" } end)
                ExitCode = end.Exit;
        }
        catch (JsonException)
        {
            // A message of a later version.
        }
    }
}
