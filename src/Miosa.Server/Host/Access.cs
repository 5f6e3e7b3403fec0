using System.Globalization;
using Miosa.Server.Audit;
using Miosa.Server.Keys;
using Miosa.Server.Limits;
using Miosa.Server.Storage;

namespace Miosa.Server.Host;

/// <summary>
/// The one place where a request becomes a caller: the key, its rate, the tenant, the scope of the route, and whom the key acts for. Objects of
/// other tenants are 404 later on.
/// </summary>
internal sealed class Access(ApiKeys keys, TenantSet tenants, AddressLimits addresses, TimeProvider time)
{
    public const string TenantHeader = "X-MIOSA-Tenant";

    private const string Bearer = "Bearer ";
    private const string OfferedPrefix = "bearer.";

    public async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        // No endpoint: the 404 or 405 that follows tells nothing about any tenant.
        if (context.GetEndpoint()?.Metadata.GetMetadata<RouteAccess>() is not { Scope: { } scope })
        {
            if (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } pattern } && pattern.StartsWith(Routes.Base, StringComparison.Ordinal)
                && context.GetEndpoint()?.Metadata.GetMetadata<RouteAccess>() is null)
                throw new InvalidOperationException($"route \"{pattern}\" does not say which scope it needs");
            await next(context);
            return;
        }
        var (caller, refusal) = await CheckAsync(context, scope);
        if (refusal is not null)
        {
            if (refusal.Code == ErrorCodes.InvalidToken)
                context.Response.Headers.WWWAuthenticate = "Bearer";
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        context.Features.Set(caller);
        await next(context);
    }

    /// <summary>Who asks and whether he may; a route that is open to all may ask it itself. From here on the request ends with its key.</summary>
    public async ValueTask<(Caller? Caller, Refusal? Refusal)> CheckAsync(HttpContext context, string scope)
    {
        var audit = context.Features.Get<AuditCall>();
        var address = context.Connection.RemoteIpAddress;
        var (text, isTicket, missing) = TextOf(context);
        if (text is null)
            return (null, addresses.Refuse(address) ?? missing);
        var found = isTicket ? await keys.OfTicketAsync(text, address, context.RequestAborted) : await keys.FindAsync(text, address, context.RequestAborted);
        if (found.Caller is not { } caller || found.Key is not { } key)
        {
            if (found.Former is { TenantId: { } was } former && found.Refusal?.Code == ErrorCodes.InvalidToken)
                audit?.By(new Caller(was, former.Id, new HashSet<string>()), former.Name);
            return (null, found.Refusal);
        }
        var end = new RequestEnd(context, found.TokenEnds, time, key, key.Ended);
        context.Response.RegisterForDispose(end);
        context.Features.Set(end);
        if (key.Bucket is { } bucket && Limit(context, bucket) is { } tooMany)
            return (null, tooMany);
        (caller, var refusal) = await OfTenantAsync(context, caller, scope);
        audit?.By(caller, key.Row.Name);
        refusal ??= caller.Has(scope) || context.GetEndpoint()?.Metadata.GetMetadata<OtherScope>() is { } other && caller.Has(other.Scope) ? await UserBound.CheckAsync(context, caller) : Refusal.MissingScope(scope);
        return refusal is null ? (caller, null) : (null, refusal);
    }

    private static (string? Text, bool IsTicket, Refusal? Missing) TextOf(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (header.Length == 0)
        {
            // A browser cannot send headers with a WebSocket or an EventSource.
            if (context.GetEndpoint()?.Metadata.GetMetadata<KeyInQuery>() is not null
                && (context.Request.Query["token"].ToString() is { Length: > 0 } token || (token = OfferedKey(context)) is { Length: > 0 }))
                return (token, false, null);
            if (context.GetEndpoint()?.Metadata.GetMetadata<TicketInQuery>() is not null && context.Request.Query["ticket"].ToString() is { Length: > 0 } ticket)
                return (ticket, true, null);
            return (null, false, Refusal.Unauthorized("no API key: send the header \"Authorization: Bearer msk_…\""));
        }
        return header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase)
            ? (header[Bearer.Length..].Trim(), false, null)
            : (null, false, Refusal.Unauthorized("the Authorization header must be \"Bearer\" and an API key"));
    }

    /// <summary>The subprotocol that is a key: the one header of a WebSocket that a browser lets a page set. It is never answered.</summary>
    private static string OfferedKey(HttpContext context) =>
        context.Request.Headers.SecWebSocketProtocol.ToString().Split(',', StringSplitOptions.TrimEntries)
            .FirstOrDefault(protocol => protocol.StartsWith(OfferedPrefix, StringComparison.Ordinal))?[OfferedPrefix.Length..] ?? "";

    private Refusal? Limit(HttpContext context, TokenBucket bucket)
    {
        var taken = bucket.TryTake();
        RateHeaders.Set(context.Response, bucket, taken, time.GetUtcNow());
        return taken.IsGranted
            ? null
            : Refusal.TooMany(string.Create(CultureInfo.InvariantCulture, $"the key may make {bucket.Limit} requests per minute"), taken.WaitSec);
    }

    /// <summary>
    /// The caller in the tenant that the request is about. A key of a tenant has only that one, and another named in the header is refused rather
    /// than ignored: the caller would believe that he sees it. An administrator's key has none but what the route or the header names.
    /// </summary>
    private async ValueTask<(Caller Caller, Refusal? Refusal)> OfTenantAsync(HttpContext context, Caller caller, string scope)
    {
        var isAdministration = scope == ScopeSet.Administration;
        var named = isAdministration ? context.Request.RouteValues["tenant_id"] as string : context.Request.Headers[TenantHeader].ToString();
        if (string.IsNullOrEmpty(named))
        {
            return caller.IsPlatform && !isAdministration
                ? (caller, Refusal.Forbidden($"an administrator's key has no tenant of its own: name one in the header {TenantHeader}"))
                : (caller, null);
        }
        if (!caller.IsPlatform && (isAdministration || named == caller.TenantId))
            return (caller, null);
        TenantRow? tenant = await tenants.ResolveAsync(named, context.RequestAborted);
        if (!caller.IsPlatform)
            return (caller, tenant?.Id == caller.TenantId ? null : Refusal.Forbidden($"the key does not belong to the tenant that the header {TenantHeader} names"));
        return tenant is null ? (caller, Refusal.NotFound("tenant")) : (caller with { TenantId = tenant.Id }, null);
    }
}
