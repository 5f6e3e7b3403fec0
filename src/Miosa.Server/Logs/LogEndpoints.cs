using System.Globalization;
using System.Threading.Channels;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Logs;

/// <summary>
/// The log of a computer: what its background processes print, which are its services and what else was started in it. The lines lie on the machine's disk;
/// here they are put in the order of their times.
/// </summary>
internal static class LogEndpoints
{
    private const string Logs = "/computers/{computer_id}/logs";
    private const int DefaultLines = 100;
    internal const int MaxLines = 10_000;

    /// <summary>What is held while lines are put in order.</summary>
    internal const int MaxHeldCharacters = 4 << 20;

    /// <summary>The latest ones; older ones that have all ended say nothing of now.</summary>
    private const int MaxProcesses = 64;

    private const int QueueLength = 256;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", Logs, RecentAsync).Needs(Scopes.ComputersRead);
        api.MapStream("GET", Logs + "/stream", StreamAsync).Needs(Scopes.ComputersRead).WithMetadata(new TicketInQuery());
    }

    private static async Task<IResult> RecentAsync(HttpContext context)
    {
        var query = new Fields([]);
        var count = DefaultLines;
        foreach (var name in (string[])["lines", "tail", "limit"])
        {
            if (context.Request.Query[name].ToString() is not { Length: > 0 } text)
                continue;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= MaxLines)
                break;
            query.Fail(name, $"must be a number from 1 to {MaxLines}, got \"{text}\"");
            break;
        }
        query.Body["since"] = context.Request.Query["since"].ToString() is { Length: > 0 } since ? since : null;
        var from = query.Time("since");
        if (query.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } no)
            return Reply.Refuse(no);
        try
        {
            var lines = await LastAsync(admitted.Guest, count, from, context.RequestAborted);
            var logs = new ComputerLogs { ComputerId = admitted.MachineId, Lines = lines, Logs = string.Join('\n', lines.Select(line => line.Line)), Count = lines.Count };
            return Reply.Bare(logs, WireJson.Default.ComputerLogs);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(Refusal.AgentUnavailable(e.Message));
        }
    }

    /// <summary>The last lines of all processes together.</summary>
    private static async Task<IReadOnlyList<ComputerLogLine>> LastAsync(GuestConnection guest, int count, DateTimeOffset? since, CancellationToken ct)
    {
        var held = new List<ComputerLogLine>();
        foreach (var process in (await guest.ListProcessesAsync(ct)).TakeLast(MaxProcesses))
        {
            var own = new Queue<ComputerLogLine>();
            var characters = 0;
            using (var lines = await LogLines.KeptAsync(guest, process, ct))
            {
                while (await lines.NextAsync(ct) is { } line)
                {
                    if (line.Timestamp < since)
                        continue;
                    own.Enqueue(line);
                    characters += line.Line.Length;
                    while (own.Count > count || characters > MaxHeldCharacters)
                        characters -= own.Dequeue().Line.Length;
                }
            }
            held.AddRange(own);
            // Stable: lines of one time stay in the order of their processes.
            held = [.. held.OrderBy(line => line.Timestamp ?? DateTimeOffset.MinValue).TakeLast(count)];
            for (var total = held.Sum(line => (long)line.Line.Length); total > MaxHeldCharacters; held.RemoveAt(0))
                total -= held[0].Line.Length;
        }
        return held;
    }

    private static async Task StreamAsync(HttpContext context)
    {
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        LongStream.Allow(context);
        IReadOnlyList<GuestProcess> before;
        try
        {
            // Before the headers: a reader that has them misses nothing.
            before = await admitted.Guest.ListProcessesAsync(context.RequestAborted);
        }
        catch (GuestException e)
        {
            await Reply.Refuse(Refusal.AgentUnavailable(e.Message)).ExecuteAsync(context);
            return;
        }
        await using var sse = await Sse.StartAsync(context);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(sse.Ended);
        // A reader that does not keep up holds the followers, and they what the guest sends: nothing piles up here.
        var queue = Channel.CreateBounded<ComputerLogLine>(new BoundedChannelOptions(QueueLength) { SingleReader = true });
        var following = FollowAllAsync(admitted.Guest, before, queue.Writer, context.RequestServices.GetRequiredService<TimeProvider>(), over.Token);
        try
        {
            await foreach (var line in queue.Reader.ReadAllAsync(sse.Ended))
                await sse.WriteAsync(null, "log", Reply.Bytes(line, WireJson.Default.ComputerLogLine));
        }
        catch (GuestException)
        {
            // The computer stopped: the end tells the reader to come back.
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }
        await over.CancelAsync();
        await following;
    }

    /// <summary>Follows what runs from here on, and every process that is started later from its first line. Never fails: it completes the queue.</summary>
    private static async Task FollowAllAsync(
        GuestConnection guest, IReadOnlyList<GuestProcess> before, ChannelWriter<ComputerLogLine> queue, TimeProvider time, CancellationToken ct)
    {
        var known = before.Select(process => process.Pid).ToHashSet();
        var following = before.Where(process => process.State == GuestProcessState.Running).TakeLast(MaxProcesses)
            .Select(process => FollowAsync(guest, process, long.MaxValue, queue, ct)).ToList();
        Exception? failure = null;
        try
        {
            using var timer = new PeriodicTimer(LookEvery, time);
            while (await timer.WaitForNextTickAsync(ct))
            {
                foreach (var process in (await guest.ListProcessesAsync(ct)).Where(process => known.Add(process.Pid)))
                    following.Add(FollowAsync(guest, process, 0, queue, ct));
                // Failed ones stay: their failure is the guest's, and this look will have it, too.
                following.RemoveAll(follow => follow.IsCompletedSuccessfully);
            }
        }
        catch (Exception e) when (e is GuestException or OperationCanceledException)
        {
            failure = e;
        }
        queue.TryComplete(failure);
        await Task.WhenAll(following).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task FollowAsync(GuestConnection guest, GuestProcess process, long from, ChannelWriter<ComputerLogLine> queue, CancellationToken ct)
    {
        using var lines = await LogLines.FromAsync(guest, process, from, ct);
        while (await lines.NextAsync(ct) is { } line)
            await queue.WriteAsync(line, ct);
    }
}
