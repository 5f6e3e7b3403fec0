using System.Buffers.Binary;
using System.Text;
using Miosa.Guest.Desktop.X;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>
/// The CLIPBOARD selection, from both sides: as its owner, who hands the text to whoever asks for it, and as one who asks. Long texts go in
/// pieces (INCR), each of which the other side takes in its own time, so both are steps that events drive and nothing waits for a program.
/// </summary>
internal sealed class Clipboard
{
    private const byte PropertyNotify = 28;
    private const byte SelectionClear = 29;
    private const byte SelectionRequest = 30;
    private const byte SelectionNotify = 31;
    private const uint AtomType = 4;
    private const uint StringType = 31;
    private const int PieceBytes = 200_000;
    private const int MaxSends = 16;
    private const int SendTimeoutMs = 10_000;

    private readonly XConnection _x;
    private readonly uint _window;
    private readonly uint _clipboard;
    private readonly uint _utf8;
    private readonly uint _incr;
    private readonly uint _ours;
    private readonly uint _targets;
    private readonly uint[] _textTargets;
    private readonly byte _fixesFirstEvent;
    private readonly List<Sending> _sends = [];
    private byte[]? _text;
    private Reading? _reading;

    public Clipboard(XConnection x)
    {
        const byte createWindow = 1;
        const byte inputOnly = 2;
        const uint eventMask = 0x800;
        const uint propertyChange = 0x0040_0000;
        const byte selectSelectionInput = 2;
        const uint ownerDestroyOrClose = 7;
        _x = x;
        _clipboard = x.Atom("CLIPBOARD");
        _utf8 = x.Atom("UTF8_STRING");
        _incr = x.Atom("INCR");
        _ours = x.Atom("MIOSA_CLIPBOARD");
        _targets = x.Atom("TARGETS");
        _textTargets = [_utf8, x.Atom("text/plain;charset=utf-8"), x.Atom("text/plain"), x.Atom("TEXT"), StringType];
        _window = x.NewId();
        x.Begin(createWindow).Int(_window).Int(x.Root).Short(-10).Short(-10).Short(1).Short(1).Short(0).Short(inputOnly).Int(0).Int(eventMask).Int(propertyChange);
        x.End();
        if (x.Extension("XFIXES") is { } fixes)
        {
            x.Begin(fixes.Opcode, selectSelectionInput).Int(x.Root).Int(_clipboard).Int(ownerDestroyOrClose);
            x.End();
            _fixesFirstEvent = fixes.FirstEvent;
        }
        x.Sync();
    }

    /// <summary>Somebody has put something there; its size may be unknown until it has been read.</summary>
    public event Action? Changed;

    public void Set(byte[] text)
    {
        const byte setSelectionOwner = 22;
        _text = text;
        _x.Begin(setSelectionOwner).Int(_window).Int(_clipboard).Int(0);
        _x.End();
        _x.Sync();
    }

    /// <summary>Begins to read what is there; <paramref name="done"/> gets the text, or null when it is none, too long (then true) or does not come.</summary>
    public void Read(Action<byte[]?, bool> done)
    {
        const byte convertSelection = 24;
        if (_text is { } own)
        {
            done(own, false);
            return;
        }
        if (Owner() == 0)
        {
            done([], false);
            return;
        }
        _reading = new Reading(done);
        DeleteOurs();
        _x.Begin(convertSelection).Int(_window).Int(_clipboard).Int(_utf8).Int(_ours).Int(0);
        _x.End();
        _x.Flush();
    }

    /// <summary>Gives up what is being read.</summary>
    public void StopReading() => _reading = null;

    /// <summary>True when the event was one of the clipboard's.</summary>
    public bool Handle(byte[] packet)
    {
        var type = (byte)(packet[0] & 0x7f);
        if (_fixesFirstEvent != 0 && type == _fixesFirstEvent)
        {
            if (XConnection.U32(packet, 12) == _clipboard)
                Changed?.Invoke();
            return true;
        }
        switch (type)
        {
            case SelectionClear when XConnection.U32(packet, 8) == _window:
                _text = null;
                return true;
            case SelectionRequest:
                Answer(packet);
                return true;
            case SelectionNotify:
                Converted(packet);
                return true;
            case PropertyNotify:
                return PropertyChanged(packet);
            default:
                return false;
        }
    }

    /// <summary>Those who have not taken the next piece for a while will not.</summary>
    public void DropStale()
    {
        var now = Environment.TickCount64;
        _sends.RemoveAll(sending => now - sending.SinceMs > SendTimeoutMs);
    }

    private uint Owner()
    {
        const byte getSelectionOwner = 23;
        _x.Begin(getSelectionOwner).Int(_clipboard);
        return XConnection.U32(_x.Reply(_x.End()), 8);
    }

