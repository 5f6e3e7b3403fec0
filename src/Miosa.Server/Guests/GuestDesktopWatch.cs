using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The desktop of a machine being watched. Disposing it ends the watch without waiting: the machine may be frozen.</summary>
internal sealed class GuestDesktopWatch : IDisposable
{
    /// <summary>The longest line: a title of half a kilobyte, every byte written as a JSON escape, with room.</summary>
    private const int MaxLine = 16 * 1024;

    private readonly GuestCall call;
    private readonly ArrayBufferWriter<byte> line = new(1024);
    private ReadOnlySequence<byte> rest;

    private GuestDesktopWatch(GuestCall call) => this.call = call;

    /// <summary>Completes when nothing that happens from now on is missed.</summary>
    /// <exception cref="GuestException">There is no desktop (<c>unsupported</c>), or it does not run.</exception>
    public static async Task<GuestDesktopWatch> StartAsync(GuestConnection guest, int idleMs, bool clipboard, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.DesktopWatch, new DesktopWatchCall { IdleMs = idleMs, Clipboard = clipboard }, GuestJson.Wire.DesktopWatchCall, takesData: true, ct);
        var watch = new GuestDesktopWatch(call);
        try
        {
            if (await watch.NextAsync(ct) is not { Event: DesktopEvent.Watching })
                throw call.Broken("the guest told of the desktop before it said that it watches");
            return watch;
        }
        catch
        {
            watch.Dispose();
            throw;
        }
    }

    /// <summary>Null: the watch is over. Throws what the guest failed with.</summary>
    public async ValueTask<GuestDesktopEvent?> NextAsync(CancellationToken ct)
    {
        while (true)
        {
            if (rest.PositionOf((byte)'\n') is { } newline)
            {
                Append(rest.Slice(0, newline));
                rest = rest.Slice(rest.GetPosition(1, newline));
                var told = call.Parse(line.WrittenSpan, GuestJson.Wire.GuestDesktopEvent);
                line.ResetWrittenCount();
                return told.Event is not null ? told : throw call.Broken("the guest told of something without a name");
            }
            Append(rest);
            rest = default;
            var chunk = await call.NextAsync(ct);
            if (chunk.IsEnd)
            {
                await call.EndAsync(ct);
                return null;
            }
            if (chunk.Channel == FrameChannel.Body)
                rest = chunk.Bytes;
        }
    }

    public void Dispose() => call.Abandon();

    private void Append(ReadOnlySequence<byte> bytes)
    {
        if (line.WrittenCount + bytes.Length > MaxLine)
            throw call.Broken("the guest sent an event without end");
        foreach (var part in bytes)
            line.Write(part.Span);
    }
}
