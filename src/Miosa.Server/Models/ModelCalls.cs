using Miosa.Server.Host;
using Miosa.Server.Quotas;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Models;

/// <summary>What completions and embeddings have in common: who pays, whether he may, and what is written down at the end.</summary>
internal sealed class ModelCalls(ModelSet models, ModelUsage usage, ModelMetrics metrics, QuotaGate gate, WorkspaceSet workspaces, TimeProvider time)
{
    public TimeProvider Time => time;

    public WorkspaceSet Workspaces => workspaces;

    /// <summary>The body, checked to be text: what is passed on must not be what no reader agreed to.</summary>
    public static async Task<BodyRead> ReadAsync(HttpContext context, int limit)
    {
        var (bytes, refusal) = await Body.BytesAsync(context, limit, context.RequestAborted);
        if (refusal is not null)
            return new BodyRead(new Fields([]), refusal);
        return System.Text.Unicode.Utf8.IsValid(bytes.Span) ? Body.Parse(bytes, Aliases.None) : new BodyRead(new Fields([]), Refusal.BadRequest("the body is not valid UTF-8"));
    }

    /// <summary>The model, if it exists and the caller may spend.</summary>
    public (ModelRoute? Route, Refusal? Refusal) Route(string model, string type, Attribution whose)
    {
        var (route, refusal) = models.Route(model, type);
        return refusal is null && gate.LookAtSpending(whose.TenantId, whose.ExternalUserId, whose.WorkspaceId) is { } spent ? (null, spent) : (route, refusal);
    }

    /// <summary>The call is over; it is charged whatever became of its caller.</summary>
    public async Task EndedAsync(Attribution whose, ModelRoute route, string outcome, long tokensIn, long tokensOut, bool isEstimated)
    {
        metrics.Ended(route.Model.Provider, route.Model.Name, outcome, tokensIn, tokensOut);
        if (tokensIn > 0 || tokensOut > 0)
            await usage.AddAsync(whose, route, tokensIn, tokensOut, isEstimated);
    }

    public void Streamed(ModelRoute route, TimeSpan toFirst, TimeSpan afterFirst, long tokensOut) => metrics.Streamed(route.Model.Provider, route.Model.Name, toFirst, afterFirst, tokensOut);
}

/// <summary>Values of the label <c>outcome</c>.</summary>
internal static class Outcomes
{
    public const string Good = "ok";
    public const string Refused = "refused";
    public const string Failed = "failed";
    public const string Cancelled = "cancelled";
}
