using System.Buffers;
using System.Buffers.Binary;
using System.Net.WebSockets;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Miosa.Server.Terminals;

/// <summary>How output is written into a WebSocket.</summary>
internal enum OutputFrames
{
    /// <summary>Binary; the first byte is 1 for standard output, 2 for standard error.</summary>
    Prefixed,

    /// <summary>Text: <c>{"type":"stdout","data":"…"}</c>.</summary>
    Json,

    /// <summary>Each piece in both forms: clients that share the address read one and drop the other.</summary>
    Both,

    /// <summary>Binary, only the bytes.</summary>
    Raw,

    /// <summary>The same, and the end as text.</summary>
    Plain,

    /// <summary>Every message is binary and its first byte says what it is, in both directions (<see cref="CommandSocket"/>).</summary>
    Typed,
}

/// <summary>What a client says: bytes to type, or one of the others.</summary>
internal readonly record struct SocketInput(ReadOnlyMemory<byte> Bytes, (int Cols, int Rows)? Size = null, bool IsEnd = false, string? Signal = null);

/// <summary>
/// One WebSocket with a command or a terminal behind it, in the frames of x-ws (sandboxesExecWebSocket, computersExecSpawn): binary and plain text
/// are input; text that is a JSON object of a known type is control. With <see cref="OutputFrames.Typed"/> (x-ws of computersExecStream) the server
/// sends 1 and standard output, 2 and standard error, 3 and the exit code (u32, big endian); it takes 0 and input, 5 and rows and columns (u16,
/// big endian each), and ignores everything else.
/// </summary>
internal sealed class CommandSocket(WebSocket socket, OutputFrames frames, bool tellsExitByCode) : IDisposable
{
    private const int MaxMessage = 1 << 20;
    private const int PieceBytes = 64 * 1024;
    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(5);

    // What JSON has for every client: no escapes but those it must have.
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const byte TypedInput = 0;
    private const byte TypedExit = 3;
    private const byte TypedSize = 5;
    private const int TypedSizeBytes = 5;

    private readonly byte[] piece = new byte[1 + PieceBytes];
    private readonly byte[] received = new byte[PieceBytes];
    private readonly ArrayBufferWriter<byte> message = new();
    private readonly Decoder stdout = Encoding.UTF8.GetDecoder();
    private readonly Decoder stderr = Encoding.UTF8.GetDecoder();

    /// <summary>A message of input has begun and not ended.</summary>
    private bool isInInput;

    /// <summary>The client has said goodbye and goes on reading: that is how the client of raw frames (Elixir) ends its input.</summary>
    public bool EndsInputOnly => frames == OutputFrames.Raw && socket.State == WebSocketState.CloseReceived;

    public void Dispose() => socket.Dispose();

    /// <summary>Null: the client has closed, or is gone.</summary>
    public async ValueTask<SocketInput?> ReceiveAsync(CancellationToken ct)
    {
        message.ResetWrittenCount();
        while (true)
        {
            ValueWebSocketReceiveResult part;
            try
            {
                part = await socket.ReceiveAsync(received.AsMemory(), ct);
            }
            catch (WebSocketException)
            {
                return null;
            }
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            if (frames == OutputFrames.Typed)
            {
                if (OfTyped(part) is { } typed)
                    return typed;
                continue;
            }
            if (part.MessageType == WebSocketMessageType.Binary)
                return new SocketInput(received.AsMemory(0, part.Count));
            if (message.WrittenCount + part.Count > MaxMessage)
            {
                await CloseAsync(WebSocketCloseStatus.MessageTooBig, "a text message has at most 1 MiB; send binary ones");
                return null;
            }
            message.Write(received.AsSpan(0, part.Count));
            if (part.EndOfMessage)
                return Control(message.WrittenSpan) ?? new SocketInput(message.WrittenMemory);
        }
    }