    private void Answer(byte[] request)
    {
        const byte sendEvent = 25;
        var time = XConnection.U32(request, 4);
        var requestor = XConnection.U32(request, 12);
        var selection = XConnection.U32(request, 16);
        var target = XConnection.U32(request, 20);
        // Old programs give no property and mean the target.
        var property = XConnection.U32(request, 24) is var given && given == 0 ? target : given;
        if (_text is not { } text || selection != _clipboard)
            property = 0;
        else if (target == _targets)
            SetNumbers(requestor, property, AtomType, [_targets, .. _textTargets]);
        else if (Array.IndexOf(_textTargets, target) >= 0)
            Give(requestor, property, target, target == StringType ? Latin1(text) : text);
        else
            property = 0;
        _x.Begin(sendEvent).Int(requestor).Int(0)
            .Byte(SelectionNotify).Byte(0).Short(0).Int(time).Int(requestor).Int(selection).Int(target).Int(property).Int(0).Int(0);
        _x.End();
        _x.Flush();
    }

    private void Give(uint requestor, uint property, uint type, byte[] text)
    {
        const uint propertyChange = 0x0040_0000;
        if (text.Length <= PieceBytes)
        {
            _x.ChangeProperty(requestor, property, type, 8, text);
            return;
        }
        _x.SelectEvents(requestor, propertyChange);
        SetNumbers(requestor, property, _incr, [(uint)text.Length]);
        DropStale();
        _sends.RemoveAll(sending => sending.Requestor == requestor && sending.Property == property);
        if (_sends.Count >= MaxSends)
            _sends.RemoveAt(0);
        _sends.Add(new Sending(requestor, property, type, text));
    }

    /// <summary>Text for those who cannot read UTF-8.</summary>
    private static byte[] Latin1(byte[] text) => Encoding.Latin1.GetBytes(Encoding.UTF8.GetString(text));

    private void SetNumbers(uint window, uint property, uint type, ReadOnlySpan<uint> numbers)
    {
        var bytes = new byte[4 * numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), numbers[i]);
        _x.ChangeProperty(window, property, type, 32, bytes);
    }

    private bool PropertyChanged(byte[] packet)
    {
        const byte isDeleted = 1;
        var window = XConnection.U32(packet, 4);
        var property = XConnection.U32(packet, 8);
        if (window == _window)
        {
            if (property != _ours || packet[16] == isDeleted)
                return true;
            if (_reading is { IsInPieces: true })
                TakePiece(_reading);
            else if (_reading is null)
                DeleteOurs(); // The rest of what was given up: some programs serve nobody else before they come to the end of it.
            return true;
        }
        var sending = packet[16] == isDeleted ? _sends.Find(one => one.Requestor == window && one.Property == property) : null;
        if (sending is null)
            return false;
        var piece = Math.Min(PieceBytes, sending.Text.Length - sending.Sent);
        _x.ChangeProperty(window, property, sending.Type, 8, sending.Text.AsSpan(sending.Sent, piece));
        _x.Flush();
        sending.Sent += piece;
        sending.SinceMs = Environment.TickCount64;
        // An empty piece is the end.
        if (piece == 0)
            _sends.Remove(sending);
        return true;
    }

    private void Converted(byte[] packet)
    {
        if (_reading is not { IsInPieces: false } reading || XConnection.U32(packet, 8) != _window || XConnection.U32(packet, 12) != _clipboard)
            return;
        if (XConnection.U32(packet, 20) != _ours)
        {
            // The owner has no text.
            Finish(reading, [], false);
            return;
        }
        var value = Take(out var type, out var isTooLong);
        if (type == _incr)
            reading.IsInPieces = true;
        else
            Finish(reading, isTooLong ? null : value, isTooLong);
    }

    private void TakePiece(Reading reading)
    {
        var piece = Take(out _, out var isTooLong);
        if (isTooLong || reading.Text.Length + piece.Length > DesktopLimits.MaxTextBytes)
        {
            Finish(reading, null, true);
            DeleteOurs();
        }
        else if (piece.Length == 0)
            Finish(reading, reading.Text.ToArray(), false);
        else
            reading.Text.Write(piece);
    }

    private void DeleteOurs()
    {
        const byte deleteProperty = 19;
        _x.Begin(deleteProperty).Int(_window).Int(_ours);
        _x.End();
        _x.Flush();
    }

    private byte[] Take(out uint type, out bool isTooLong)
    {
        // One byte more than there may be tells which it is. Deleting it asks for the next piece, and happens only when all of it was read.
        var reply = _x.TryReply(_x.AskProperty(_window, _ours, DesktopLimits.MaxTextBytes + 4, delete: true));
        var value = XConnection.PropertyIn(reply, out type, out _).ToArray();
        isTooLong = value.Length > DesktopLimits.MaxTextBytes || (reply is not null && XConnection.U32(reply, 12) > 0);
        return value;
    }

    private void Finish(Reading reading, byte[]? text, bool isTooLong)
    {
        _reading = null;
        reading.Done(text, isTooLong);
    }

    private sealed class Reading(Action<byte[]?, bool> done)
    {
        public bool IsInPieces { get; set; }
        public MemoryStream Text { get; } = new();
        public Action<byte[]?, bool> Done { get; } = done;
    }

    private sealed class Sending(uint requestor, uint property, uint type, byte[] text)
    {
        public uint Requestor { get; } = requestor;
        public uint Property { get; } = property;
        public uint Type { get; } = type;
        public byte[] Text { get; } = text;
        public int Sent { get; set; }
        public long SinceMs { get; set; } = Environment.TickCount64;
    }
}
