using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Server.ComputerEvents;

/// <summary>
/// What happens inside a running computer, of the kinds that one reader asked for, into one queue. The queue has an end and everybody waits for it: the guest
/// keeps or drops what a slow reader does not take, as its watches do. Types are those of the contract to the letter: some clients drop what has others.
/// </summary>
internal sealed class Producers(GuestConnection guest, EventWish wish, ChannelWriter<ComputerEvent> queue, TimeProvider time)
{
    private const string Home = "/home/user";
    private const string Workspace = "/workspace";
    private static readonly TimeSpan DesktopPause = TimeSpan.FromMilliseconds(500);

    /// <summary>Runs until the machine is gone or it is cancelled; never fails.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        var running = new List<Task>();
        if (wish.NeedsDesktop)
            running.Add(DesktopAsync(ct));
        if (wish.Producers.Contains(EventWish.Process))
            running.Add(new ProcessPoll(guest, queue, time).RunAsync(Unavailable, ct));
        if (wish.Producers.Contains(EventWish.File))
        {
            foreach (var path in wish.Paths.Count > 0 ? wish.Paths : [await DefaultFolderAsync(ct)])
                running.Add(FilesAsync(path, ct));
        }
        await Task.WhenAll(running);
    }

    private async Task DesktopAsync(CancellationToken ct)
    {
        string[] asked = [.. wish.Producers.Where(name => name is EventWish.Window or EventWish.Clipboard or EventWish.Idle)];
        var reason = "the desktop is not watched any more";
        try
        {
            while (true)
            {
                try
                {
                    await WatchDesktopAsync(ct);
                    break;
                }
                catch (GuestException e) when (e.Code == GuestErrorCode.Busy)
                {
                    // It is being started again, which takes a second or two.
                    await Task.Delay(DesktopPause, time, ct);
                }
            }
        }
        catch (GuestException e)
        {
            reason = e.Message;
        }
        catch (OperationCanceledException)
        {
            return;
        }
        foreach (var name in asked)
            Unavailable(name, reason);
    }

    private async Task WatchDesktopAsync(CancellationToken ct)
    {
        using var watch = await GuestDesktopWatch.StartAsync(guest, wish.Producers.Contains(EventWish.Idle) ? wish.IdleMs : 0, wish.Producers.Contains(EventWish.Clipboard), ct);
        while (await watch.NextAsync(ct) is { } told)
        {
            if (Of(told) is { } made)
                await queue.WriteAsync(new ComputerEvent { Type = made.Type, Timestamp = GuestTime.Of(told.AtMs), Payload = made.Payload }, ct);
        }
    }

    private (string Type, JsonObject Payload)? Of(GuestDesktopEvent told)
    {
        switch (told.Event)
        {
            case DesktopEvent.WindowOpened or DesktopEvent.WindowClosed or DesktopEvent.WindowFocusChanged when wish.Producers.Contains(EventWish.Window):
                return (told.Event, new JsonObject
                {
                    ["window_id"] = told.WindowId ?? "",
                    ["pid"] = told.Pid?.ToString(CultureInfo.InvariantCulture) ?? "",
                    ["title"] = told.Title ?? "",
                });
            case DesktopEvent.ClipboardChanged when wish.Producers.Contains(EventWish.Clipboard):
                return (told.Event, new JsonObject { ["size_bytes"] = told.SizeBytes ?? 0 });
            case DesktopEvent.IdleInactive or DesktopEvent.IdleActive when wish.Producers.Contains(EventWish.Idle):
                return (told.Event, new JsonObject { ["idle_ms"] = told.IdleMs ?? 0 });
            case DesktopEvent.Restarted:
                return (told.Event, new JsonObject { ["part"] = told.Part, ["reason"] = told.Reason });
            case DesktopEvent.Resized:
                return (told.Event, new JsonObject { ["width"] = told.Width, ["height"] = told.Height });
            case DesktopEvent.Failed:
                return (ComputerEventTypes.ProducerUnavailable, new JsonObject { ["producer"] = EventWish.Window, ["reason"] = told.Reason ?? "the desktop failed" });
            default:
                return null;
        }
    }

    private async Task FilesAsync(string path, CancellationToken ct)
    {
        var reason = $"\"{path}\" is gone";
        try
        {
            using var watch = await GuestWatch.StartAsync(guest, path, recursive: true, ct);
            while (await watch.NextAsync(ct) is { } change)
            {
                var at = GuestTime.Of(change.AtMs);
                switch (change.Event)
                {
                    case GuestChangeEvent.Created:
                        await FileAsync(ComputerEventTypes.FileCreated, change.Path, at, ct);
                        break;
                    case GuestChangeEvent.Modified:
                        await FileAsync(ComputerEventTypes.FileModified, change.Path, at, ct);
                        break;
                    case GuestChangeEvent.Deleted:
                        await FileAsync(ComputerEventTypes.FileDeleted, change.Path, at, ct);
                        break;
                    case GuestChangeEvent.Renamed:
                        // The contract knows no renames.
                        await FileAsync(ComputerEventTypes.FileDeleted, change.OldPath, at, ct);
                        await FileAsync(ComputerEventTypes.FileCreated, change.Path, at, ct);
                        break;
                    case GuestChangeEvent.Rescan:
                        Unavailable(EventWish.File, $"more happened in \"{path}\" than could be told: look at it again");
                        break;
                }
            }
        }
        catch (GuestException e)
        {
            reason = e.Message;
        }
        catch (OperationCanceledException)
        {
            return;
        }
        Unavailable(EventWish.File, reason);
    }

    private ValueTask FileAsync(string type, string? path, DateTimeOffset at, CancellationToken ct) =>
        path is null ? ValueTask.CompletedTask : queue.WriteAsync(new ComputerEvent { Type = type, Timestamp = at, Payload = new JsonObject { ["path"] = path } }, ct);

    private async Task<string> DefaultFolderAsync(CancellationToken ct)
    {
        try
        {
            return (await guest.StatAsync(Home, ct)).Type == GuestEntryType.Directory ? Home : Workspace;
        }
        catch (GuestException)
        {
            return Workspace;
        }
    }

    /// <summary>Dropped when the queue is full or closed: then its reader is behind or gone anyway.</summary>
    private void Unavailable(string producer, string reason)
    {
        queue.TryWrite(new ComputerEvent
        {
            Type = ComputerEventTypes.ProducerUnavailable,
            Timestamp = time.GetUtcNow(),
            Payload = new JsonObject { ["producer"] = producer, ["reason"] = reason.Length <= 500 ? reason : reason[..500] },
        });
    }
}
