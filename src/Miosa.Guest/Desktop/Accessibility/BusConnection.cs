using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Accessibility;

/// <summary>An answer; <see cref="Error"/> names what went wrong instead.</summary>
internal sealed record BusReply(byte[] Message, int BodyAt, string Signature, string? Error)
{
    public BusReader Read() => new(Message, BodyAt);
}

/// <summary>
/// A connection to a D-Bus: calls are sent in any number and their answers awaited later, in any order. One thread uses it.
///   1  connect; the nul byte and AUTH EXTERNAL with our uid, which the bus checks against the kernel's word; BEGIN
///   2  Hello gives us a name
///   3  calls and answers; signals and calls to us are dropped
/// Nothing waits longer than its deadline, and no message is kept that is larger than <see cref="MaxMessage"/>.
/// </summary>
internal sealed unsafe class BusConnection : IDisposable
{
    public const string Bus = "org.freedesktop.DBus";

    private const int MaxMessage = 8 << 20;

    /// <summary>Of answers that wait to be taken: a call is sent to all applications at once.</summary>
    private const int MaxKept = 24 << 20;

    private const int MaxLine = 512;
    private const int FixedHeader = 16;
    private const byte MethodCall = 1;
    private const byte MethodReturn = 2;
    private const byte ErrorReply = 3;

    private readonly int _socket;
    private readonly BusWriter _out = new();
    private readonly BusWriter _body = new();
    private readonly Dictionary<uint, string> _pending = [];
    private readonly Dictionary<uint, BusReply> _answers = [];
    private byte[] _in = new byte[64 << 10];
    private int _inStart;
    private int _inEnd;
    private long _toDrop;
    private long _kept;
    private uint _lastSerial;

    private BusConnection(int socket) => _socket = socket;

    /// <param name="address">As DBUS_SESSION_BUS_ADDRESS has it; the first path of a socket in it is taken.</param>
    /// <param name="deadline">In <see cref="Environment.TickCount64"/>.</param>
    public static BusConnection Open(string address, uint uid, long deadline)
    {
        var socket = Libc.ConnectUnix(PathOf(address), isNonBlocking: true);
        if (socket < 0)
            throw new BusException("cannot connect to the bus at " + address + ": " + Errno.Describe(Libc.LastErrno));
        var bus = new BusConnection(socket);
        try
        {
            var id = Convert.ToHexString(Encoding.ASCII.GetBytes(uid.ToString(CultureInfo.InvariantCulture)));
            bus._out.Bytes(Encoding.ASCII.GetBytes("\0AUTH EXTERNAL " + id + "\r\n"));
            if (!bus.TryFlush(deadline))
                throw new BusException("the bus does not listen");
            var line = bus.ReadLine(deadline);
            if (!line.StartsWith("OK ", StringComparison.Ordinal))
                throw new BusException("the bus refuses uid " + uid.ToString(CultureInfo.InvariantCulture) + ": " + line);
            bus._out.Bytes("BEGIN\r\n"u8);
            if (bus.Call(Bus, "/org/freedesktop/DBus", Bus, "Hello", deadline) is not { Error: null })
                throw new BusException("the bus did not answer Hello");
            return bus;
        }
        catch
        {
            bus.Dispose();
            throw;
        }
    }

