namespace Miosa.Server.Exec;

/// <summary>
/// Keeps a client that waits for a long command: after ten seconds the status and the headers go out, then one blank every ten seconds
/// (x-long-call of sandboxesExec). Clients that limit the time to the headers or between two reads go on waiting, and a JSON reader skips
/// the blanks. From then on a failure can only be told in the body.
/// </summary>
internal sealed class LongCall
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(10);
    private static readonly byte[] Blank = [(byte)' '];

    private readonly HttpContext context;
    private readonly CancellationTokenSource over;
    private readonly Task blanks;

    public LongCall(HttpContext context, TimeProvider time)
    {
        this.context = context;
        over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        blanks = WriteBlanksAsync(time);
    }

    /// <summary>The command is over: no blank is written after this returns. True when the headers are out.</summary>
    public async Task<bool> EndAsync()
    {
        await over.CancelAsync();
        await blanks;
        over.Dispose();
        return context.Response.HasStarted;
    }

    private async Task WriteBlanksAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(over.Token))
            {
                if (!context.Response.HasStarted)
                    ExecReply.WriteHead(context.Response);
                // Not cancelled half way: the JSON follows on the same connection.
                await context.Response.Body.WriteAsync(Blank, context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The command ended, or the client left; the request's own token tells the handler.
        }
    }
}
