using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>
/// The one connection to a machine's guest, shared by every request for that machine. The guest is hostile: its frames are checked one by one,
/// what it may make us hold is bounded, and a broken rule cuts the connection and fails the calls on it with a <see cref="GuestException"/>.
/// </summary>
internal sealed class GuestConnection : IAsyncDisposable
{
    private const int MaxCalls = FrameLimits.MaxStreams - 24;
    private const int MaxVerbs = 256;
    private static readonly TimeSpan s_helloPatience = TimeSpan.FromSeconds(10);

    private readonly Socket _socket;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, GuestCall> _calls = [];
    private readonly TaskCompletionSource<GuestHello> _hello = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _small = new byte[FrameLimits.HeaderBytes + FrameLimits.MaxPing];
    private Task _reading = Task.CompletedTask;
    private GuestException? _cut;
    private uint _lastId = uint.MaxValue; // + 2 is the first id, 1

    private GuestConnection(Socket socket) => _socket = socket;

    /// <summary>What the guest said of itself.</summary>
    public GuestHello Hello { get; private set; } = new();

    public bool IsAlive => Volatile.Read(ref _cut) is null;

    /// <summary>Completes when the connection has ended; never fails.</summary>
    public Task Ended => _reading;

    /// <summary>Connects to the guest's listening socket and waits for its HELLO.</summary>
    public static async Task<GuestConnection> ConnectAsync(string socketPath, CancellationToken ct)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), ct);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new GuestException(GuestException.Disconnected, "the guest does not answer at its socket", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        var connection = new GuestConnection(socket);
        connection._reading = connection.ReadAsync();
        try
        {
            connection.Hello = await connection._hello.Task.WaitAsync(s_helloPatience, ct);
            return connection;
        }
        catch (TimeoutException e)
        {
            await connection.DisposeAsync();
            throw new GuestException(GuestException.Protocol, "the guest sent no HELLO", e);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens a stream. A verb that the guest does not have fails here, without a round trip.</summary>
    public async ValueTask<GuestCall> OpenAsync<T>(string verb, T call, JsonTypeInfo<T> type, bool takesData, CancellationToken ct)
    {
        if (Array.IndexOf(Hello.Verbs!, verb) < 0) // checked when HELLO came
            throw new GuestException(GuestErrorCode.Unsupported, "the guest of this machine is older and has no \"" + verb + "\"");
        var frame = OpenFrame(call, type);
        await _sending.WaitAsync(ct);
        try
        {
            // Under the lock of the socket: ids must reach the guest in growing order.
            var opened = Register(takesData);
            new FrameHeader(frame.Length - FrameLimits.HeaderBytes, opened.Id, FrameType.Open, 0).Write(frame);
            await WriteAsync(frame);
            return opened;
        }
        finally
        {
            _sending.Release();
        }
    }

    public ValueTask SendWindowAsync(uint stream, uint bytes)
    {
        var payload = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, bytes);
        return SendAsync(FrameType.Window, stream, 0, payload, CancellationToken.None);
    }

    public ValueTask SendAsync(FrameType type, uint stream, byte channel, ReadOnlySpan<byte> payload, CancellationToken ct)
    {
        var frame = new byte[FrameLimits.HeaderBytes + payload.Length];
        new FrameHeader(payload.Length, stream, type, channel).Write(frame);
        payload.CopyTo(frame.AsSpan(FrameLimits.HeaderBytes));
        return SendAsync(frame, ct);
    }

    /// <summary>A whole frame. <paramref name="ct"/> ends the wait for our turn; a frame that is begun is finished.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> frame, CancellationToken ct)
    {
        await _sending.WaitAsync(ct);
        try
        {
            await WriteAsync(frame);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Ends the connection and fails what is open on it.</summary>
    public void Cut(string why, Exception? cause) => Cut(new GuestException(GuestException.Protocol, why, cause));

    public async ValueTask DisposeAsync()
    {
        Cut(new GuestException(GuestException.Disconnected, "the connection to the guest was closed"));
        await _reading;
    }

    private static byte[] OpenFrame<T>(T call, JsonTypeInfo<T> type)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        buffer.Advance(FrameLimits.HeaderBytes);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = GuestJson.Wire.Options.Encoder, SkipValidation = true }))
            JsonSerializer.Serialize(writer, call, type);
        return buffer.WrittenCount <= FrameLimits.MaxFrame
            ? buffer.WrittenSpan.ToArray()
            : throw new GuestException(GuestErrorCode.TooLarge, "the call is larger than 64 KiB");
    }

    private GuestCall Register(bool takesData)
    {
        lock (_lock)
        {
            if (_cut is not null)
                throw new GuestException(_cut.Code, _cut.Message, _cut);
            if (_calls.Count >= MaxCalls)
                throw new GuestException(GuestErrorCode.Busy, "too many calls to this machine at once");
            _lastId = unchecked(_lastId + 2);
            var call = new GuestCall(this, _lastId, takesData);
            _calls.Add(_lastId, call);
            return call;
        }
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> frame)
    {
        try
        {
            while (!frame.IsEmpty)
                frame = frame[await _socket.SendAsync(frame, SocketFlags.None, CancellationToken.None)..];
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Cut(new GuestException(GuestException.Disconnected, "the guest is gone", e));
            throw new GuestException(GuestException.Disconnected, "the guest is gone", e);
        }
    }

    private async Task ReadAsync()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(2 * FrameLimits.MaxFrame);
        GuestException end;
        try
        {
            end = await ReadFramesAsync(buffer);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            end = new GuestException(GuestException.Disconnected, "the guest is gone", e);
        }
