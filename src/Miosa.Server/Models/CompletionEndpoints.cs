using System.Text.Json;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>
/// Completions. Everything that can be known before the provider is asked is refused with a status; so is what the provider says before its first
/// byte. After it a stream tells a failure in a last piece (<see cref="CompletionStream"/>).
/// </summary>
internal sealed class CompletionEndpoints(ModelCalls calls, Shutdown shutdown)
{
    private const int MaxAnswer = 32 * 1024 * 1024;

    public async Task HandleAsync(HttpContext context)
    {
        var (fields, unreadable) = await ModelCalls.ReadAsync(context, CompletionRequest.MaxBody);
        var isGet = HttpMethods.IsGet(context.Request.Method);
        if (isGet && unreadable is null && fields.Body.Count == 0)
        {
            context.Response.Headers.Allow = "POST";
            unreadable = new Refusal(ErrorCodes.MethodNotAllowed, "a completion is a POST with a JSON body; this was a GET without any");
        }
        if (unreadable is not null)
        {
            await Reply.Refuse(unreadable).ExecuteAsync(context);
            return;
        }
        var (request, faults) = CompletionRequest.Read(fields, context.Caller(), calls.Workspaces, streams: isGet);
        if (request is null)
        {
            await Reply.Refuse(faults ?? Refusal.Internal()).ExecuteAsync(context);
            return;
        }
        var (route, none) = calls.Route(request.Model, ModelConfig.Chat, request.For);
        if (route?.Provider is not { } provider)
        {
            await Reply.Refuse(none ?? Refusal.Internal()).ExecuteAsync(context);
            return;
        }
        var (operation, body, unsendable) = request.ToSend(route.Model);
        if (unsendable is not null)
        {
            await Reply.Refuse(unsendable).ExecuteAsync(context);
            return;
        }
        var shape = new CompletionShape(route.Model.Name, request.IsPrompt, request.WantsUsage, request.EstimatedTokens, calls.Time.GetUtcNow());
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, shutdown.Late);
        var call = new ProviderCall(operation, route.Model.Upstream, body, request.For.TenantId);
        var opening = provider.OpenAsync(call, end.Token);
        if (request.IsStream)
            await new CompletionStream(context, calls, route, request.For, shape, call).RunAsync(opening);
        else
            await (await AnswerAsync(context, opening, route, request, shape, call)).ExecuteAsync(context);
    }

    private async Task<IResult> AnswerAsync(
        HttpContext context, Task<(Upstream? Answer, Refusal? Refusal)> opening, ModelRoute route, CompletionRequest request, CompletionShape shape, ProviderCall call)
    {
        var outcome = Outcomes.Cancelled;
        try
        {
            var (opened, refusal) = await opening;
            using var answer = opened;
            if (answer is null)
            {
                outcome = Outcomes.Refused;
                return Reply.Refuse(refusal ?? Refusal.Internal());
            }
            var whole = await answer.ReadAllAsync(MaxAnswer);
            try
            {
                var read = CompletionShape.Parse(whole);
                if (CompletionShape.IsError(read, out var says, out _))
                    throw answer.Failed(says);
                var reply = Reply.Bare(shape.Whole(read), WireJson.Default.JsonObject);
                answer.Succeeded();
                outcome = Outcomes.Good;
                return reply;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw answer.Faulty("sent an answer that is not a completion");
            }
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
            await calls.EndedAsync(request.For, route, outcome, call.IsSent ? shape.TokensIn : 0, call.IsSent ? shape.TokensOut : 0, shape.IsEstimated);
        }
    }
}
