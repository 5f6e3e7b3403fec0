using Miosa.Guest.Linux;

namespace Miosa.Guest.Wire;

/// <summary>
/// One verb in progress. The connection's reader feeds it (Deliver, Grant, EndInbound, Cancel), one verb thread uses it (the rest).
/// </summary>
internal sealed unsafe class GuestStream(Connection connection, uint id)
{
    /// <summary>Credit is given back in pieces of at least this, so that a stream of small writes does not cost a frame each.</summary>
    private const int GrantStep = FrameLimits.Window / 4;

    private readonly Lock _lock = new();
    private readonly ByteRing _inbound = new();
    private readonly ManualEvent _changed = new();
    private long _credit = FrameLimits.Window;
    private int _ungranted;
    private bool _inboundEnded;
    private bool _closed;
    private volatile bool _cancelled;
    private int _wakeFd = -1;

    public uint Id => id;
    public Connection Connection => connection;
    public bool IsCancelled => _cancelled;

    /// <summary>False when the peer broke the rules of the window.</summary>
    public bool Deliver(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_closed)
                return true;
            if (_inboundEnded || bytes.Length > FrameLimits.Window - _inbound.Count - _ungranted || !_inbound.TryAdd(bytes))
                return false;
        }
        Wake();
        return true;
    }

    public bool Grant(uint bytes)
    {
        lock (_lock)
        {
            _credit += bytes;
            if (_credit > FrameLimits.MaxCredit)
                return false;
        }
        Wake();
        return true;
    }

    public void EndInbound()
    {
        lock (_lock)
            _inboundEnded = true;
        Wake();
    }

    public void Cancel()
    {
        _cancelled = true;
        Wake();
    }

    /// <summary>From now on changes also signal this eventfd; -1 stops it.</summary>
    public void WakeBy(int eventFd)
    {
        lock (_lock)
            _wakeFd = eventFd;
    }

    /// <summary>The bytes at hand, without waiting; <paramref name="ended"/> when these are the last.</summary>
    public ReadOnlySpan<byte> Peek(out bool ended)
    {
        lock (_lock)
        {
            var first = _inbound.First;
            ended = _inboundEnded && first.Length == _inbound.Count;
            return first;
        }
    }

    /// <summary>Waits for bytes; empty at the end of the body.</summary>
    public ReadOnlySpan<byte> WaitForBytes()
    {
        while (true)
        {
            _changed.Reset();
            if (_cancelled)
                throw new StreamCancelledException();
            var bytes = Peek(out var ended);
            if (!bytes.IsEmpty || ended)
                return bytes;
            _changed.Wait();
        }
    }

    /// <summary>Gives the first bytes back as used, and the host credit for them.</summary>
    public void Consume(int count)
    {
        int grant;
        lock (_lock)
        {
            _inbound.Drop(count);
            _ungranted += count;
            if (_ungranted < GrantStep || _inboundEnded)
                return;
            grant = _ungranted;
            _ungranted = 0;
        }
        connection.SendWindow(id, (uint)grant);
    }

    /// <summary>How much of <paramref name="wanted"/> may be sent now; that much credit is taken.</summary>
    public int TakeCredit(int wanted)
    {
        lock (_lock)
        {
            var taken = (int)Math.Min(_credit, wanted);
            _credit -= taken;
            return taken;
        }
    }

    public bool HasCredit
    {
        get
        {
            lock (_lock)
                return _credit > 0;
        }
    }

    public void ReturnCredit(int bytes)
    {
        lock (_lock)
            _credit += bytes;
    }

    /// <summary>Waits until something may be sent, and takes credit for at most <paramref name="wanted"/>.</summary>
    public int WaitForCredit(int wanted)
    {
        while (true)
        {
            _changed.Reset();
            if (_cancelled)
                throw new StreamCancelledException();
            var taken = TakeCredit(wanted);
            if (taken > 0)
                return taken;
            _changed.Wait();
        }
    }

    /// <summary>Sends what lies behind the header of <paramref name="buffer"/>; the credit has been taken.</summary>
    public void Send(byte channel, FrameBuffer buffer, int length)
    {
        new FrameHeader(length, id, FrameType.Data, channel).Write(new Span<byte>(buffer.Frame, FrameLimits.HeaderBytes));
        connection.Send(buffer.Frame, FrameLimits.HeaderBytes + length);
    }

    /// <summary>Sends bytes of any length as DATA, waiting for credit.</summary>
    public void Send(byte channel, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var part = WaitForCredit(Math.Min(bytes.Length, FrameLimits.MaxPayload));
            connection.Send(FrameType.Data, id, channel, bytes[..part]);
            bytes = bytes[part..];
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            _inbound.Free();
        }
    }

    private void Wake()
    {
        _changed.Set();
        lock (_lock)
        {
            if (_wakeFd >= 0)
                Libc.Signal(_wakeFd);
        }
    }
}