#pragma warning disable CA1031 // The edge of the read loop: whatever a guest made happen here, the calls must hear of it and the server goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            end = new GuestException(GuestException.Protocol, "a frame of the guest could not be taken", e);
        }
        ArrayPool<byte>.Shared.Return(buffer);
        Cut(end);
    }

    private async Task<GuestException> ReadFramesAsync(byte[] buffer)
    {
        var (start, end) = (0, 0);
        while (true)
        {
            while (end - start >= FrameLimits.HeaderBytes)
            {
                if (!FrameHeader.TryRead(buffer.AsSpan(start), out var header))
                    return new GuestException(GuestException.Protocol, "the guest sent a frame that is none");
                if (end - start < FrameLimits.HeaderBytes + header.Length)
                    break;
                if (!TryObey(header, buffer.AsSpan(start + FrameLimits.HeaderBytes, header.Length), out var answer))
                    return new GuestException(GuestException.Protocol, $"the guest broke a rule with a {header.Type} frame");
                if (answer > 0)
                    await SendAsync(_small.AsMemory(0, answer), CancellationToken.None);
                start += FrameLimits.HeaderBytes + header.Length;
            }
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            var read = await _socket.ReceiveAsync(buffer.AsMemory(end), SocketFlags.None);
            if (read == 0)
                return new GuestException(GuestException.Disconnected, "the guest has closed the connection");
            end += read;
        }
    }

    /// <summary>False cuts the connection; <paramref name="answer"/> bytes of <see cref="_small"/> are to be sent back.</summary>
    private bool TryObey(FrameHeader header, ReadOnlySpan<byte> payload, out int answer)
    {
        answer = 0;
        if (!_hello.Task.IsCompleted)
            return header is { Type: FrameType.Hello, Stream: 0 } && TryGreet(payload);
        switch (header.Type)
        {
            case FrameType.Ping:
                new FrameHeader(header.Length, header.Stream, FrameType.Pong, 0).Write(_small);
                payload.CopyTo(_small.AsSpan(FrameLimits.HeaderBytes));
                answer = FrameLimits.HeaderBytes + header.Length;
                return true;
            case FrameType.Pong:
                return true;
            case FrameType.Data or FrameType.Window or FrameType.End or FrameType.Result or FrameType.Error:
                break;
            default:
                return false;
        }
        GuestCall? call;
        lock (_lock)
        {
            // A call ends with one RESULT or ERROR and the guest sends nothing after it: an unknown id is a lie.
            if (!_calls.TryGetValue(header.Stream, out call))
                return false;
            if (header.Type is FrameType.Result or FrameType.Error)
                _calls.Remove(header.Stream);
        }
        switch (header.Type)
        {
            case FrameType.Data:
                return call.Deliver(header.Channel, payload);
            case FrameType.Window:
                return call.Credit.Grant(BinaryPrimitives.ReadUInt32LittleEndian(payload));
            case FrameType.Result:
                call.Succeed(payload.ToArray());
                return true;
            case FrameType.Error:
                call.Fail(FailureIn(payload));
                return true;
            case FrameType.End when header.Channel == FrameChannel.Body:
                call.EndBody();
                return true;
            default:
                return true;
        }
    }

    private bool TryGreet(ReadOnlySpan<byte> payload)
    {
        try
        {
            var hello = JsonSerializer.Deserialize(payload, GuestJson.Wire.GuestHello);
            if (hello is not { Generation: FrameLimits.Generation, Verbs: { Length: <= MaxVerbs } })
                return false;
            _hello.TrySetResult(hello);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The guest's words, cut to a length that a log and an error body can bear.</summary>
    private static GuestException FailureIn(ReadOnlySpan<byte> payload)
    {
        const int longest = 2048;
        try
        {
            var error = JsonSerializer.Deserialize(payload, GuestJson.Wire.GuestError);
            var message = error?.Message ?? "";
            return new GuestException(
                GuestErrors.Known(error?.Code),
                message.Length <= longest ? message : string.Concat(message.AsSpan(0, longest), "…"));
        }
        catch (JsonException e)
        {
            return new GuestException(GuestErrorCode.Failed, "the guest's error cannot be read: " + Encoding.UTF8.GetString(payload[..Math.Min(payload.Length, 64)]), e);
        }
    }

    private void Cut(GuestException why)
    {
        GuestCall[] open;
        lock (_lock)
        {
            if (_cut is not null)
                return;
            Volatile.Write(ref _cut, why);
            open = [.. _calls.Values];
            _calls.Clear();
        }
        _socket.Dispose();
        _hello.TrySetException(why);
        _ = _hello.Task.Exception;
        foreach (var call in open)
            call.Fail(new GuestException(why.Code, why.Message, why));
    }
}
