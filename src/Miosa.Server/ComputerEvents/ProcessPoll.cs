using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Miosa.Guest;
using Miosa.Server.Guests;

namespace Miosa.Server.ComputerEvents;

/// <summary>
/// Processes that come and go, seen by looking at the machine's /proc twice a second: no program of the image is needed and nothing runs in the machine for it.
/// What lives for less than that may be missed. The guest's own helpers, which have its command line, are none.
/// </summary>
internal sealed class ProcessPoll(GuestConnection guest, ChannelWriter<ComputerEvent> queue, TimeProvider time)
{
    private const int MaxEntries = 20_000;
    private const int MaxFileBytes = 4096;
    private const int MaxShown = 1024;
    private const int InitPid = 1;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<int, string> known = [];

    public async Task RunAsync(Action<string, string> unavailable, CancellationToken ct)
    {
        try
        {
            var own = await CommandAsync(InitPid, ct) ?? "";
            foreach (var pid in await PidsAsync(ct))
                known[pid] = await CommandAsync(pid, ct) ?? "";
            using var timer = new PeriodicTimer(LookEvery, time);
            while (await timer.WaitForNextTickAsync(ct))
                await LookAsync(own, ct);
        }
        catch (GuestException e)
        {
            unavailable(EventWish.Process, e.Message);
        }
        catch (OperationCanceledException)
        {
            // Nobody reads any more.
        }
    }

    private async Task LookAsync(string own, CancellationToken ct)
    {
        var present = await PidsAsync(ct);
        foreach (var pid in known.Keys.Where(pid => !present.Contains(pid)).ToList())
        {
            known.Remove(pid, out var command);
            if (command is not null && command != own)
                await TellAsync(ComputerEventTypes.ProcessStopped, new JsonObject { ["pid"] = pid, ["cmd"] = command }, ct);
        }
        foreach (var pid in present.Where(pid => !known.ContainsKey(pid)).Order().ToList())
        {
            // Gone again already: it was never seen.
            if (await CommandAsync(pid, ct) is not { } command)
                continue;
            // Between fork and exec it still is the guest: looked at again.
            if (command == own)
                continue;
            known[pid] = command;
            await TellAsync(
                ComputerEventTypes.ProcessStarted,
                new JsonObject { ["pid"] = pid, ["cmd"] = command, ["ppid"] = (await ParentAsync(pid, ct)).ToString(CultureInfo.InvariantCulture) }, ct);
        }
    }

    private async Task<HashSet<int>> PidsAsync(CancellationToken ct)
    {
        var pids = new HashSet<int>();
        await foreach (var entry in guest.ListAsync(new ListFilesCall { Path = "/proc", Depth = 1, Hidden = true, Limit = MaxEntries }, tree: false, ct))
        {
            if (int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && pid > InitPid)
                pids.Add(pid);
        }
        return pids;
    }

    /// <summary>Its command line, or its name in brackets where it has none, as ps shows it; null when it is gone.</summary>
    private async Task<string?> CommandAsync(int pid, CancellationToken ct)
    {
        if (await ReadAsync($"/proc/{pid}/cmdline", ct) is not { } line)
            return null;
        var text = line.TrimEnd('\0').Replace('\0', ' ');
        if (text.Length > 0)
            return text.Length <= MaxShown ? text : text[..MaxShown] + "…";
        return await ReadAsync($"/proc/{pid}/comm", ct) is { } name ? $"[{name.TrimEnd('\n')}]" : null;
    }

    /// <summary>0 when it is gone. The name before it is in brackets and may hold anything.</summary>
    private async Task<int> ParentAsync(int pid, CancellationToken ct)
    {
        var facts = await ReadAsync($"/proc/{pid}/stat", ct) ?? "";
        var words = facts[(facts.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 1 && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var parent) ? parent : 0;
    }

    private async Task<string?> ReadAsync(string path, CancellationToken ct)
    {
        try
        {
            await using var file = await guest.OpenReadAsync(path, 0, MaxFileBytes, ct);
            var buffer = new byte[MaxFileBytes];
            var count = 0;
            while (count < buffer.Length && await file.ReadAsync(buffer.AsMemory(count), ct) is > 0 and var read)
                count += read;
            return Encoding.UTF8.GetString(buffer, 0, count);
        }
        catch (GuestException e) when (e.Code is not (GuestException.Disconnected or GuestException.Protocol))
        {
            return null;
        }
    }

    private ValueTask TellAsync(string type, JsonObject payload, CancellationToken ct) =>
        queue.WriteAsync(new ComputerEvent { Type = type, Timestamp = time.GetUtcNow(), Payload = payload }, ct);
}
