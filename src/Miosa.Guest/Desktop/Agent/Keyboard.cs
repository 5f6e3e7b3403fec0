using System.Buffers.Binary;
using Miosa.Guest.Desktop.X;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>
/// Types by XTEST. A character that no key has gets one of the spare keycodes:
/// <list type="number">
/// <item>a text's new characters are given theirs in one request, because a window manager works for 60 ms on every change of the keyboard;</item>
/// <item>they stay for the next text, and the ones that were used longest ago make room;</item>
/// <item>before a keycode that was typed with comes to mean something else, the window that has the focus must have read what was typed.</item>
/// </list>
/// </summary>
internal sealed class Keyboard(XConnection x, InputEvents input, WindowList windows, Screen screen)
{
    private const int PingMs = 4000;
    private const int MostSettleMs = 30_000;
    private const int HastySettleMs = 60;
    private const int ChangeMs = 1000;
    private const int PingedChangeMs = 300;
    private const int SteadyMs = 120;
    private const int MostSteadyMs = 2000;
    private const int LookMs = 15;
    private const int LongAgoMs = 5000;
    private const int KeysPerFlush = 256;
    private const int LockModifier = 2;

    /// <summary>Keycodes that browsers act on whatever they mean: back, reload, home, mail and the like.</summary>
    private static readonly byte[] s_denied = [141, 143, 145, 153, 155, 164, 166, 167, 169, 174, 178, 180, 181, 182, 225];

    private readonly Dictionary<uint, (byte Keycode, bool IsShifted)> _fixed = [];
    private readonly Dictionary<uint, LinkedListNode<(uint Keysym, byte Keycode)>> _lent = [];
    private readonly LinkedList<(uint Keysym, byte Keycode)> _byAge = new();
    private readonly List<byte> _spare = [];
    private byte[] _map = [];
    private int _perKey;
    private long _typedAt = -LongAgoMs;
    private ulong _before;
    private long _settleUntil;

    /// <summary>Types characters as <see cref="Keysyms.OfText"/> gives them, one after the other.</summary>
    public void Type(ReadOnlySpan<uint> keysyms)
    {
        _settleUntil = Environment.TickCount64 + MostSettleMs;
        Load();
        var hadLock = ToggleLock();
        while (!keysyms.IsEmpty)
        {
            var count = Lend(keysyms);
            TypeLent(keysyms[..count], hasMore: count < keysyms.Length);
            keysyms = keysyms[count..];
        }
        if (hadLock)
            Tap(Keysyms.CapsLock);
        x.Sync();
    }

    public void Press(uint[] keysyms, bool isDown, bool isUp)
    {
        _settleUntil = Environment.TickCount64 + PingMs;
        Load();
        // All that are needed at once, so that none takes the other's place.
        for (ReadOnlySpan<uint> left = keysyms; !left.IsEmpty;)
            left = left[Lend(left)..];
        var strokes = new List<byte>();
        foreach (var keysym in keysyms)
        {
            var (keycode, isShifted) = Find(keysym);
            if (isShifted && _fixed.TryGetValue(Keysyms.Shift, out var shift) && !strokes.Contains(shift.Keycode))
                strokes.Add(shift.Keycode);
            strokes.Add(keycode);
        }
        if (isDown)
            strokes.ForEach(keycode => input.Key(keycode, isDown: true));
        strokes.Reverse();
        if (isUp)
            strokes.ForEach(keycode => input.Key(keycode, isDown: false));
        _typedAt = Environment.TickCount64;
        x.Sync();
    }

    /// <summary>Lets go of every key and button that is held: whoever held them is gone.</summary>
    public void ReleaseAll()
    {
        const byte queryKeymap = 44;
        x.Begin(queryKeymap);
        var held = x.Reply(x.End());
        for (var keycode = (int)x.FirstKeycode; keycode <= x.LastKeycode && held.Length >= 40; keycode++)
        {
            if ((held[8 + keycode / 8] >> keycode % 8 & 1) != 0)
                input.Key((byte)keycode, isDown: false);
        }
        for (byte button = 1; button <= 3; button++)
            input.Button(button, isDown: false);
        x.Sync();
    }

