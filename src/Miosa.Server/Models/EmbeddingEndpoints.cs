using System.Text.Json;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>Vectors of texts: of the model in this process, or of a provider's.</summary>
internal sealed class EmbeddingEndpoints(ModelCalls calls, EmbeddedModel embedded, Shutdown shutdown)
{
    private const int MaxAnswer = 128 * 1024 * 1024;
    private const int MaxError = 64 * 1024;

    public async Task<IResult> CreateAsync(HttpContext context)
    {
        var (fields, unreadable) = await ModelCalls.ReadAsync(context, EmbeddingRequest.MaxBody);
        if (unreadable is not null)
            return Reply.Refuse(unreadable);
        var (request, faults) = EmbeddingRequest.Read(fields, context.Caller(), calls.Workspaces);
        if (request is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var (route, none) = calls.Route(request.Model, ModelConfig.Embedding, request.For);
        if (route is null)
            return Reply.Refuse(none ?? Refusal.Internal());
        return route.Provider is { } provider ? await AskAsync(context, provider, route, request) : await EmbedAsync(route, request);
    }

    private async Task<IResult> EmbedAsync(ModelRoute route, EmbeddingRequest request)
    {
        var vectors = embedded.Vectors;
        if (request.Texts is not { } texts)
            return Reply.Refuse(Refusal.Invalid("input", $"must be a string or a list of strings for the model \"{route.Model.Name}\", which has no numbers of tokens"));
        if (request.Dimensions is { } asked && asked != vectors.Dimensions)
            return Reply.Refuse(Refusal.Invalid("dimensions", $"must be {vectors.Dimensions} or left out for the model \"{route.Model.Name}\", got {asked}"));
        var found = texts.Select(vectors.Embed).ToList();
        var tokens = found.Sum(one => (long)one.Words);
        await calls.EndedAsync(request.For, route, Outcomes.Good, tokens, 0, isEstimated: false);
        return Reply.Made(EmbeddingAnswer.Write(route.Model.Name, [.. found.Select(one => one.Vector)], request.IsBase64, tokens));
    }

    private async Task<IResult> AskAsync(HttpContext context, Provider provider, ModelRoute route, EmbeddingRequest request)
    {
        byte[] body;
        try
        {
            body = request.ToSend(route.Model);
        }
        catch (Exception e) when (e is InvalidOperationException or JsonException)
        {
            return Reply.Refuse(Refusal.BadRequest("the body has text that is not valid Unicode: an escaped half of a surrogate pair"));
        }
        // A call that goes on while the server stops is cut in time to be written down.
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, shutdown.Late);
        var call = new ProviderCall("embeddings", route.Model.Upstream, body, request.For.TenantId);
        var outcome = Outcomes.Cancelled;
        long? counted = null;
        try
        {
            var (opened, refusal) = await provider.OpenAsync(call, end.Token);
            using var answer = opened;
            if (answer is null)
            {
                outcome = Outcomes.Refused;
                return Reply.Refuse(refusal ?? Refusal.Internal());
            }
            (var vectors, counted) = Read(answer, await answer.ReadAllAsync(MaxAnswer), request.Count);
            answer.Succeeded();
            outcome = Outcomes.Good;
            return Reply.Made(EmbeddingAnswer.Write(route.Model.Name, vectors, request.IsBase64, counted ?? request.EstimatedTokens));
        }
        catch (UpstreamException e)
        {
            outcome = Outcomes.Failed;
            return Reply.Refuse(e.Refusal);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return Reply.Refuse(Refusal.Unavailable("the server stops; send the call again"));
        }
        finally
        {
            await calls.EndedAsync(request.For, route, outcome, call.IsSent ? counted ?? request.EstimatedTokens : 0, 0, counted is null);
        }
    }

    private static (float[][] Vectors, long? Tokens) Read(Upstream answer, ReadOnlyMemory<byte> json, int count)
    {
        try
        {
            return EmbeddingAnswer.Read(json, count);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw IsError(json, out var says) ? answer.Failed(says) : answer.Faulty($"sent no vectors that can be read ({e.Message.TrimEnd('.')})");
        }
        catch (OverflowException e)
        {
            throw answer.TooMuch($"sent {e.Message}");
        }
    }

    private static bool IsError(ReadOnlyMemory<byte> json, out string? says)
    {
        says = null;
        try
        {
            return json.Length <= MaxError && CompletionShape.IsError(CompletionShape.Parse(json), out says, out _);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
