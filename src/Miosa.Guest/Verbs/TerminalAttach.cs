using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Terminals;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>terminal.attach</c>: what was printed lately, then what comes, and what the host types; until
/// the terminal ends, the host has sent END and all before it was typed, or the host cancels.</summary>
internal static unsafe class TerminalAttach
{
    /// <summary>How soon input is tried again that the program did not take.</summary>
    private const int InputLookMs = 10;

    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.TerminalCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var terminal = TerminalSet.Find(call.Id);
        var wake = Libc.EventFd();
        var viewer = new TerminalViewer(wake);
        using var buffer = new FrameBuffer();
        stream.WakeBy(wake);
        terminal.Attach(viewer);
        try
        {
            Copy(stream, terminal, viewer, buffer);
        }
        finally
        {
            terminal.Detach(viewer);
            stream.WakeBy(-1);
            Libc.Close(wake);
        }
        return Terminals.Reply(terminal);
    }

    private static void Copy(GuestStream stream, Terminal terminal, TerminalViewer viewer, FrameBuffer buffer)
    {
        Span<PollEntry> polled = [new PollEntry { Fd = viewer.Wake, Events = PollEntry.In }];
        while (true)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            var isPending = Feed(stream, terminal, out var hasLeft);
            // All that was typed is in the terminal.
            if (hasLeft)
                return;
            var room = stream.TakeCredit(FrameLimits.MaxPayload);
            if (room > 0)
            {
                var read = terminal.Read(viewer, buffer.Payload, room, out var isOver);
                stream.ReturnCredit(room - read);
                if (read > 0)
                    stream.Send(FrameChannel.Stdout, buffer, read);
                if (isOver)
                    return;
                if (read > 0)
                    continue;
            }
            Libc.Poll(polled, isPending ? InputLookMs : -1);
            Libc.ClearSignal(viewer.Wake);
        }
    }

    /// <summary>True when input is left that the terminal does not take now.</summary>
    private static bool Feed(GuestStream stream, Terminal terminal, out bool hasLeft)
    {
        hasLeft = false;
        while (true)
        {
            var bytes = stream.Peek(out hasLeft);
            if (bytes.IsEmpty)
                return false;
            hasLeft = false;
            var written = terminal.Write(bytes);
            if (written == 0)
                return true;
            // After its end what is typed is taken and forgotten.
            stream.Consume(written < 0 ? bytes.Length : written);
        }
    }
}
