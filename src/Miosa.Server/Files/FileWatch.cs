using System.Globalization;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>
/// <c>files.watch</c>: changes in a folder as server-sent events. The headers go out when the machine watches, so a client that has them misses
/// nothing. What is about the watch itself (<c>rescan</c>, <c>ended</c>, <c>error</c>) has an event line of its own name.
/// </summary>
internal static class FileWatch
{
    /// <summary>The contract promises 32 KiB per event; only paths full of control characters are longer.</summary>
    private const int MaxEventBytes = 32_000;

    private static readonly string[] Changes =
        [GuestChangeEvent.Created, GuestChangeEvent.Modified, GuestChangeEvent.Deleted, GuestChangeEvent.Renamed, GuestChangeEvent.Rescan];

    public static async Task StreamAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        var path = fields.Has("path") ? fields.Path("path") : FolderListing.DefaultFolder;
        var recursive = fields.Bool("recursive") ?? true;
        if (fields.Errors() is { } invalid)
        {
            await Reply.Refuse(invalid).ExecuteAsync(context);
            return;
        }
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        GuestWatch watch;
        try
        {
            // Not null: a missing path is the default, a faulty one refused above.
            watch = await GuestWatch.StartAsync(admitted.Guest, path!, recursive, context.RequestAborted);
        }
        catch (GuestException e)
        {
            await Reply.Refuse(FileCall.RefusalOf(e, "path")).ExecuteAsync(context);
            return;
        }
        using (watch)
            await CopyAsync(context, watch);
    }

    private static async Task CopyAsync(HttpContext context, GuestWatch watch)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        LongStream.Allow(context);
        await using var sse = await Sse.StartAsync(context);
        var lastId = 0L;
        try
        {
            try
            {
                while (await watch.NextAsync(sse.Ended) is { } change)
                {
                    if (Array.IndexOf(Changes, change.Event) < 0)
                        continue;
                    var told = Of(change);
                    if (!await TryWriteAsync(told))
                        await TryWriteAsync(OfWatch(FileWatchEvents.Rescan, "a path is too long to be told"));
                }
                await TryWriteAsync(OfWatch(FileWatchEvents.Ended, $"the watched folder was {Known(watch.End?.Reason)}"));
            }
            catch (GuestException e)
            {
                await TryWriteAsync(OfWatch(FileWatchEvents.Error, e.Message));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }

        FileWatchEvent OfWatch(string what, string message) =>
            new() { Event = what, Type = what, Path = watch.Path, IsDir = true, Ts = time.GetUtcNow(), Message = message };

        async Task<bool> TryWriteAsync(FileWatchEvent told)
        {
            var json = Reply.Bytes(told, WireJson.Default.FileWatchEvent);
            if (json.Length > MaxEventBytes)
                return false;
            var type = told.Event is FileWatchEvents.Rescan or FileWatchEvents.Ended or FileWatchEvents.Error ? told.Event : "change";
            await sse.WriteAsync((++lastId).ToString(CultureInfo.InvariantCulture), type, json);
            return true;
        }
    }

    private static FileWatchEvent Of(GuestChange change) => new()
    {
        // Neither is null: the guest's line was checked.
        Event = change.Event!,
        Type = change.Event!,
        Path = change.Path!,
        OldPath = change.OldPath,
        IsDir = change.IsDir,
        SizeBytes = change.Size is >= 0 ? change.Size : null,
        Ts = GuestTime.Of(change.AtMs),
        Message = change.Event == GuestChangeEvent.Rescan ? "more happened than could be told: look at the folder again" : null,
    };

    private static string Known(string? reason) => reason is "moved" or "unmounted" ? reason : "deleted";
}
