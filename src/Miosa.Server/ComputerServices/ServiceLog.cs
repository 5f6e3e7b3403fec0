using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Logs;

namespace Miosa.Server.ComputerServices;

/// <summary>
/// What a service printed, over all the processes it has had, as server-sent events without event lines: one client prints every line that is not
/// empty. Followed, it goes on with each next process until the service or the computer is gone.
/// </summary>
internal static class ServiceLog
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    public static async Task WriteAsync(HttpContext context, GuestConnection guest, ServiceRow row, int? tail, bool isFollowed, Func<bool> exists)
    {
        IReadOnlyList<GuestProcess> processes;
        try
        {
            processes = await OfServiceAsync(guest, row, context.RequestAborted);
        }
        catch (GuestException e)
        {
            await Reply.Refuse(Refusal.AgentUnavailable(e.Message)).ExecuteAsync(context);
            return;
        }
        LongStream.Allow(context);
        // Heartbeats would be printed, too; who follows needs them, or a proxy cuts the silence.
        await using var sse = await Sse.StartAsync(context, beats: isFollowed);
        try
        {
            var (told, position) = await KeptAsync(sse, guest, processes, tail);
            if (isFollowed)
                await FollowAsync(sse, guest, row, told, position, exists, context.RequestServices.GetRequiredService<TimeProvider>());
        }
        catch (GuestException)
        {
            // The computer stopped, or its guest is being connected again: the end tells the reader to come back.
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }
    }

    /// <summary>
    /// The last lines of all processes together, at most as many as a log is read in one piece; without a number all of them, of which none is held. Gives the
    /// last process and how far it was told.
    /// </summary>
    private static async Task<(int Pid, long Position)> KeptAsync(Sse sse, GuestConnection guest, IReadOnlyList<GuestProcess> processes, int? tail)
    {
        var (pid, position) = (0, 0L);
        // The caller's number and the machine's lines are both without a limit; what is held is not.
        var most = Math.Min(tail ?? 0, LogEndpoints.MaxLines);
        var (held, characters) = (new Queue<ComputerLogLine>(), 0);
        foreach (var process in processes)
        {
            using var lines = await LogLines.KeptAsync(guest, process, sse.Ended);
            while (await lines.NextAsync(sse.Ended) is { } line)
            {
                if (tail is null)
                {
                    await SendAsync(sse, line);
                    continue;
                }
                held.Enqueue(line);
                characters += line.Line.Length;
                while (held.Count > most || characters > LogEndpoints.MaxHeldCharacters)
                    characters -= held.Dequeue().Line.Length;
            }
            (pid, position) = (process.Pid, lines.Position);
        }
        foreach (var line in held)
            await SendAsync(sse, line);
        return (pid, position);
    }

    private static async Task FollowAsync(Sse sse, GuestConnection guest, ServiceRow row, int told, long position, Func<bool> exists, TimeProvider time)
    {
        using var timer = new PeriodicTimer(LookEvery, time);
        do
        {
            var processes = await OfServiceAsync(guest, row, sse.Ended);
            // The one that was told last is forgotten before any that came after it.
            foreach (var process in processes.Skip(Math.Max(0, processes.ToList().FindIndex(process => process.Pid == told))))
            {
                using var lines = await LogLines.FromAsync(guest, process, process.Pid == told ? position : 0, sse.Ended);
                while (await lines.NextAsync(sse.Ended) is { } line)
                    await SendAsync(sse, line);
                (told, position) = (process.Pid, Math.Max(lines.Position, process.Pid == told ? position : 0));
            }
        }
        while (exists() && await timer.WaitForNextTickAsync(sse.Ended));
    }

    private static async Task<IReadOnlyList<GuestProcess>> OfServiceAsync(GuestConnection guest, ServiceRow row, CancellationToken ct) =>
        [.. (await guest.ListProcessesAsync(ct)).Where(process => process.Name == row.ProcessName)];

    private static Task SendAsync(Sse sse, ComputerLogLine line) =>
        sse.SendAsync([(ReadOnlyMemory<byte>)(byte[])[.. "data: "u8, .. Reply.Bytes(line, WireJson.Default.ComputerLogLine), (byte)'\n', (byte)'\n']]);
}