    /// <summary>Takes a call into the buffer and gives its serial; <see cref="Wait"/> sends it.</summary>
    public uint Send(string destination, string path, string iface, string member, string signature = "", Action<BusWriter>? arguments = null)
    {
        _body.Clear();
        arguments?.Invoke(_body);
        // Headers are aligned from the start of a message, which the buffer's end need not be.
        var header = new BusWriter();
        header.Byte((byte)'l');
        header.Byte(MethodCall);
        header.Byte(0);
        header.Byte(1);
        header.UInt32((uint)_body.Length);
        header.UInt32(++_lastSerial);
        header.UInt32(0);
        Field(header, 1, "o", path);
        Field(header, 2, "s", iface);
        Field(header, 3, "s", member);
        Field(header, 6, "s", destination);
        if (signature.Length > 0)
        {
            header.Align(8);
            header.Byte(8);
            header.Signature("g");
            header.Signature(signature);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(header.Written[12..], (uint)(header.Length - FixedHeader));
        header.Align(8);
        _out.Bytes(header.Written);
        _out.Bytes(_body.Written);
        _pending[_lastSerial] = destination;
        return _lastSerial;
    }

    /// <summary>The answer; null when the deadline passed. An answer that comes later is dropped.</summary>
    public BusReply? Wait(uint serial, long deadline)
    {
        if (!TryFlush(deadline))
        {
            Forget(serial);
            return null;
        }
        while (true)
        {
            if (_answers.Remove(serial, out var answer))
            {
                _kept -= answer.Message.Length;
                return answer;
            }
            if (!_pending.ContainsKey(serial))
                return null;
            while (TakeMessage())
            {
            }
            if (_answers.ContainsKey(serial))
                continue;
            if (!Await(PollEntry.In, deadline))
            {
                _pending.Remove(serial);
                return null;
            }
            Fill();
        }
    }

    public BusReply? Call(string destination, string path, string iface, string member, long deadline, string signature = "", Action<BusWriter>? arguments = null) =>
        Wait(Send(destination, path, iface, member, signature, arguments), deadline);

    /// <summary>Nobody waits for this one any more.</summary>
    public void Forget(uint serial)
    {
        _pending.Remove(serial);
        if (_answers.Remove(serial, out var answer))
            _kept -= answer.Message.Length;
    }

    public void Dispose() => Libc.Close(_socket);

    private static void Field(BusWriter header, byte code, string type, string value)
    {
        header.Align(8);
        header.Byte(code);
        header.Signature(type);
        header.Text(value);
    }

    private static byte[] PathOf(string addresses)
    {
        foreach (var address in addresses.Split(';'))
        {
            if (!address.StartsWith("unix:", StringComparison.Ordinal))
                continue;
            foreach (var pair in address[5..].Split(','))
            {
                if (pair.StartsWith("path=", StringComparison.Ordinal))
                    return Encoding.UTF8.GetBytes(Uri.UnescapeDataString(pair[5..]));
            }
        }
        throw new BusException("the address of the bus is no path of a socket: " + addresses);
    }

    /// <summary>False when the bus has not taken all until the deadline; the rest goes first the next time.</summary>
    private bool TryFlush(long deadline)
    {
        var sent = 0;
        fixed (byte* first = _out.Written)
        {
            while (sent < _out.Length)
            {
                var count = Libc.Send(_socket, first + sent, (nuint)(_out.Length - sent));
                if (count >= 0)
                {
                    sent += (int)count;
                    continue;
                }
                if (Libc.LastErrno != Errno.EAGAIN)
                    throw new BusException("the bus is gone: " + Errno.Describe(Libc.LastErrno));
                // The bus may not read on before we do.
                if (!Await(PollEntry.In | PollEntry.Out, deadline))
                    break;
                if (Fill())
                {
                    while (TakeMessage())
                    {
                    }
                }
            }
        }
        _out.DropFirst(sent);
        return _out.Length == 0;
    }

    private string ReadLine(long deadline)
    {
        while (true)
        {
            var end = _in.AsSpan(_inStart, _inEnd - _inStart).IndexOf("\r\n"u8);
            if (end >= 0)
            {
                var line = Encoding.ASCII.GetString(_in, _inStart, end);
                _inStart += end + 2;
                return line;
            }
            if (_inEnd - _inStart > MaxLine)
                throw new BusException("the bus does not speak D-Bus");
            if (!Await(PollEntry.In, deadline))
                throw new BusException("the bus does not answer");
            Fill();
        }
    }

    private bool Await(short events, long deadline)
    {
        while (true)
        {
            var left = deadline - Environment.TickCount64;
            if (left <= 0)
                return false;
            Span<PollEntry> entries = [new PollEntry { Fd = _socket, Events = events }];
            if (Libc.Poll(entries, (int)Math.Min(left, 1000)) > 0)
                return true;
        }
    }

    /// <summary>Reads what is there; false when that is nothing.</summary>
    private bool Fill()
    {
        if (_inStart == _inEnd)
            _inStart = _inEnd = 0;
        if (_inEnd == _in.Length && _inStart > 0)
        {
            _in.AsSpan(_inStart, _inEnd - _inStart).CopyTo(_in);
            (_inStart, _inEnd) = (0, _inEnd - _inStart);
        }
        if (_inEnd == _in.Length)
            Array.Resize(ref _in, Math.Min(_in.Length * 2, MaxMessage + FixedHeader));
        nint read;
        fixed (byte* at = &_in[_inEnd])
            read = Libc.Read(_socket, at, (nuint)(_in.Length - _inEnd));
        if (read > 0)
        {
            _inEnd += (int)read;
            return true;
        }
        if (read < 0 && Libc.LastErrno == Errno.EAGAIN)
            return false;
        throw new BusException("the bus is gone");
    }

    /// <summary>Takes one whole message out of the buffer; false when there is none yet.</summary>
    private bool TakeMessage()
    {
        if (_toDrop > 0)
        {
            var drop = (int)Math.Min(_toDrop, _inEnd - _inStart);
            _inStart += drop;
            _toDrop -= drop;
            if (_toDrop > 0)
                return false;
        }
        var waiting = _in.AsSpan(_inStart, _inEnd - _inStart);
        if (waiting.Length < FixedHeader)
            return false;
        // The bus itself has checked that a message is well formed; one that is not means that this is no bus.
        if (waiting[0] != (byte)'l' && waiting[0] != (byte)'B')
            throw new BusException("the bus does not speak D-Bus");
        var isLittle = waiting[0] == (byte)'l';
        var fields = (long)ReadUInt32(waiting[12..], isLittle);
        var length = ((FixedHeader + fields + 7) / 8 * 8) + ReadUInt32(waiting[4..], isLittle);
        if (length > MaxMessage || length + _kept > MaxKept)
        {
            // Dropped as it comes; whoever waits for it waits until the deadline.
            _toDrop = length;
            return TakeMessage();
        }
        if (waiting.Length < length)
            return false;
        var type = waiting[1];
        if (_pending.Count > 0 && isLittle && type is (MethodReturn or ErrorReply))
            Answer(waiting[..(int)length].ToArray(), (int)fields, type);
        _inStart += (int)length;
        return true;
    }

    private static uint ReadUInt32(ReadOnlySpan<byte> bytes, bool isLittle) =>
        isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);

    private void Answer(byte[] message, int fields, byte type)
    {
        uint serial = 0;
        string signature = "", error = "", sender = "";
        try
        {
            var reader = new BusReader(message, FixedHeader);
            while (reader.Position < FixedHeader + fields)
            {
                reader.Align(8);
                var code = reader.Byte();
                var kind = reader.Signature();
                switch (code, kind)
                {
                    case (4, "s"):
                        error = reader.Text();
                        break;
                    case (5, "u"):
                        serial = reader.UInt32();
                        break;
                    case (7, "s"):
                        sender = reader.Text();
                        break;
                    case (8, "g"):
                        signature = reader.Signature();
                        break;
                    default:
                        var at = 0;
                        reader.Skip(kind, ref at);
                        break;
                }
            }
        }
        catch (BusException)
        {
            return;
        }
        // Only who was asked may answer; behind a well-known name there is a unique one that we do not know.
        if (!_pending.TryGetValue(serial, out var asked) || (asked[0] == ':' && asked != sender))
            return;
        _pending.Remove(serial);
        _kept += message.Length;
        _answers[serial] = new BusReply(message, (FixedHeader + fields + 7) / 8 * 8, signature, type == ErrorReply ? error : null);
    }
}
