using System.Net.WebSockets;
using System.Text.Json;

namespace Miosa;

/// <summary>A WebSocket with a program behind it: binary messages are its output (the first byte says which stream) and its input, text messages are about it.</summary>
/// <param name="socket">Disposed with this.</param>
/// <param name="lost">What a lost connection means, for the message of the exception.</param>
internal sealed class OutputSocket(ClientWebSocket socket, string lost) : IDisposable
{
    private const byte Stdout = 1;
    private const byte Stderr = 2;
    private const int MessageBytes = 16 * 1024;

    private static readonly TimeSpan GoodbyePatience = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim sending = new(1);
    private readonly byte[] piece = new byte[MessageBytes];
    private bool isInMessage;

    /// <summary>The program's, once it was told.</summary>
    public int? ExitCode { get; private set; }

    /// <summary>Nothing comes any more.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Why the server closed it.</summary>
    public string? Reason => socket.CloseStatusDescription;

    /// <summary>Which stream the piece is of that came last.</summary>
    public bool IsStderr { get; private set; }

    /// <summary>The next piece, good until the one after it is asked for; empty when it was a message about the program, or the end.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReceiveAsync(CancellationToken ct)
    {
        ValueWebSocketReceiveResult part;
        try
        {
            part = await socket.ReceiveAsync(piece.AsMemory(), ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or InvalidOperationException or IOException)
        {
            throw new ConnectionException(lost, e);
        }
        if (part.MessageType == WebSocketMessageType.Close)
            IsOver = true;
        else if (part.MessageType == WebSocketMessageType.Text && part.EndOfMessage)
            Control(piece.AsSpan(0, part.Count));
        else if (part.MessageType == WebSocketMessageType.Binary)
        {
            var isPrefixed = !isInMessage && part.Count > 0 && piece[0] is Stdout or Stderr;
            if (isPrefixed)
                IsStderr = piece[0] == Stderr;
            isInMessage = !part.EndOfMessage;
            return piece.AsMemory(isPrefixed ? 1 : 0, part.Count - (isPrefixed ? 1 : 0));
        }
        return default;
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, WebSocketMessageType type, CancellationToken ct)
    {
        await sending.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            await socket.SendAsync(bytes, type, endOfMessage: true, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is WebSocketException or InvalidOperationException or IOException)
        {
            throw new ConnectionException("the connection is over", e);
        }
        finally
        {
            sending.Release();
        }
    }

    public ValueTask ResizeAsync(int cols, int rows, CancellationToken ct) =>
        SendAsync(JsonSerializer.SerializeToUtf8Bytes(new SizeMessage { Cols = cols, Rows = rows }, RequestJson.Default.SizeMessage), WebSocketMessageType.Text, ct);

    /// <summary>Leaves: what was sent before still reaches the program. Two seconds at most.</summary>
    public async ValueTask GoodbyeAsync()
    {
        using var patience = new CancellationTokenSource(GoodbyePatience);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, patience.Token).ConfigureAwait(false);
            // To the server's own goodbye: a connection closed with something unread in it takes back what was sent.
            while (!IsOver && socket.State == WebSocketState.CloseSent)
                await ReceiveAsync(patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ConnectionException or WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            // Then it is over without.
        }
    }

    public void Dispose() => socket.Dispose();

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
