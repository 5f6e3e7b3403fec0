using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>
/// A completion in pieces, in the form all its clients know: a data line for each piece, a comment every 15 seconds, <c>[DONE]</c> at the end. 1. The head goes
/// out with the provider's first byte, or after ten seconds without one. 2. Each piece leaves when it comes. 3. Whatever ends it early is told in a
/// last piece. 4. When the client is gone the provider's connection is closed at once. 5. What was used is charged in every case.
/// </summary>
internal sealed class CompletionStream(HttpContext context, ModelCalls calls, ModelRoute route, Attribution whose, CompletionShape shape, ProviderCall call)
{
    /// <summary>Some clients wait for the head no longer than 30 seconds, and a long prompt may take longer to its first token.</summary>
    private static readonly TimeSpan HeadWithin = TimeSpan.FromSeconds(10);

    private static readonly ReadOnlyMemory<byte> Done = "data: [DONE]\n\n"u8.ToArray();

    private static readonly JsonSerializerOptions Relaxed = new(WireJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly long begun = calls.Time.GetTimestamp();
    private TimeSpan? toFirst;
    private string outcome = Outcomes.Cancelled;

    public async Task RunAsync(Task<(Upstream? Answer, Refusal? Refusal)> opening)
    {
        Sse? sse = null;
        try
        {
            if (!await IsSoonAsync(opening))
                sse = await StartAsync();
            var (opened, refusal) = await opening;
            using var answer = opened;
            if (answer is null)
            {
                outcome = Outcomes.Refused;
                await RefuseAsync(sse, refusal ?? Refusal.Internal());
                return;
            }
            sse ??= await StartAsync();
            await PumpAsync(sse, answer);
        }
        catch (OperationCanceledException) when (sse is not null && !context.RequestAborted.IsCancellationRequested)
        {
            outcome = Outcomes.Failed;
            await RefuseAsync(sse, Refusal.Unavailable("the server stops; send the call again"));
        }
        finally
        {
            await EndAsync(opening, sse);
        }
    }

    private async Task EndAsync(Task<(Upstream? Answer, Refusal? Refusal)> opening, Sse? sse)
    {
        await CloseAsync(opening);
        try
        {
            // Before the stream is closed, which waits for a client that reads slowly.
            var isCharged = call.IsSent || shape.IsUsed;
            await calls.EndedAsync(whose, route, outcome, isCharged ? shape.TokensIn : 0, shape.TokensOut, shape.IsEstimated);
            if (toFirst is { } first)
                calls.Streamed(route, first, calls.Time.GetElapsedTime(begun) - first, shape.TokensOut);
        }
        finally
        {
            if (sse is not null)
                await sse.DisposeAsync();
        }
    }

    /// <summary>It may be open although the client left while it was waited for.</summary>
    private static async Task CloseAsync(Task<(Upstream? Answer, Refusal? Refusal)> opening)
    {
        try
        {
            (await opening).Answer?.Dispose();
        }
        catch (OperationCanceledException)
        {
            // Then it is not.
        }
    }

    private async Task<bool> IsSoonAsync(Task opening)
    {
        try
        {
            await opening.WaitAsync(HeadWithin, calls.Time, context.RequestAborted);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<Sse> StartAsync()
    {
        var sse = await Sse.StartAsync(context);
        // The last word is a piece of this stream's own form, and this class says it.
        sse.Goodbye = null;
        return sse;
    }

    private async Task PumpAsync(Sse sse, Upstream answer)
    {
        outcome = Outcomes.Failed;
        try
        {
            if (answer.MediaType is { } type && type != "text/event-stream")
                throw answer.Faulty($"was asked for a stream and sent \"{Provider.Plain(type, null)}\"");
            var lines = new EventLines(answer);
            while (true)
            {
                if (await lines.NextAsync() is not { } data)
                {
                    if (shape.IsFinished)
                        break;
                    throw answer.Faulty("broke off in its answer");
                }
                if (data.Span.SequenceEqual("[DONE]"u8))
                    break;
                if (FrameOf(answer, data) is { } frame)
                    await sse.SendAsync(frame);
            }
            answer.Succeeded();
            outcome = Outcomes.Good;
            await sse.SendAsync(Done);
        }
        catch (UpstreamException e)
        {
            await RefuseAsync(sse, e.Refusal);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            // The client left: what follows closes the provider's connection.
            outcome = Outcomes.Cancelled;
        }
    }

    /// <summary>The piece as it is passed on; null when the caller has no use for it.</summary>
    private ReadOnlyMemory<byte>? FrameOf(Upstream answer, ReadOnlyMemory<byte> data)
    {
        try
        {
            var piece = CompletionShape.Parse(data);
            if (CompletionShape.IsError(piece, out var says, out _))
                throw answer.Failed(says);
            var (chunk, text) = shape.Chunk(piece);
            if (text.Length > 0)
                toFirst ??= calls.Time.GetElapsedTime(begun);
            // Written here: half of a surrogate pair, in whatever field, is found no earlier. The cast keeps null from becoming an empty frame.
            return chunk is null ? (ReadOnlyMemory<byte>?)null : FrameOf(chunk);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw answer.Faulty("sent a piece that is not one of a completion");
        }
    }

    private async Task RefuseAsync(Sse? sse, Refusal refusal)
    {
        if (sse is null)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        try
        {
            await sse.SendAsync(FrameOf(OpenAi.Error(refusal, context.RequestId())), Done);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Nobody is there to be told.
        }
    }

    private static ReadOnlyMemory<byte> FrameOf(JsonObject piece) => (byte[])[.. "data: "u8, .. System.Text.Encoding.UTF8.GetBytes(piece.ToJsonString(Relaxed)), .. "\n\n"u8];
}