    public async ValueTask SendAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken ct)
    {
        for (; !bytes.IsEmpty; bytes = bytes.Slice(Math.Min(bytes.Length, PieceBytes)))
        {
            var part = bytes.Slice(0, Math.Min(bytes.Length, PieceBytes));
            part.CopyTo(piece.AsSpan(1));
            piece[0] = isStderr ? (byte)2 : (byte)1;
            var count = (int)part.Length;
            if (frames is OutputFrames.Json or OutputFrames.Both)
                await SendTextAsync(Text(isStderr, piece.AsSpan(1, count)), ct);
            if (frames is OutputFrames.Prefixed or OutputFrames.Both or OutputFrames.Typed)
                await socket.SendAsync(piece.AsMemory(0, 1 + count), WebSocketMessageType.Binary, endOfMessage: true, ct);
            else if (frames is OutputFrames.Raw or OutputFrames.Plain)
                await socket.SendAsync(piece.AsMemory(1, count), WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
    }

    /// <summary>The exit frame, and then the close code that tells the same where such a code may be sent.</summary>
    public async Task ExitAsync(int code, CancellationToken ct)
    {
        if (frames == OutputFrames.Typed)
        {
            var exit = new byte[1 + sizeof(uint)];
            exit[0] = TypedExit;
            BinaryPrimitives.WriteInt32BigEndian(exit.AsSpan(1), code);
            await socket.SendAsync(exit.AsMemory(), WebSocketMessageType.Binary, endOfMessage: true, ct);
        }
        // Raw readers collect every frame as output.
        else if (frames != OutputFrames.Raw)
            await SendTextAsync(Encoding.UTF8.GetBytes($$"""{"type":"exit","code":{{code}},"exit":{{code}}}"""), ct);
        await CloseAsync(tellsExitByCode ? CloseCode(code) : WebSocketCloseStatus.NormalClosure, $"exit {code}");
    }

    /// <summary>Says why; nothing can be sent after it.</summary>
    public async Task CloseAsync(WebSocketCloseStatus status, string reason)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
            return;
        using var patience = new CancellationTokenSource(ClosePatience);
        try
        {
            await socket.CloseOutputAsync(status, reason.Length <= 100 ? reason : reason[..100], patience.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Gone already.
        }
    }

    /// <summary>Lets the client read to the end and say goodbye before the connection goes; <paramref name="input"/> waits for that.</summary>
    public static async Task GoodbyeAsync(Task input, CancellationTokenSource left)
    {
        left.CancelAfter(ClosePatience);
        await input.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await left.CancelAsync();
    }

    // 1004 to 1006 cannot be sent, and clients refuse most of the others; 1001 says "failed" to those that read the code.
    private static WebSocketCloseStatus CloseCode(int exit) => exit is >= 0 and <= 3 or >= 7 and <= 11 ? (WebSocketCloseStatus)(1000 + exit) : (WebSocketCloseStatus)1001;

    private SocketInput? OfTyped(ValueWebSocketReceiveResult part)
    {
        var isFirst = !isInInput;
        var isInput = part.MessageType == WebSocketMessageType.Binary && (isInInput || (part.Count > 0 && received[0] == TypedInput));
        isInInput = isInput && !part.EndOfMessage;
        if (isInput)
            return new SocketInput(isFirst ? received.AsMemory(1, part.Count - 1) : received.AsMemory(0, part.Count));
        var size = received.AsSpan(0, part.Count);
        if (part.MessageType != WebSocketMessageType.Binary || part.Count != TypedSizeBytes || size[0] != TypedSize)
            return null;
        var (rows, cols) = (BinaryPrimitives.ReadUInt16BigEndian(size[1..]), BinaryPrimitives.ReadUInt16BigEndian(size[3..]));
        return rows is >= 1 and <= TerminalEndpoints.MaxSize && cols is >= 1 and <= TerminalEndpoints.MaxSize ? new SocketInput(default, (cols, rows)) : null;
    }

    private byte[] Text(bool isStderr, ReadOnlySpan<byte> bytes)
    {
        var decoder = isStderr ? stderr : stdout;
        var text = new char[decoder.GetCharCount(bytes, flush: false)];
        var count = decoder.GetChars(bytes, text, flush: false);
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json, Relaxed))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, isStderr ? "stderr"u8 : "stdout"u8);
            writer.WriteString("data"u8, text.AsSpan(0, count));
            writer.WriteEndObject();
        }
        return json.WrittenSpan.ToArray();
    }

    private ValueTask SendTextAsync(byte[] text, CancellationToken ct) => socket.SendAsync(text.AsMemory(), WebSocketMessageType.Text, endOfMessage: true, ct);

    private static SocketInput? Control(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || text[0] != (byte)'{')
            return null;
        try
        {
            var reader = new Utf8JsonReader(text);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (reader.BytesConsumed != text.Length || !root.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String)
                return null;
            return type.GetString() switch
            {
                "resize" when Number(root, "cols") is { } cols && Number(root, "rows") is { } rows => new SocketInput(default, (cols, rows)),
                "stdin" when root.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.String => new SocketInput(Encoding.UTF8.GetBytes(data.GetString() ?? "")),
                "stdin_close" => new SocketInput(default, IsEnd: true),
                "signal" when root.TryGetProperty("signal", out var signal) && signal.ValueKind == JsonValueKind.String => new SocketInput(default, Signal: signal.GetString()),
                _ => null,
            };
        }
        catch (JsonException)
        {
            // Somebody types JSON.
            return null;
        }
    }

    private static int? Number(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number is >= 1 and <= 1000 ? number : null;
}
