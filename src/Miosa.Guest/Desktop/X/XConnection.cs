using System.Buffers.Binary;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.X;

/// <summary>
/// A connection to an X server over its unix socket: requests are collected and sent together, replies are waited for with a deadline, events
/// that come meanwhile are kept for later. Used by one thread. The server runs programs' requests and passes their events on, so what it sends is
/// bounded here: a reply's length, and how many events are kept.
/// </summary>
internal sealed unsafe class XConnection : IDisposable
{
    public const int PacketBytes = 32;

    private const int ReplyTimeoutMs = 5000;
    private const int MaxReplyBytes = 8 << 20;
    private const int MaxEvents = 4096;
    private const int FlushAt = 48 * 1024;
    private const int KeptErrors = 16;

    private const byte ErrorPacket = 0;
    private const byte ReplyPacket = 1;
    private const byte GenericEvent = 35;

    private readonly int _socket;
    private readonly byte[] _input = new byte[64 * 1024];
    private readonly Queue<byte[]> _events = new();
    private readonly Queue<(ushort Sequence, byte[] Packet)> _errors = new();
    private readonly Dictionary<string, uint> _atoms = [];
    private byte[] _output = new byte[64 * 1024];
    private int _outputCount;
    private int _requestStart;
    private int _inputStart;
    private int _inputEnd;
    private ushort _sequence;
    private uint _idBase;
    private uint _idMask;
    private uint _nextId;

    private XConnection(int socket) => _socket = socket;

    public int Socket => _socket;
    public uint Root { get; private set; }
    public uint RootVisual { get; private set; }
    public byte RootDepth { get; private set; }
    public int Width { get; set; }
    public int Height { get; set; }
    public byte FirstKeycode { get; private set; }
    public byte LastKeycode { get; private set; }

    /// <summary>More events came than were kept: what they told has to be looked up anew. Reset by who did.</summary>
    public bool HasLostEvents { get; set; }

    public bool HasEvents => _events.Count > 0 || _inputEnd > _inputStart;

