using System.Globalization;
using System.Text;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Processes;

/// <summary>
/// What a process prints as server-sent events. The id of an event is the position behind it in the process's log on the machine's disk, so a
/// reader that comes back with <c>Last-Event-ID</c> goes on exactly there, also when the server was killed in between.
/// </summary>
internal static class ProcessStream
{
    private const string LastEventId = "Last-Event-ID";

    public static async Task ProcessAsync(HttpContext context)
    {
        if (ProcessEndpoints.PidOf(context) is { } pid)
            await FollowAsync(context, _ => Task.FromResult<int?>(pid), Told);
        else
            await Reply.Refuse(Refusal.NotFound("process")).ExecuteAsync(context);
    }

    /// <summary>The same for the entry point, in the words of the sandbox's log. Without an entry point there is nothing to wait for.</summary>
    public static Task LogAsync(HttpContext context)
    {
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        return FollowAsync(context, guest => ProcessEndpoints.EntrypointAsync(guest, context.RequestAborted), item => item.Type switch
        {
            ProcessStreamTypes.Stdout or ProcessStreamTypes.Stderr => Log(item.Stream, item.Line ?? ""),
            ProcessStreamTypes.Gap => Log(null, $"miosa: {item.LostBytes} bytes of output are missing here"),
            ProcessStreamTypes.Exit => Log(null, $"miosa: the entry point ended with exit code {item.ExitCode}"),
            _ => Log(null, "miosa: " + item.Message),
        });

        (string Type, byte[] Json) Log(string? stream, string line) =>
            ("log", Reply.Bytes(new SandboxLogEvent { Stream = stream, Line = line, Ts = time.GetUtcNow() }, WireJson.Default.SandboxLogEvent));
    }

    private static (string Type, byte[] Json) Told(ProcessStreamEvent item) =>
        (item.Type, Reply.Bytes(item, WireJson.Default.ProcessStreamEvent));

    private static async Task FollowAsync(
        HttpContext context, Func<GuestConnection, Task<int?>> find, Func<ProcessStreamEvent, (string Type, byte[] Json)> words)
    {
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        GuestFollow? follow = null;
        var pid = "";
        try
        {
            if (await find(admitted.Guest) is { } found)
            {
                // Before the headers: a process that is not known is a 404.
                await admitted.Guest.GetProcessAsync(found, context.RequestAborted);
                pid = found.ToString(CultureInfo.InvariantCulture);
                follow = await GuestFollow.StartAsync(admitted.Guest, found, FromOf(context), context.RequestAborted);
            }
        }
        catch (GuestException e)
        {
            await Reply.Refuse(ProcessEndpoints.RefusalOf(e, "pid")).ExecuteAsync(context);
            return;
        }
        LongStream.Allow(context);
        await using var sse = await Sse.StartAsync(context);
        if (follow is null)
            return;
        using (follow)
            await CopyAsync(follow, sse, pid, words);
    }

    private static async Task CopyAsync(GuestFollow follow, Sse sse, string pid, Func<ProcessStreamEvent, (string Type, byte[] Json)> words)
    {
        string? id = null;
        try
        {
            try
            {
                while (await follow.NextAsync(sse.Ended) is { } piece)
                {
                    id = piece.Position.ToString(CultureInfo.InvariantCulture);
                    await WriteAsync(Of(piece, pid));
                }
                var end = ProcessView.Of(follow.End!); // there once NextAsync gave null
                await WriteAsync(new ProcessStreamEvent { Type = ProcessStreamTypes.Exit, Pid = pid, ExitCode = end.ExitCode, Status = end.Status });
            }
            catch (GuestException e) when (e.Code != GuestException.Disconnected)
            {
                await WriteAsync(new ProcessStreamEvent { Type = ProcessStreamTypes.Error, Pid = pid, Message = e.Message });
            }
            catch (GuestException)
            {
                // The machine stopped, or its guest is being connected again: the end without "exit" tells the reader to come back.
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }

        async Task WriteAsync(ProcessStreamEvent item)
        {
            var (type, json) = words(item);
            await sse.WriteAsync(id, type, json);
        }
    }

    private static ProcessStreamEvent Of(ProcessPiece piece, string pid)
    {
        if (piece.Channel == ProcessPiece.LostChannel)
            return new ProcessStreamEvent { Type = ProcessStreamTypes.Gap, Pid = pid, LostBytes = piece.Lost };
        var type = piece.Channel == FrameChannel.Stderr ? ProcessStreamTypes.Stderr : ProcessStreamTypes.Stdout;
        var data = Encoding.UTF8.GetString(piece.Content);
        var line = data.EndsWith("\r\n", StringComparison.Ordinal) ? data[..^2] : data.EndsWith('\n') ? data[..^1] : data;
        return new ProcessStreamEvent { Type = type, Stream = type, Line = line, Data = data, Pid = pid };
    }

    /// <summary>A position that is none counts from the beginning: better twice than never.</summary>
    private static long FromOf(HttpContext context) =>
        long.TryParse(context.Request.Headers[LastEventId].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var position) ? position : 0;
}
