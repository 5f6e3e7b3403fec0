using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>The desktop of a machine being watched. Disposing it ends the watch without waiting: the machine may be frozen.</summary>
internal sealed class GuestDesktopWatch : IDisposable
{
    /// <summary>The longest line: a title of half a kilobyte, every byte written as a JSON escape, with room.</summary>
    private const int MaxLine = 16 * 1024;

    private readonly GuestCall call;
    private readonly GuestLines lines;

    private GuestDesktopWatch(GuestCall call) => (this.call, lines) = (call, new GuestLines(call, MaxLine));

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
        if (await lines.NextAsync(ct) is not { } line)
        {
            await call.EndAsync(ct);
            return null;
        }
        var told = call.Parse(line.Span, GuestJson.Wire.GuestDesktopEvent);
        return told.Event is not null ? told : throw call.Broken("the guest told of something without a name");
    }

    public void Dispose() => call.Abandon();
}