    /// <summary>Reads the keyboard: others change it too, the VNC server among them.</summary>
    private void Load()
    {
        const byte getKeyboardMapping = 101;
        var keys = x.LastKeycode - x.FirstKeycode + 1;
        x.Begin(getKeyboardMapping).Byte(x.FirstKeycode).Byte(keys).Short(0);
        var reply = x.Reply(x.End());
        _perKey = reply[1];
        if (_perKey == 0 || reply.Length < XConnection.PacketBytes + keys * _perKey * 4)
            throw new XLostException("the X server sent less of a keyboard than it has");
        _map = reply.AsSpan(XConnection.PacketBytes, keys * _perKey * 4).ToArray();
        DropTaken();
        _fixed.Clear();
        _spare.Clear();
        for (var keycode = (int)x.FirstKeycode; keycode <= x.LastKeycode; keycode++)
            Sort((byte)keycode);
    }

    /// <summary>Keycodes of ours that somebody has given another meaning.</summary>
    private void DropTaken()
    {
        for (var node = _byAge.First; node is not null;)
        {
            var next = node.Next;
            if (Meaning(node.Value.Keycode, 0) != node.Value.Keysym)
            {
                _lent.Remove(node.Value.Keysym);
                _byAge.Remove(node);
            }
            node = next;
        }
    }

    private void Sort(byte keycode)
    {
        foreach (var lent in _byAge)
        {
            if (lent.Keycode == keycode)
                return;
        }
        var isSpare = true;
        for (var i = 0; i < _perKey; i++)
            isSpare &= Meaning(keycode, i) is var meaning && (meaning == 0 || Keysyms.IsSpare(meaning));
        if (isSpare && Array.IndexOf(s_denied, keycode) < 0)
        {
            _spare.Add(keycode);
            return;
        }
        for (var i = 0; i < Math.Min(2, _perKey); i++)
        {
            if (Meaning(keycode, i) is var meaning and not 0)
                _fixed.TryAdd(meaning, (keycode, i == 1));
        }
        // A letter of which only the small one is told has its capital on shift.
        if (_perKey >= 2 && Meaning(keycode, 1) == 0 && Meaning(keycode, 0) is var small and >= 'a' and <= 'z')
            _fixed.TryAdd(small - 32, (keycode, true));
    }

    private uint Meaning(byte keycode, int column) =>
        BinaryPrimitives.ReadUInt32LittleEndian(_map.AsSpan(((keycode - x.FirstKeycode) * _perKey + column) * 4));

    /// <summary>Sees to it that as many of the first characters as possible have a key, with one change of the keyboard; how many those are.</summary>
    private int Lend(ReadOnlySpan<uint> keysyms)
    {
        var room = _spare.Count + _byAge.Count;
        // Only the older half makes room at a time: what was typed with a keycode that is taken lies two settled pieces back.
        var mostNew = Math.Max(_spare.Count, Math.Max(1, room / 2));
        var needed = new HashSet<uint>();
        var (count, added) = (0, 0);
        for (; count < keysyms.Length; count++)
        {
            var keysym = keysyms[count];
            if (_fixed.ContainsKey(keysym) || needed.Contains(keysym))
                continue;
            var isNew = !_lent.ContainsKey(keysym);
            if (needed.Count == room || (isNew && added == mostNew))
                break;
            needed.Add(keysym);
            added += isNew ? 1 : 0;
        }
        if (count == 0)
            throw new GuestFailure(GuestErrorCode.Failed, "the keyboard has no spare key for a character that it lacks");
        // Those that are there already become the youngest first: only others may have to make room.
        foreach (var keysym in needed)
        {
            if (_lent.TryGetValue(keysym, out var node))
            {
                _byAge.Remove(node);
                _byAge.AddLast(node);
            }
        }
        var (low, high) = (byte.MaxValue, byte.MinValue);
        var isSettled = false;
        foreach (var keysym in needed)
        {
            if (_lent.ContainsKey(keysym))
                continue;
            byte keycode;
            if (_spare.Count > 0)
            {
                keycode = _spare[^1];
                _spare.RemoveAt(_spare.Count - 1);
            }
            else
            {
                if (!isSettled)
                    Settle();
                isSettled = true;
                var oldest = _byAge.First!; // no spare key is left, so every one of the room is lent
                keycode = oldest.Value.Keycode;
                _lent.Remove(oldest.Value.Keysym);
                _byAge.RemoveFirst();
            }
            Give(keycode, keysym);
            _lent[keysym] = _byAge.AddLast((keysym, keycode));
            (low, high) = (Math.Min(low, keycode), Math.Max(high, keycode));
        }
        if (high != 0)
            Change(low, high);
        return count;
    }