    /// <summary>Null when nobody listens at the path.</summary>
    public static XConnection? TryOpen(string path)
    {
        var socket = Libc.ConnectUnix(Encoding.UTF8.GetBytes(path), isNonBlocking: false);
        if (socket < 0)
            return null;
        var connection = new XConnection(socket);
        try
        {
            connection.SetUp();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public void Dispose() => Libc.Close(_socket);

    /// <summary>An id for a new resource.</summary>
    public uint NewId() => _idBase | (++_nextId & _idMask);

    // Requests: Begin, then the fields in their order, then End.

    public XConnection Begin(byte opcode, byte detail = 0)
    {
        if (_outputCount >= FlushAt)
            Flush();
        _requestStart = _outputCount;
        Room(4);
        _output[_outputCount] = opcode;
        _output[_outputCount + 1] = detail;
        _outputCount += 4;
        return this;
    }

    public XConnection Byte(int value)
    {
        Room(1);
        _output[_outputCount++] = (byte)value;
        return this;
    }

    public XConnection Short(int value)
    {
        Room(2);
        BinaryPrimitives.WriteUInt16LittleEndian(_output.AsSpan(_outputCount), (ushort)value);
        _outputCount += 2;
        return this;
    }

    public XConnection Int(uint value)
    {
        Room(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_output.AsSpan(_outputCount), value);
        _outputCount += 4;
        return this;
    }

    public XConnection Bytes(ReadOnlySpan<byte> bytes)
    {
        Room(bytes.Length);
        bytes.CopyTo(_output.AsSpan(_outputCount));
        _outputCount += bytes.Length;
        return this;
    }

    /// <summary>The number of the request, by which its reply is asked for.</summary>
    public ushort End()
    {
        Room(4);
        while ((_outputCount - _requestStart) % 4 != 0)
            _output[_outputCount++] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(_output.AsSpan(_requestStart + 2), (ushort)((_outputCount - _requestStart) / 4));
        return ++_sequence;
    }

    /// <summary>Sends what has been collected; with <paramref name="descriptor"/> beside the last request.</summary>
    public void Flush(int descriptor = -1)
    {
        var sent = 0;
        fixed (byte* bytes = _output)
        {
            while (sent < _outputCount)
            {
                WaitFor(PollEntry.Out, ReplyTimeoutMs);
                var count = (nuint)(_outputCount - sent);
                var taken = descriptor >= 0 && sent == 0
                    ? Libc.SendWithDescriptor(_socket, bytes, count, descriptor)
                    : Libc.Send(_socket, bytes + sent, count);
                if (taken <= 0)
                    throw new XLostException("the X server is gone: " + Errno.Describe(Libc.LastErrno));
                sent += (int)taken;
            }
        }
        _outputCount = 0;
    }

    /// <summary>The reply of a request; an error of the server is an exception.</summary>
    public byte[] Reply(ushort sequence) => ReplyOrError(sequence, out var error) ?? throw Refused(error!);

    /// <summary>Null when the server refused the request.</summary>
    public byte[]? TryReply(ushort sequence) => ReplyOrError(sequence, out _);

    /// <summary>Returns when the server has carried out everything sent before.</summary>
    public void Sync()
    {
        const byte getInputFocus = 43;
        Begin(getInputFocus);
        Reply(End());
    }

    /// <summary>The same, and throws when the server refused the request of that number.</summary>
    public void SyncChecked(ushort sequence)
    {
        Sync();
        foreach (var (refused, packet) in _errors)
        {
            if (refused == sequence)
                throw Refused(packet);
        }
    }

    /// <summary>The next event, waiting at most so long; null when there is none.</summary>
    public byte[]? NextEvent(int timeoutMs)
    {
        Flush();
        var until = Environment.TickCount64 + timeoutMs;
        while (true)
        {
            if (_events.TryDequeue(out var kept))
                return kept;
            var left = (int)Math.Max(0, until - Environment.TickCount64);
            if (_inputEnd == _inputStart && !TryWaitFor(PollEntry.In, left))
                return null;
            // What has begun to come is read to its end.
            Keep(Packet());
        }
    }

    /// <summary>Keeps an event for later that was taken while another was waited for.</summary>
    public void PutBack(byte[] packet) => Keep(packet);

    public uint Atom(string name)
    {
        const byte internAtom = 16;
        if (_atoms.TryGetValue(name, out var atom))
            return atom;
        var bytes = Encoding.ASCII.GetBytes(name);
        Begin(internAtom).Short(bytes.Length).Short(0).Bytes(bytes);
        return _atoms[name] = U32(Reply(End()), 8);
    }

    /// <summary>The major opcode and first event of an extension; null when the server has no such one.</summary>
    public (byte Opcode, byte FirstEvent)? Extension(string name)
    {
        const byte queryExtension = 98;
        var bytes = Encoding.ASCII.GetBytes(name);
        Begin(queryExtension).Short(bytes.Length).Short(0).Bytes(bytes);
        var reply = Reply(End());
        return reply[8] == 1 ? (reply[9], reply[10]) : null;
    }

    /// <summary>Asks for a property; <see cref="PropertyIn"/> reads the reply.</summary>
    public ushort AskProperty(uint window, uint property, int mostBytes, bool delete = false, int offset = 0)
    {
        const byte getProperty = 20;
        Begin(getProperty, delete ? (byte)1 : (byte)0).Int(window).Int(property).Int(0).Int((uint)offset / 4).Int((uint)(mostBytes + 3) / 4);
        return End();
    }

    /// <summary>The value of a property as the reply has it, whatever the server says of its length; empty without one.</summary>
    public static ReadOnlySpan<byte> PropertyIn(byte[]? reply, out uint type, out int format)
    {
        (type, format) = (0, 0);
        if (reply is null)
            return default;
        format = reply[1];
        type = U32(reply, 8);
        if (format is not (8 or 16 or 32))
            return default;
        var length = (long)U32(reply, 16) * (format / 8);
        return reply.AsSpan(PacketBytes, (int)Math.Min(length, reply.Length - PacketBytes));
    }

    public byte[] Property(uint window, uint property, int mostBytes) =>
        PropertyIn(TryReply(AskProperty(window, property, mostBytes)), out _, out _).ToArray();

    public ushort ChangeProperty(uint window, uint property, uint type, int format, ReadOnlySpan<byte> value)
    {
        const byte changeProperty = 18;
        Begin(changeProperty).Int(window).Int(property).Int(type).Byte(format).Byte(0).Short(0).Int((uint)(value.Length / (format / 8))).Bytes(value);
        return End();
    }

    public void SelectEvents(uint window, uint mask)
    {
        const byte changeWindowAttributes = 2;
        const uint eventMask = 0x800;
        Begin(changeWindowAttributes).Int(window).Int(eventMask).Int(mask);
        End();
    }

    /// <summary>A message to a window, in the form that window managers read.</summary>
    public void SendMessage(uint to, uint window, uint type, uint mask, ReadOnlySpan<uint> data)
    {
        const byte sendEvent = 25;
        const byte clientMessage = 33;
        Begin(sendEvent).Int(to).Int(mask).Byte(clientMessage).Byte(32).Short(0).Int(window).Int(type);
        for (var i = 0; i < 5; i++)
            Int(i < data.Length ? data[i] : 0);
        End();
    }

    public static uint U32(byte[] packet, int at) => BinaryPrimitives.ReadUInt32LittleEndian(packet.AsSpan(at));

    public static ushort U16(byte[] packet, int at) => BinaryPrimitives.ReadUInt16LittleEndian(packet.AsSpan(at));

    public static short S16(byte[] packet, int at) => BinaryPrimitives.ReadInt16LittleEndian(packet.AsSpan(at));

    private void SetUp()
    {
        const int prefix = 8;
        const int fixedPart = 32;
        const int screenPart = 40;
        ReadOnlySpan<byte> hello = [(byte)'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        hello.CopyTo(_output);
        _outputCount = hello.Length;
        Flush();
        var head = new byte[prefix];
        Read(head);
        var body = new byte[U16(head, 6) * 4];
        Read(body);
        if (head[0] != 1)
            throw new XLostException("the X server refused the connection");
        if (body.Length < fixedPart)
            throw new XLostException("the X server's greeting is too short");
        _idBase = U32(body, 4);
        _idMask = U32(body, 8);
        FirstKeycode = body[26];
        LastKeycode = body[27];
        var screen = fixedPart + ((U16(body, 16) + 3) & ~3) + body[21] * 8;
        if (FirstKeycode < 8 || LastKeycode < FirstKeycode || body.Length < screen + screenPart)
            throw new XLostException("the X server's greeting makes no sense");
        CheckFormat(body, fixedPart + ((U16(body, 16) + 3) & ~3));
        Root = U32(body, screen);
        Width = U16(body, screen + 20);
        Height = U16(body, screen + 22);
        RootVisual = U32(body, screen + 32);
        RootDepth = body[screen + 38];
        if (RootDepth != 24 || body[22] != 0)
            throw new XLostException("the screen is not of 24 bits a pixel in the order blue, green, red");
    }

    /// <summary>Pixels of 24 bits lie in four bytes each.</summary>
    private static void CheckFormat(byte[] body, int formats)
    {
        for (var i = 0; i < body[21] && formats + 8 * i + 8 <= body.Length; i++)
        {
            if (body[formats + 8 * i] == 24 && body[formats + 8 * i + 1] == 32)
                return;
        }
        throw new XLostException("the X server has no pixels of four bytes");
    }

    private byte[]? ReplyOrError(ushort sequence, out byte[]? error)
    {
        error = null;
        Flush();
        var until = Environment.TickCount64 + ReplyTimeoutMs;
        while (true)
        {
            // Events that keep coming must not keep us from noticing that the reply does not.
            if (Environment.TickCount64 > until)
                throw new XLostException("the X server does not answer");
            var packet = Packet();
            var isOurs = U16(packet, 2) == sequence;
            if (packet[0] == ReplyPacket && isOurs)
                return packet;
            if (packet[0] == ErrorPacket && isOurs)
            {
                error = packet;
                return null;
            }
            Keep(packet);
        }
    }

    private static XRefusedException Refused(byte[] error) => new(error[1], error[10], U32(error, 4));

    private void Keep(byte[] packet)
    {
        if (packet[0] == ReplyPacket)
            return;
        if (packet[0] == ErrorPacket)
        {
            _errors.Enqueue((U16(packet, 2), packet));
            if (_errors.Count > KeptErrors)
                _errors.Dequeue();
            return;
        }
        if (_events.Count >= MaxEvents)
        {
            _events.Dequeue();
            HasLostEvents = true;
        }
        _events.Enqueue(packet);
    }

    private byte[] Packet()
    {
        var packet = new byte[PacketBytes];
        Read(packet);
        if (packet[0] != ReplyPacket && (packet[0] & 0x7f) != GenericEvent)
            return packet;
        var more = U32(packet, 4) * 4L;
        if (more > MaxReplyBytes)
            throw new XLostException("the X server sent a reply of " + more + " bytes");
        if (more == 0)
            return packet;
        Array.Resize(ref packet, PacketBytes + (int)more);
        Read(packet.AsSpan(PacketBytes));
        return packet;
    }

    private void Read(Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            if (_inputStart == _inputEnd)
            {
                WaitFor(PollEntry.In, ReplyTimeoutMs);
                nint read;
                fixed (byte* bytes = _input)
                    read = Libc.Read(_socket, bytes, (nuint)_input.Length);
                if (read <= 0)
                    throw new XLostException("the X server is gone");
                (_inputStart, _inputEnd) = (0, (int)read);
            }
            var part = Math.Min(target.Length, _inputEnd - _inputStart);
            _input.AsSpan(_inputStart, part).CopyTo(target);
            _inputStart += part;
            target = target[part..];
        }
    }

    private void WaitFor(short events, int timeoutMs)
    {
        if (!TryWaitFor(events, timeoutMs))
            throw new XLostException("the X server does not answer");
    }

    private bool TryWaitFor(short events, int timeoutMs)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = _socket, Events = events }];
        var until = Environment.TickCount64 + timeoutMs;
        while (true)
        {
            var left = (int)Math.Max(0, until - Environment.TickCount64);
            if (Libc.Poll(polled, left) > 0)
                return true;
            if (left == 0)
                return false;
        }
    }

    private void Room(int bytes)
    {
        if (_outputCount + bytes > _output.Length)
            Array.Resize(ref _output, Math.Max(_output.Length * 2, _outputCount + bytes + 1024));
    }
}
