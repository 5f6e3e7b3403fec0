using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Events;

/// <summary>Whatever happens in a tenant, as a stream, and the tickets that let browsers open one.</summary>
internal sealed class TenantEventEndpoints(EventLog log, TenantFeeds feeds, SseTickets tickets, WorkspaceSet workspaces)
{
    private const string All = "all";
    private const string OfWorkspace = "workspace:";
    private const string OfExternalUser = "external_user:";

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<TenantEventEndpoints>();
        api.MapStream("GET", "/events/stream", it.StreamAsync).Needs(Scopes.EventsRead).AlsoForOneUser().WithMetadata(new TicketInQuery());
        api.MapStream("GET", "/tenant/events/stream", it.StreamAsync).Needs(Scopes.EventsRead).AlsoForOneUser().WithMetadata(new TicketInQuery());
        api.Map("POST", "/auth/sse-ticket", it.TicketAsync).NeedsAnyKey().AlsoForOneUser();
    }

    private async Task StreamAsync(HttpContext context)
    {
        var (concerns, refusal) = ScopeOf(context.Request.Query, context.Caller());
        if (refusal is not null)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        var tenant = context.Caller().TenantId;
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        if (last.Length == 0)
            last = context.Request.Query["last_event_id"].ToString();
        var from = last.Length > 0 ? await log.SequenceAsync(tenant, last, context.RequestAborted) : null;
        var stream = new EventStream(tenant, EventFilter.Parse(context.Request.Query["types"].ToString()), context.Abort) { Concerns = concerns };
        await stream.RunAsync(context, log, feeds, from);
    }

    /// <summary>
    /// Everything needs an administrator of the tenant; one workspace or one external user's events only the right to read events. A key that acts
    /// for one user gets that user's, whatever else it asks for.
    /// </summary>
    private (Func<EventRow, bool>? Concerns, Refusal? Refusal) ScopeOf(IQueryCollection query, Caller caller)
    {
        if (caller.BoundExternalUserId is { } own)
            return (row => row.ExternalUserId == own && (caller.BoundWorkspaceId is null || row.WorkspaceId == caller.BoundWorkspaceId), null);
        var scope = query["scope"].ToString();
        if (scope.StartsWith(OfWorkspace, StringComparison.Ordinal) && scope[OfWorkspace.Length..] is { Length: > 0 } named)
        {
            var workspace = workspaces.Find(caller.TenantId, named)?.Id ?? named;
            return (row => row.WorkspaceId == workspace, null);
        }
        if (scope.StartsWith(OfExternalUser, StringComparison.Ordinal) && scope[OfExternalUser.Length..] is { Length: > 0 } user)
            return (row => row.ExternalUserId == user, null);
        if (scope is not ("" or All))
            return (null, Refusal.Invalid("scope", "must be all, workspace:ID or external_user:ID"));
        var wide = query["tenant_wide"].ToString();
        if (wide is not ("" or "true" or "1" or "false" or "0"))
            return (null, Refusal.Invalid("tenant_wide", "must be true or false"));
        if (wide is "false" or "0")
            return (null, Refusal.Invalid("tenant_wide", "can be false only with a scope: add scope=workspace:ID or scope=external_user:ID"));
        return caller.Has(Scopes.Admin) ? (null, null) : (null, Refusal.MissingScope(Scopes.Admin));
    }

    private Task<IResult> TicketAsync(HttpContext context)
    {
        var (ticket, refusal) = tickets.Issue(context.Caller());
        return Task.FromResult(ticket is null
            ? Reply.Refuse(refusal ?? Refusal.Internal())
            : Reply.One(new SseTicket { Ticket = ticket, ExpiresIn = (int)SseTickets.Life.TotalSeconds }, WireJson.Default.SseTicket, 201));
    }
}
