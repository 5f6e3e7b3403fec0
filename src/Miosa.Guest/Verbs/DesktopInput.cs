using System.Text;
using Miosa.Guest.Desktop;
using Miosa.Guest.Desktop.Agent;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>desktop.pointer</c>, <c>.drag</c>, <c>.scroll</c>, <c>.type</c>, <c>.keys</c> and <c>.cursor</c>. One input at a time: two hosts that type at once do so one after the other.</summary>
internal static class DesktopInput
{
    private const int TurnMs = 10_000;
    private const int TextStart = 16 * 1024;

    /// <summary>Characters in one order: a screenshot waits for so many at most.</summary>
    private const int PieceCharacters = 2000;

    /// <summary>The agent waits for half of it for a busy program to read what it got.</summary>
    private const int PieceTimeoutMs = 60_000;

    private const int MostTexts = 8;

    private static readonly Turn s_turn = new();
    private static int s_texts;

    public static byte[] Pointer(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.PointerCall);
        if (call.Action is not (DesktopWord.Move or DesktopWord.Down or DesktopWord.Up or DesktopWord.Click))
            throw GuestFailure.BadRequest("action must be move, down, up or click, not \"" + call.Action + "\"");
        CheckButton(call.Button);
        if (call.Count is < 1 or > DesktopLimits.MaxClicks)
            throw GuestFailure.BadRequest($"count must be 1 to {DesktopLimits.MaxClicks}, not {call.Count}");
        if (call.Action == DesktopWord.Move && call.X is null)
            throw GuestFailure.BadRequest("x and y must be given to move");
        CheckPoint("x", call.X, "y", call.Y);
        return InTurn(() => Place(LinkOrder.Pointer, call, GuestJson.Wire.PointerCall));
    }

    public static byte[] Scroll(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.ScrollCall);
        if (call.Direction is not ("up" or "down" or "left" or "right"))
            throw GuestFailure.BadRequest("direction must be up, down, left or right, not \"" + call.Direction + "\"");
        if (call.Amount is < 1 or > DesktopLimits.MaxScroll)
            throw GuestFailure.BadRequest($"amount must be 1 to {DesktopLimits.MaxScroll}, not {call.Amount}");
        CheckPoint("x", call.X, "y", call.Y);
        return InTurn(() => Place(LinkOrder.Scroll, call, GuestJson.Wire.ScrollCall));
    }

    public static byte[] Cursor(GuestStream stream, ReadOnlySpan<byte> open) => Place(LinkOrder.Cursor, new DesktopCall(), GuestJson.Wire.DesktopCall);

    public static byte[] Drag(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.DragCall);
        CheckButton(call.Button);
        if (call.FromX is null || call.FromY is null || call.ToX is null || call.ToY is null)
            throw GuestFailure.BadRequest("from_x, from_y, to_x and to_y must be given");
        CheckPoint("from_x", call.FromX, "from_y", call.FromY);
        CheckPoint("to_x", call.ToX, "to_y", call.ToY);
        if (call.DurationMs is < 0 or > DesktopLimits.MaxDragMs)
            throw GuestFailure.BadRequest($"duration_ms must be 0 to {DesktopLimits.MaxDragMs}, not {call.DurationMs}");
        return InTurn(() => Drag(stream, call));
    }

    public static byte[] Keys(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.KeysCall);
        if (call.Action is not (null or DesktopWord.Press or DesktopWord.Down or DesktopWord.Up))
            throw GuestFailure.BadRequest("action must be press, down or up, not \"" + call.Action + "\"");
        if (call.Keys is not { Length: >= 1 and <= DesktopLimits.MaxKeys } keys)
            throw GuestFailure.BadRequest($"keys must be 1 to {DesktopLimits.MaxKeys} names of keys");
        foreach (var key in keys)
        {
            if (string.IsNullOrEmpty(key) || Keysyms.Find(key) is null)
                throw GuestFailure.BadRequest("there is no key \"" + key + "\"; a key is one character or a name such as Return, ctrl, F5");
        }
        return InTurn(() =>
        {
            DesktopSession.Order(LinkOrder.Keys, call, GuestJson.Wire.KeysCall).Dispose();
            return Desktops.Reply(new Done(), GuestJson.Wire.Done);
        });
    }

    public static byte[] Type(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = Desktops.Call(open, GuestJson.Wire.TypeCall);
        if (call.DelayMs is < 0 or > DesktopLimits.MaxTypeDelayMs)
            throw GuestFailure.BadRequest($"delay_ms must be 0 to {DesktopLimits.MaxTypeDelayMs}, not {call.DelayMs}");
        using var room = TakeRoom();
        // Every byte is looked at before the first is typed.
        var text = ReadText(stream);
        CheckText(text);
        return InTurn(() => Type(stream, call, text));
    }

    /// <summary>To be held while a text of a host is: the guest's heap has room for so many of the longest.</summary>
    public static TextRoom TakeRoom()
    {
        if (Interlocked.Increment(ref s_texts) <= MostTexts)
            return default;
        Interlocked.Decrement(ref s_texts);
        throw new GuestFailure(GuestErrorCode.Busy, MostTexts + " texts are under way already");
    }

    /// <summary>The body of a stream, as UTF-8 text of bounded size.</summary>
    public static byte[] ReadText(GuestStream stream)
    {
        var text = new MemoryStream(TextStart);
        while (true)
        {
            var bytes = stream.WaitForBytes();
            if (bytes.IsEmpty)
                break;
            if (text.Length + bytes.Length > DesktopLimits.MaxTextBytes)
                throw new GuestFailure(GuestErrorCode.TooLarge, $"the text is longer than {DesktopLimits.MaxTextBytes} bytes");
            text.Write(bytes);
            stream.Consume(bytes.Length);
        }
        var whole = text.ToArray();
        if (!System.Text.Unicode.Utf8.IsValid(whole))
            throw GuestFailure.BadRequest("the text is not UTF-8");
        return whole;
    }

    private static byte[] Drag(GuestStream stream, DragCall call)
    {
        const int stepMs = 10;
        const int leastSteps = 5;
        int fromX = call.FromX!.Value, fromY = call.FromY!.Value, toX = call.ToX!.Value, toY = call.ToY!.Value; // checked by the caller
        var steps = Math.Max(leastSteps, call.DurationMs / stepMs);
        var began = Environment.TickCount64;
        Point(DesktopWord.Move, fromX, fromY, call.Button).Dispose();
        Point(DesktopWord.Down, null, null, call.Button).Dispose();
        try
        {
            for (var i = 1; i <= steps; i++)
            {
                if (stream.IsCancelled)
                    throw new StreamCancelledException();
                var due = began + (long)call.DurationMs * i / steps;
                Libc.Poll([], (int)Math.Clamp(due - Environment.TickCount64, 0, DesktopLimits.MaxDragMs));
                Point(DesktopWord.Move, fromX + (toX - fromX) * i / steps, fromY + (toY - fromY) * i / steps, call.Button).Dispose();
            }
        }
        catch
        {
            TryRelease(call.Button);
            throw;
        }
        using var last = Point(DesktopWord.Up, null, null, call.Button);
        return Desktops.Reply(last.Read(GuestJson.Wire.PointerReply), GuestJson.Wire.PointerReply);
    }

    /// <summary>A drag that broke off must not leave the button held.</summary>
    private static void TryRelease(string? button)
    {
        try
        {
            Point(DesktopWord.Up, null, null, button).Dispose();
        }
        catch (GuestFailure)
        {
            // Then the desktop is starting anew, without held buttons.
        }
    }

    private static AgentAnswer Point(string action, int? x, int? y, string? button) =>
        DesktopSession.Order(LinkOrder.Pointer, new PointerCall { Action = action, X = x, Y = y, Button = button }, GuestJson.Wire.PointerCall);

    private static byte[] Type(GuestStream stream, TypeCall call, byte[] text)
    {
        // The pauses are made here, where they keep nobody from the agent.
        var piece = call.DelayMs == 0 ? PieceCharacters : 1;
        var typed = 0;
        for (var at = 0; at < text.Length;)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            var end = EndOfPiece(text, at, piece);
            using var answer = DesktopSession.Order(LinkOrder.Type, new DesktopCall(), GuestJson.Wire.DesktopCall, text.AsSpan(at, end - at), PieceTimeoutMs);
            typed += Math.Clamp(answer.Read(GuestJson.Wire.TypeReply).Characters, 0, end - at);
            at = end;
            if (call.DelayMs > 0 && at < text.Length)
                Libc.Poll([], call.DelayMs);
        }
        return Desktops.Reply(new TypeReply { Characters = typed }, GuestJson.Wire.TypeReply);
    }

    /// <summary>Behind so many characters, or the text's end; never between the two of an end of line.</summary>
    private static int EndOfPiece(byte[] text, int at, int characters)
    {
        for (; at < text.Length; at++)
        {
            // The bytes inside a character begin with 10.
            var begins = (text[at] & 0xc0) != 0x80;
            if (begins && characters-- <= 0 && !(text[at] == '\n' && text[at - 1] == '\r'))
                return at;
        }
        return at;
    }

    private static void CheckText(byte[] text)
    {
        var position = 0;
        for (ReadOnlySpan<byte> left = text; !left.IsEmpty; position++)
        {
            Rune.DecodeFromUtf8(left, out var rune, out var length);
            if (Keysyms.OfText(rune.Value) is null)
                throw GuestFailure.BadRequest($"the text has the control character U+{rune.Value:X4} at position {position}, which no key types");
            left = left[length..];
        }
    }

    private static byte[] Place<T>(LinkOrder order, T call, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        using var answer = DesktopSession.Order(order, call, type);
        return Desktops.Reply(answer.Read(GuestJson.Wire.PointerReply), GuestJson.Wire.PointerReply);
    }

    private static byte[] InTurn(Func<byte[]> input)
    {
        if (!s_turn.TryTake(TurnMs))
            throw new GuestFailure(GuestErrorCode.Busy, "another input is under way");
        try
        {
            return input();
        }
        finally
        {
            s_turn.Give();
        }
    }

    private static void CheckButton(string? button)
    {
        if (button is not (null or DesktopWord.Left or DesktopWord.Middle or DesktopWord.Right))
            throw GuestFailure.BadRequest("button must be left, middle or right, not \"" + button + "\"");
    }

    private static void CheckPoint(string xName, int? x, string yName, int? y)
    {
        if (x is null != y is null)
            throw GuestFailure.BadRequest($"{xName} and {yName} must be given together or not at all");
        var screen = DesktopSession.Facts;
        // One that is not started has no bounds; the order will tell.
        if (x is null || screen.State == DesktopState.Stopped)
            return;
        if (x < 0 || x >= screen.Width)
            throw GuestFailure.BadRequest($"{xName} must be 0 to {screen.Width - 1}, the width of the screen, not {x}");
        if (y < 0 || y >= screen.Height)
            throw GuestFailure.BadRequest($"{yName} must be 0 to {screen.Height - 1}, the height of the screen, not {y}");
    }

    internal readonly struct TextRoom : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref s_texts);
    }
}
