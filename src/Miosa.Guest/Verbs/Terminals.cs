using System.Text.Json;
using Miosa.Guest.Terminals;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>terminal.open</c>, <c>.list</c>, <c>.resize</c> and <c>.close</c>; <see cref="TerminalAttach"/> moves the bytes.</summary>
internal static class Terminals
{
    private const int MaxSize = 1000;

    public static byte[] Open(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.TerminalOpenCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        CheckSize(call.Cols, call.Rows);
        return Reply(TerminalSet.Open(call));
    }

    public static byte[] List(GuestStream stream, ReadOnlySpan<byte> open) => JsonSerializer.SerializeToUtf8Bytes(
        new TerminalListReply { Terminals = [.. TerminalSet.All().Select(terminal => terminal.Facts)] }, GuestJson.Wire.TerminalListReply);

    public static byte[] Resize(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.TerminalResizeCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        CheckSize(call.Cols, call.Rows);
        var terminal = TerminalSet.Find(call.Id);
        terminal.Resize(call.Cols, call.Rows);
        return Reply(terminal);
    }

    public static byte[] Close(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.TerminalCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var terminal = TerminalSet.Find(call.Id);
        terminal.Close();
        return Reply(terminal);
    }

    public static byte[] Reply(Terminal terminal) => JsonSerializer.SerializeToUtf8Bytes(terminal.Facts, GuestJson.Wire.GuestTerminal);

    private static void CheckSize(int cols, int rows)
    {
        if (cols is < 1 or > MaxSize || rows is < 1 or > MaxSize)
            throw GuestFailure.BadRequest("cols and rows must be from 1 to 1000");
    }
}