    /// <summary>Both with and without shift: somebody may hold it.</summary>
    private void Give(byte keycode, uint keysym)
    {
        for (var i = 0; i < _perKey; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(_map.AsSpan(((keycode - x.FirstKeycode) * _perKey + i) * 4), i < 2 ? keysym : 0);
    }

    private void Change(byte low, byte high)
    {
        const byte changeKeyboardMapping = 100;
        var keyBytes = _perKey * 4;
        x.Begin(changeKeyboardMapping, (byte)(high - low + 1)).Byte(low).Byte(_perKey).Short(0)
            .Bytes(_map.AsSpan((low - x.FirstKeycode) * keyBytes, (high - low + 1) * keyBytes));
        x.SyncChecked(x.End());
    }

    private (byte Keycode, bool IsShifted) Find(uint keysym) =>
        _fixed.TryGetValue(keysym, out var key) ? key : (_lent[keysym].Value.Keycode, false);

    private void TypeLent(ReadOnlySpan<uint> keysyms, bool hasMore)
    {
        var shift = _fixed.GetValueOrDefault(Keysyms.Shift).Keycode;
        var isShifted = false;
        var sinceFlush = 0;
        _before = hasMore || _spare.Count == 0 ? screen.Digest() : 0;
        foreach (var keysym in keysyms)
        {
            var (keycode, needsShift) = Find(keysym);
            if (needsShift != isShifted)
                input.Key(shift, isShifted = needsShift);
            input.Key(keycode, isDown: true);
            input.Key(keycode, isDown: false);
            if (++sinceFlush >= KeysPerFlush)
            {
                // The server queues for each program what it has not read; a whole book at once would be a lot of that.
                x.Sync();
                sinceFlush = 0;
            }
        }
        if (isShifted)
            input.Key(shift, isDown: false);
        x.Sync();
        _typedAt = Environment.TickCount64;
    }

    /// <summary>
    /// A program that answers a ping has taken everything before it; a browser may still look up later what a key means, and a terminal answers no
    /// ping. So what was typed is waited for on the screen, too: until the picture has changed, and then has not for a while. For a program that
    /// shows nothing of it, until it could have.
    /// </summary>
    private void Settle()
    {
        if (Environment.TickCount64 - _typedAt > LongAgoMs)
            return;
        // A program that is stuck must not keep the desktop: then its text may come out wrong.
        var left = (int)Math.Max(0, _settleUntil - Environment.TickCount64);
        if (left == 0)
        {
            Libc.Poll([], HastySettleMs);
            return;
        }
        var changeMs = windows.TryPingFocus(Math.Min(PingMs, left)) ? PingedChangeMs : ChangeMs;
        var began = Environment.TickCount64;
        var last = screen.Digest();
        var steadySince = began;
        while (true)
        {
            var now = Environment.TickCount64;
            var isChanged = last != _before;
            if ((isChanged && now - steadySince >= SteadyMs) || now - began >= (isChanged ? MostSteadyMs : changeMs))
                return;
            Libc.Poll([], LookMs);
            var digest = screen.Digest();
            if (digest != last)
                steadySince = Environment.TickCount64;
            last = digest;
        }
    }

    /// <summary>With caps lock on, letters would come out the other way round. True when it was on and is off now.</summary>
    private bool ToggleLock()
    {
        if ((input.Pointer().Modifiers & LockModifier) == 0 || !_fixed.ContainsKey(Keysyms.CapsLock))
            return false;
        Tap(Keysyms.CapsLock);
        return true;
    }

    private void Tap(uint keysym)
    {
        var (keycode, _) = Find(keysym);
        input.Key(keycode, isDown: true);
        input.Key(keycode, isDown: false);
    }
}
