using System.Text;

namespace Miosa.Server.Host;

/// <summary>
/// One stream of server-sent events, written so that every client reads it: an id line, an event line, one data line, a blank line,
/// LF only. Headers go out at once; a comment every 15 seconds keeps the connection open. Ends when the client is gone, when the
/// server stops (<see cref="Ended"/>) or when it is disposed.
/// </summary>
internal sealed class Sse : IAsyncDisposable
{
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);

    private readonly HttpResponse response;
    private readonly CancellationTokenSource ended;
    private readonly SemaphoreSlim turn = new(1);
    private readonly Task heartbeat;

    private Sse(HttpContext context)
    {
        response = context.Response;
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        heartbeat = BeatAsync(context.RequestServices.GetRequiredService<TimeProvider>());
    }

    /// <summary>Cancelled when nobody reads any more or the server stops.</summary>
    public CancellationToken Ended => ended.Token;

    public static async Task<Sse> StartAsync(HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = 200;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        response.Headers.ContentEncoding = "identity";
        await response.StartAsync(context.RequestAborted);
        await response.Body.FlushAsync(context.RequestAborted);
        return new Sse(context);
    }

    /// <summary>Writes one event and waits until it left the process: a slow reader slows the writer.</summary>
    public async Task WriteAsync(string? id, string type, ReadOnlyMemory<byte> json)
    {
        var head = Encoding.UTF8.GetBytes(id is null ? $"event: {type}\ndata: " : $"id: {id}\nevent: {type}\ndata: ");
        var frame = new byte[head.Length + json.Length + 2];
        head.CopyTo(frame, 0);
        json.Span.CopyTo(frame.AsSpan(head.Length));
        frame[^2] = frame[^1] = (byte)'\n';
        await SendAsync(frame);
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        await heartbeat;
        ended.Dispose();
        turn.Dispose();
    }

    private async Task BeatAsync(TimeProvider time)
    {
        var comment = ": heartbeat\n\n"u8.ToArray();
        using var timer = new PeriodicTimer(HeartbeatEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(ended.Token))
                await SendAsync(comment);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The stream is over or the client left; the writer notices by the token.
        }
    }

    private async Task SendAsync(byte[] bytes)
    {
        await turn.WaitAsync(ended.Token);
        try
        {
            await response.Body.WriteAsync(bytes, ended.Token);
            await response.Body.FlushAsync(ended.Token);
        }
        finally
        {
            turn.Release();
        }
    }
}
