using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>A folder of a machine being watched. Disposing it ends the watch without waiting: the machine may be frozen.</summary>
internal sealed class GuestWatch : IDisposable
{
    /// <summary>The longest line a change may have: two paths of 4 KiB, every byte written as a JSON escape.</summary>
    private const int MaxLine = 64 * 1024;

    private readonly GuestCall call;
    private readonly GuestLines lines;

    private GuestWatch(GuestCall call) => (this.call, lines) = (call, new GuestLines(call, MaxLine));

    /// <summary>Completes when nothing that happens from now on is missed.</summary>
    public static async Task<GuestWatch> StartAsync(GuestConnection guest, string path, bool recursive, CancellationToken ct)
    {
        var call = await guest.OpenAsync(
            GuestVerb.FileWatch, new WatchCall { Path = path, Recursive = recursive }, GuestJson.Wire.WatchCall, takesData: true, ct);
        var watch = new GuestWatch(call);
        try
        {
            if (await watch.NextAsync(ct) is not { Event: GuestChangeEvent.Watching } first)
                throw call.Broken("the guest told of a change before it said that it watches");
            watch.Path = first.Path ?? path;
            return watch;
        }
        catch
        {
            watch.Dispose();
            throw;
        }
    }

    /// <summary>The watched folder as the guest names it.</summary>
    public string Path { get; private set; } = "";

    /// <summary>How it ended, once <see cref="NextAsync"/> has given null.</summary>
    public WatchReply? End { get; private set; }

    /// <summary>Null: the watch is over because the folder is gone. Throws what the guest failed with.</summary>
    public async ValueTask<GuestChange?> NextAsync(CancellationToken ct)
    {
        if (await lines.NextAsync(ct) is not { } line)
        {
            End = await call.ReplyAsync(GuestJson.Wire.WatchReply, ct);
            return null;
        }
        var change = call.Parse(line.Span, GuestJson.Wire.GuestChange);
        return change is { Event: not null, Path: not null } ? change : throw call.Broken("the guest sent a change with a part missing");
    }

    public void Dispose() => call.Abandon();
}
