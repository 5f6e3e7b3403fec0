using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Ports;

/// <summary>
/// One TCP connection inside the machine, joined to a stream of the host: bytes and the end of each direction go both ways, no faster than the
/// slower side takes them. Used by the relay's thread alone.
/// <list type="number">
/// <item>connect to 127.0.0.1, else to ::1, else to the address that the port listens on;</item>
/// <item>tell the host, on channel 3, that the connection stands;</item>
/// <item>bytes, END when the server has ended its side, and the end of the body becomes a half-closed socket;</item>
/// <item>RESULT when both directions are over, ERROR when the server broke off.</item>
/// </list>
/// </summary>
internal sealed unsafe class RelayedConnection(GuestStream stream, int port)
{
    /// <summary>How many poll entries a connection takes: its socket, and the host's when that is full.</summary>
    public const int Entries = 2;

    private static readonly byte[][] s_loopback = [[127, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]];

    private readonly Queue<byte[]> _candidates = new(s_loopback);
    private readonly string? _unixPath;
    private byte[] _address = [];
    private int _socket = -1;
    private bool _hasLookedUp;
    private bool _isConnected;
    private bool _hostIsFull;
    private bool _isReadToEnd;
    private bool _isWrittenToEnd;
    private long _bytesIn;
    private long _bytesOut;

    /// <summary>Joined to a unix socket instead; its path is what the host is told.</summary>
    public RelayedConnection(GuestStream stream, string unixPath)
        : this(stream, 0) => _unixPath = unixPath;

    public void WakeBy(int eventFd) => stream.WakeBy(eventFd);

    public void Want(Span<PollEntry> polled)
    {
        var wantsRead = _isConnected && !_isReadToEnd && !_hostIsFull && stream.HasCredit;
        var wantsWrite = (_socket >= 0 && !_isConnected) || (_isConnected && !_isWrittenToEnd && !stream.Peek(out _).IsEmpty);
        var events = (short)((wantsRead ? PollEntry.In : 0) | (wantsWrite ? PollEntry.Out : 0));
        // A closed socket reports so whether asked or not; without anything to do about it that would be a busy loop.
        polled[0] = new PollEntry { Fd = events == 0 ? -1 : _socket, Events = events };
        polled[1] = new PollEntry { Fd = _hostIsFull ? stream.Connection.Socket : -1, Events = PollEntry.Out };
    }

    /// <summary>False when the connection is over and the host has been told.</summary>
    public bool TryGoOn(ReadOnlySpan<PollEntry> polled, FrameBuffer buffer)
    {
        try
        {
            if (polled[1].Revents != 0)
                _hostIsFull = false;
            var end = Step(polled[0].Revents, buffer);
            if (end is not { } how)
                return true;
            Close();
            StreamRun.End(stream, how.Type, how.Payload);
            return false;
        }
        catch (ConnectionLostException)
        {
            Close();
            stream.Connection.Remove(stream);
            return false;
        }
    }

    private (FrameType Type, byte[] Payload)? Step(short revents, FrameBuffer buffer)
    {
        if (stream.IsCancelled)
        {
            // What the host sent before it gave up may be a goodbye.
            if (_isConnected)
                Write();
            return StreamRun.Failure(GuestErrorCode.Failed, "cancelled");
        }
        if (!_isConnected)
            return Connect(revents);
        if (revents != 0 && !_isReadToEnd && Read(buffer) is { } failure)
            return failure;
        Write();
        if (!_isReadToEnd || !_isWrittenToEnd)
            return null;
        return (FrameType.Result, JsonSerializer.SerializeToUtf8Bytes(
            new PortConnectReply { BytesIn = _bytesIn, BytesOut = _bytesOut }, GuestJson.Wire.PortConnectReply));
    }

    private (FrameType Type, byte[] Payload)? Connect(short revents)
    {
        if (_socket >= 0)
        {
            if (revents == 0)
                return null;
            if (Libc.SocketError(_socket) is var errno and not 0)
                return ConnectToNext(errno);
            Welcome();
            return null;
        }
        return _unixPath is { } path ? ConnectToUnix(path) : ConnectToNext(Errno.ECONNREFUSED);
    }

