using System.Buffers.Binary;
using System.Text.Json;
using Miosa.Guest.Commands;
using Miosa.Guest.Linux;
using Miosa.Guest.Verbs;

namespace Miosa.Guest.Wire;

/// <summary>
/// One host connection: a reader thread that obeys frames, and streams whose threads send. A frame that breaks a rule ends this connection
/// and nothing else. The socket is closed only after the last stream has ended, so a descriptor number is never written to by mistake.
/// </summary>
internal sealed unsafe class Connection(int socket, LeftoverPipes leftovers)
{
    /// <summary>A host that takes no byte for so long is gone; a frozen one gets the time to come back.</summary>
    private const int SendTimeoutSeconds = 60;

    private const int ReadBytes = 2 * FrameLimits.MaxFrame;

    private readonly Lock _sending = new();
    private readonly Lock _lock = new();
    private readonly ManualEvent _streamEnded = new();
    private readonly Dictionary<uint, GuestStream> _streams = [];
    private uint _lastStream;
    private volatile bool _lost;

    public int Socket => socket;
    public LeftoverPipes Leftovers => leftovers;

    public void Serve()
    {
        try
        {
            Libc.SetSendTimeout(socket, SendTimeoutSeconds);
            Send(FrameType.Hello, 0, 0, VerbTable.Hello);
            // While the host writes down that the machine is ready: its first command finds the environment made, or at least begun.
            LoginEnvironment.PrepareOnce();
            ReadFrames();
        }
#pragma warning disable CA1031 // The edge of a thread: whatever one connection did, the machine and the others go on.
        catch (Exception)
#pragma warning restore CA1031
        {
            // Nothing to tell and nobody to tell it to: the end of the connection is the message.
        }
        End();
    }

    public void Send(FrameType type, uint stream, byte channel, ReadOnlySpan<byte> payload)
    {
        const int small = 2048;
        if (payload.Length <= small)
        {
            var frame = stackalloc byte[FrameLimits.HeaderBytes + small];
            Compose(frame, type, stream, channel, payload);
            Send(frame, FrameLimits.HeaderBytes + payload.Length);
            return;
        }
        using var buffer = new FrameBuffer();
        Compose(buffer.Frame, type, stream, channel, payload);
        Send(buffer.Frame, FrameLimits.HeaderBytes + payload.Length);
    }

    public void SendWindow(uint stream, uint bytes)
    {
        Span<byte> payload = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, bytes);
        Send(FrameType.Window, stream, 0, payload);
    }

    /// <summary>A whole frame, or the connection is lost: half a frame would make the next one unreadable.</summary>
    public void Send(byte* frame, int length)
    {
        lock (_sending)
        {
            while (length > 0 && !_lost)
            {
                var sent = Libc.Send(socket, frame, (nuint)length);
                if (sent <= 0)
                    Lose();
                frame += sent;
                length -= (int)sent;
            }
        }
        if (_lost)
            throw new ConnectionLostException();
    }

    /// <summary>The stream is over; its verb has sent RESULT or ERROR or can send nothing any more.</summary>
    public void Remove(GuestStream stream)
    {
        lock (_lock)
            _streams.Remove(stream.Id);
        stream.Close();
        _streamEnded.Set();
    }

    private static void Compose(byte* frame, FrameType type, uint stream, byte channel, ReadOnlySpan<byte> payload)
    {
        new FrameHeader(payload.Length, stream, type, channel).Write(new Span<byte>(frame, FrameLimits.HeaderBytes));
        payload.CopyTo(new Span<byte>(frame + FrameLimits.HeaderBytes, payload.Length));
    }

    private void ReadFrames()
    {
        var buffer = Libc.Map(ReadBytes);
        try
        {
            var (start, end) = (0, 0);
            while (true)
            {
                while (end - start >= FrameLimits.HeaderBytes)
                {
                    if (!FrameHeader.TryRead(new ReadOnlySpan<byte>(buffer + start, FrameLimits.HeaderBytes), out var header))
                        return;
                    if (end - start < FrameLimits.HeaderBytes + header.Length)
                        break;
                    if (!Obey(header, new ReadOnlySpan<byte>(buffer + start + FrameLimits.HeaderBytes, header.Length)))
                        return;
                    start += FrameLimits.HeaderBytes + header.Length;
                }
                if (start > 0)
                    new ReadOnlySpan<byte>(buffer + start, end - start).CopyTo(new Span<byte>(buffer, ReadBytes));
                (start, end) = (0, end - start);
                var read = Libc.Read(socket, buffer + end, (nuint)(ReadBytes - end));
                if (read <= 0)
                    return;
                end += (int)read;
            }
        }
        finally
        {
            Libc.Unmap(buffer, ReadBytes);
        }
    }

    /// <summary>False ends the connection.</summary>
    private bool Obey(FrameHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Type == FrameType.Open)
            return Open(header.Stream, payload);
        if (header.Type == FrameType.Ping)
        {
            Send(FrameType.Pong, header.Stream, 0, payload);
            return true;
        }
        if (header.Stream == 0 || header.Stream > _lastStream)
            return false;
        GuestStream? stream;
        lock (_lock)
            _streams.TryGetValue(header.Stream, out stream);
        // A frame for a stream that is over was under way when the end was: dropped, but only if a host may send it at all.
        switch (header.Type)
        {
            case FrameType.Data:
                return header.Channel == FrameChannel.Body && (stream is null || stream.Deliver(payload));
            case FrameType.Window:
                return stream is null || stream.Grant(BinaryPrimitives.ReadUInt32LittleEndian(payload));
            case FrameType.End:
                stream?.EndInbound();
                return header.Channel == FrameChannel.Body;
            case FrameType.Cancel:
                stream?.Cancel();
                return true;
            default:
                return false;
        }
    }

    private bool Open(uint id, ReadOnlySpan<byte> payload)
    {
        if (id % 2 == 0 || id <= _lastStream)
            return false;
        _lastStream = id;
        var stream = new GuestStream(this, id);
        lock (_lock)
        {
            if (_streams.Count < FrameLimits.MaxStreams)
                _streams.Add(id, stream);
            else
                stream = null;
        }
        if (stream is null)
            Refuse(id, "too many streams on this connection");
        else if (!Workers.TryRun(stream, payload.ToArray()))
        {
            Remove(stream);
            Refuse(id, "no thread to be had: the machine is at its process limit");
        }
        return true;
    }

    private void Refuse(uint id, string message) => Send(
        FrameType.Error, id, 0,
        JsonSerializer.SerializeToUtf8Bytes(new GuestError { Code = GuestErrorCode.Busy, Message = message }, GuestJson.Wire.GuestError));

    /// <summary>Ends it; whoever serves it sees the end.</summary>
    public void Lose()
    {
        _lost = true;
        Libc.Shutdown(socket);
    }

    private void End()
    {
        Lose();
        while (true)
        {
            _streamEnded.Reset();
            lock (_lock)
            {
                if (_streams.Count == 0)
                    break;
                foreach (var stream in _streams.Values)
                    stream.Cancel();
            }
            _streamEnded.Wait();
        }
        Libc.Close(socket);
    }
}
