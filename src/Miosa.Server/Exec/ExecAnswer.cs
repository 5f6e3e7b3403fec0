using System.Buffers;
using System.Text;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Exec;

/// <summary>
/// <c>sandbox.exec</c>: one answer at the end. A status other than 200 is only possible while nothing has run: after that clients would
/// repeat a 5xx, and run the command again.
/// </summary>
internal static partial class ExecAnswer
{
    // 125 is what env, timeout and docker run use for "it is not the command that failed"; 137 is a command that was killed.
    private const int NotRunCode = 125;
    private const int KilledCode = 137;

    public static async Task WriteAsync(HttpContext context, ExecCommand command, GuestConnection guest)
    {
        var settings = context.RequestServices.GetRequiredService<ServerSettings>();
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        using var stdout = new CapturedOutput(settings.ExecOutputBytes);
        using var stderr = new CapturedOutput(settings.ExecOutputBytes);
        var began = time.GetTimestamp();
        var call = new LongCall(context, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, context.RequestServices.GetRequiredService<Shutdown>().Late);
        ExecEnd end;
        try
        {
            var outcome = await guest.ExecAsync(command.ToCall(), CaptureAsync, command.StdinStream(), over.Token);
            end = new ExecEnd(outcome.ExitCode, outcome.TimedOut, Math.Max(1, outcome.DurationMs));
            await call.EndAsync();
        }
        catch (GuestException e)
        {
            var headersAreOut = await call.EndAsync();
            if (ExecRefusal.Of(e) is { } refusal)
            {
                if (!headersAreOut)
                {
                    await Reply.Refuse(refusal).ExecuteAsync(context);
                    return;
                }
                end = new ExecEnd(NotRunCode, TimedOut: false, Milliseconds());
            }
            else
            {
                Log.Lost(context.RequestServices.GetRequiredService<ILogger<Command>>(), context.RequestId(), e.Message);
                end = new ExecEnd(KilledCode, TimedOut: false, Milliseconds());
            }
            stderr.Add(Encoding.UTF8.GetBytes($"miosa: {e.Message}\n"));
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // The server stops. An error status would make clients run it again.
            await call.EndAsync();
            end = new ExecEnd(KilledCode, TimedOut: false, Milliseconds());
            stderr.Add("miosa: the server stops; the command was ended\n"u8);
        }
        catch
        {
            await call.EndAsync();
            throw;
        }
        // A user of the Python client sees nothing but "output" of a computer, and would find error text in it.
        CapturedOutput[] output = context.IsAboutComputer() ? [stdout] : [stdout, stderr];
        await ExecReply.WriteAsync(context.Response, Ids.New("exec"), end, stdout, stderr, output, context.RequestAborted);

        ValueTask CaptureAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken ct)
        {
            foreach (var part in bytes)
                (isStderr ? stderr : stdout).Add(part.Span);
            return ValueTask.CompletedTask;
        }

        long Milliseconds() => Math.Max(1, (long)time.GetElapsedTime(began).TotalMilliseconds);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{RequestId}: the guest was lost while a command ran: {Reason}")]
        public static partial void Lost(ILogger logger, string requestId, string reason);
    }
}