    private (FrameType Type, byte[] Payload)? ConnectToNext(int lastErrno)
    {
        Close();
        while (TryCandidate())
        {
            _socket = Libc.TcpSocket(isV6: _address.Length == 16);
            if (_socket < 0)
            {
                lastErrno = Libc.LastErrno;
                // A machine without IPv6 has no such sockets, which says nothing about the port.
                if (lastErrno == Errno.EAFNOSUPPORT)
                    continue;
                return StreamRun.Failure(GuestFailure.CodeOf(lastErrno), "socket: " + Errno.Describe(lastErrno));
            }
            if (Libc.Connect(_socket, _address, port) == 0)
            {
                Welcome();
                return null;
            }
            if (Libc.LastErrno == Errno.EINPROGRESS)
                return null;
            lastErrno = Libc.LastErrno;
            Close();
        }
        return StreamRun.Failure(GuestErrorCode.NotFound, $"nothing listens on port {port}: {Errno.Describe(lastErrno)}");
    }

    /// <summary>Such a socket is connected at once, or not at all.</summary>
    private (FrameType Type, byte[] Payload)? ConnectToUnix(string path)
    {
        _socket = Libc.ConnectUnix(System.Text.Encoding.UTF8.GetBytes(path), isNonBlocking: true);
        if (_socket < 0)
        {
            var errno = Libc.LastErrno;
            return StreamRun.Failure(errno == Errno.EAGAIN ? GuestErrorCode.Busy : GuestErrorCode.NotFound, $"nothing listens on {path}: {Errno.Describe(errno)}");
        }
        Welcome();
        return null;
    }

    private bool TryCandidate()
    {
        if (_candidates.Count == 0 && !_hasLookedUp)
        {
            _hasLookedUp = true;
            foreach (var listener in Listeners.Read())
            {
                // "Any" addresses answered on loopback or not at all.
                if (listener.Port == port && listener.Address.AsSpan().ContainsAnyExcept((byte)0) && !s_loopback.Any(known => known.AsSpan().SequenceEqual(listener.Address)))
                    _candidates.Enqueue(listener.Address);
            }
        }
        if (!_candidates.TryDequeue(out var next))
            return false;
        _address = next;
        return true;
    }

    private void Welcome()
    {
        _isConnected = true;
        var welcome = JsonSerializer.SerializeToUtf8Bytes(new PortConnected { Address = _unixPath ?? new System.Net.IPAddress(_address).ToString() }, GuestJson.Wire.PortConnected);
        // The window is untouched: there is room for it.
        stream.TakeCredit(welcome.Length);
        stream.Connection.Send(FrameType.Data, stream.Id, FrameChannel.Entry, welcome);
    }

    /// <summary>One piece from the server to the host; a failure ends the connection.</summary>
    private (FrameType Type, byte[] Payload)? Read(FrameBuffer buffer)
    {
        Span<PollEntry> host = [new PollEntry { Fd = stream.Connection.Socket, Events = PollEntry.Out }];
        if (Libc.Poll(host, 0) == 0)
        {
            _hostIsFull = true;
            return null;
        }
        var room = stream.TakeCredit(FrameLimits.MaxPayload);
        if (room == 0)
            return null;
        var read = Libc.Read(_socket, buffer.Payload, (nuint)room);
        var errno = read < 0 ? Libc.LastErrno : 0;
        stream.ReturnCredit(room - Math.Max(0, (int)read));
        if (read > 0)
        {
            _bytesOut += read;
            stream.Send(FrameChannel.Body, buffer, (int)read);
        }
        else if (read == 0)
        {
            _isReadToEnd = true;
            stream.Connection.Send(FrameType.End, stream.Id, FrameChannel.Body, []);
        }
        else if (errno != Errno.EAGAIN)
            return StreamRun.Failure(GuestErrorCode.Failed, "the server broke off: " + Errno.Describe(errno));
        return null;
    }

    /// <summary>As much from the host to the server as that takes now.</summary>
    private void Write()
    {
        while (!_isWrittenToEnd)
        {
            var bytes = stream.Peek(out var ended);
            if (bytes.IsEmpty)
            {
                if (ended)
                {
                    _isWrittenToEnd = true;
                    Libc.ShutdownWrite(_socket);
                }
                return;
            }
            nint written;
            fixed (byte* first = bytes)
                written = Libc.Send(_socket, first, (nuint)bytes.Length);
            if (written < 0 && Libc.LastErrno == Errno.EAGAIN)
                return;
            if (written < 0)
                // The server reads no more. What it still has to say is read; what the host still sends is taken and forgotten.
                _isWrittenToEnd = true;
            else
                _bytesIn += written;
            stream.Consume(written < 0 ? bytes.Length : (int)written);
        }
        // Taken and forgotten, as said above.
        while (stream.Peek(out _) is { IsEmpty: false } rest)
            stream.Consume(rest.Length);
    }

    private void Close()
    {
        Libc.Close(_socket);
        _socket = -1;
    }
}
