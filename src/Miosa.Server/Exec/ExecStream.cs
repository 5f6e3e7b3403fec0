using System.Buffers;
using System.Globalization;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Exec;

/// <summary>
/// <c>sandbox.exec.stream</c>: stdout and stderr line by line as they come, then one <c>exit</c> (or <c>error</c>), then the end. Lines
/// are written where they are read: a client that reads slowly holds the guest's window and so the command, and nothing piles up here.
/// </summary>
internal sealed class ExecStream(Sse sse)
{
    private readonly OutputLines stdout = new();
    private readonly OutputLines stderr = new();
    private readonly List<OutputLine> lines = [];
    private long lastId;

    public static async Task WriteAsync(HttpContext context, ExecCommand command, GuestConnection guest)
    {
        await using var sse = await Sse.StartAsync(context);
        sse.Goodbye = ("error", Reply.Bytes(new ExecStreamEvent { Type = "error", Message = "the server stops; the command was ended" }, WireJson.Default.ExecStreamEvent));
        var stream = new ExecStream(sse);
        // A command may finish while the server waits, which a stream without an end may not.
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, context.RequestServices.GetRequiredService<Shutdown>().Late);
        try
        {
            var outcome = await guest.ExecAsync(command.ToCall(), stream.WriteAsync, command.StdinStream(), over.Token);
            await stream.FinishAsync();
            await stream.SendAsync(new ExecStreamEvent
            {
                Type = "exit",
                ExitCode = outcome.ExitCode,
                DurationMs = Math.Max(1, outcome.DurationMs),
                TimedOut = outcome.TimedOut,
            });
        }
        catch (GuestException e)
        {
            await stream.FinishAsync();
            await stream.SendAsync(new ExecStreamEvent { Type = "error", Message = e.Message });
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // The reader left or the server stops. The guest has killed the tree before this was thrown.
        }
    }

    private async ValueTask WriteAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken ct)
    {
        lines.Clear();
        foreach (var part in bytes)
            (isStderr ? stderr : stdout).Add(part.Span, lines);
        await SendAsync(isStderr ? "stderr" : "stdout");
    }

    private async Task FinishAsync()
    {
        lines.Clear();
        stdout.Finish(lines);
        await SendAsync("stdout");
        lines.Clear();
        stderr.Finish(lines);
        await SendAsync("stderr");
    }

    private async Task SendAsync(string type)
    {
        foreach (var line in lines)
            await SendAsync(new ExecStreamEvent { Type = type, Line = line.Line, Data = line.Data });
    }

    private Task SendAsync(ExecStreamEvent item) => sse.WriteAsync(
        (++lastId).ToString(CultureInfo.InvariantCulture), item.Type, Reply.Bytes(item, WireJson.Default.ExecStreamEvent));
}
