using System.Text.Json.Serialization.Metadata;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The terminals of a machine.</summary>
internal static class GuestTerminals
{
    public static Task<GuestTerminal> OpenTerminalAsync(this GuestConnection guest, TerminalOpenCall open, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.TerminalOpen, open, GuestJson.Wire.TerminalOpenCall, ct);

    public static Task<GuestTerminal> ResizeTerminalAsync(this GuestConnection guest, string id, int cols, int rows, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.TerminalResize, new TerminalResizeCall { Id = id, Cols = cols, Rows = rows }, GuestJson.Wire.TerminalResizeCall, ct);

    /// <summary>Hangs up; completes when nothing that ran in it is left.</summary>
    public static Task<GuestTerminal> CloseTerminalAsync(this GuestConnection guest, string id, CancellationToken ct) =>
        AskAsync(guest, GuestVerb.TerminalClose, new TerminalCall { Verb = GuestVerb.TerminalClose, Id = id }, GuestJson.Wire.TerminalCall, ct);

    public static async Task<IReadOnlyList<GuestTerminal>> ListTerminalsAsync(this GuestConnection guest, CancellationToken ct)
    {
        var call = await guest.OpenAsync(GuestVerb.TerminalList, new TerminalListCall(), GuestJson.Wire.TerminalListCall, takesData: false, ct);
        var reply = await call.ReplyAsync(GuestJson.Wire.TerminalListReply, ct);
        return [.. (reply.Terminals ?? []).Select(terminal => Checked(call, terminal))];
    }

    /// <summary>The terminal's bytes both ways. <see cref="GuestCall.Abandon"/> it to leave; the terminal stays.</summary>
    public static ValueTask<GuestCall> AttachTerminalAsync(this GuestConnection guest, string id, CancellationToken ct) =>
        guest.OpenAsync(GuestVerb.TerminalAttach, new TerminalCall { Verb = GuestVerb.TerminalAttach, Id = id }, GuestJson.Wire.TerminalCall, takesData: true, ct);

    private static async Task<GuestTerminal> AskAsync<T>(GuestConnection guest, string verb, T question, JsonTypeInfo<T> type, CancellationToken ct)
    {
        var call = await guest.OpenAsync(verb, question, type, takesData: false, ct);
        return Checked(call, await call.ReplyAsync(GuestJson.Wire.GuestTerminal, ct));
    }

    private static GuestTerminal Checked(GuestCall call, GuestTerminal? terminal) =>
        terminal is { Id: not null } ? terminal : throw call.Broken("the guest told of a terminal without an id");
}
