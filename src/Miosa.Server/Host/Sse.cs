using System.Buffers;
using System.Text;

namespace Miosa.Server.Host;

/// <summary>
/// One stream of server-sent events, written so that every client reads it: an id line, an event line, one data line, a blank line,
/// LF only. Headers go out at once; a comment every 15 seconds keeps the connection open. Ends when the client is gone, when the
/// server stops (<see cref="Ended"/>) or when it is disposed. A stream that ends because the server stops says so with a last event, so that
/// its reader does not take it for the end of what it tells.
/// </summary>
internal sealed class Sse : IAsyncDisposable
{
    public const string Stopping = "server.stopping";

    public static readonly ReadOnlyMemory<byte> Heartbeat = ": heartbeat\n\n"u8.ToArray();

    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);

    /// <summary>A reader that does not take the last words in this time has none; a command has a part of it to finish (<see cref="Shutdown.Late"/>).</summary>
    private static readonly TimeSpan GoodbyePatience = TimeSpan.FromSeconds(6);

    private static readonly byte[] StoppingJson = Encoding.UTF8.GetBytes($$"""{"type":"{{Stopping}}","message":"the server stops; connect again"}""");

    private readonly HttpResponse response;
    private readonly CancellationToken stopping;
    private readonly CancellationTokenSource ended;
    private readonly CancellationTokenSource gone;
    private readonly CancellationTokenRegistration hurry;
    private readonly SemaphoreSlim turn = new(1);
    private readonly Task heartbeat;

    private Sse(HttpContext context, bool beats)
    {
        response = context.Response;
        stopping = context.RequestServices.GetRequiredService<Shutdown>().Begun;
        gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        hurry = stopping.UnsafeRegister(static state => ((CancellationTokenSource)state!).CancelAfter(GoodbyePatience), gone);
        heartbeat = !beats ? Task.CompletedTask : BeatAsync(context.RequestServices.GetRequiredService<TimeProvider>());
    }

    /// <summary>Cancelled when nobody reads any more or the server stops.</summary>
    public CancellationToken Ended => ended.Token;

    /// <summary>The event that is the last one when the server stops; null when the writer says its own.</summary>
    public (string Type, byte[] Json)? Goodbye { get; set; } = (Stopping, StoppingJson);

    /// <param name="beats">False: the caller sends the heartbeats itself.</param>
    public static async Task<Sse> StartAsync(HttpContext context, bool beats = true)
    {
        var response = context.Response;
        response.StatusCode = 200;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-cache";
        response.Headers["X-Accel-Buffering"] = "no";
        response.Headers.ContentEncoding = "identity";
        await response.StartAsync(context.RequestAborted);
        await response.Body.FlushAsync(context.RequestAborted);
        return new Sse(context, beats);
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

    /// <summary>Writes whole frames that were made before, all of them at once, and waits until they left the process.</summary>
    public async Task SendAsync(params IReadOnlyList<ReadOnlyMemory<byte>> frames)
    {
        await turn.WaitAsync(gone.Token);
        try
        {
            foreach (var frame in frames)
                response.BodyWriter.Write(frame.Span);
            await response.BodyWriter.FlushAsync(gone.Token);
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ended.CancelAsync();
        await heartbeat;
        if (stopping.IsCancellationRequested && Goodbye is { } goodbye)
            await SayGoodbyeAsync(goodbye);
        await hurry.DisposeAsync();
        ended.Dispose();
        gone.Dispose();
        turn.Dispose();
    }

    private async Task SayGoodbyeAsync((string Type, byte[] Json) goodbye)
    {
        try
        {
            await WriteAsync(null, goodbye.Type, goodbye.Json);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client left, or does not read.
        }
    }

    private async Task BeatAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(HeartbeatEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(ended.Token))
                await SendAsync(Heartbeat);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The stream is over or the client left; the writer notices by the token.
        }
    }
}
