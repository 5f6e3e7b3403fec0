using Miosa.Server.Keys;

namespace Miosa.Server.Host;

/// <summary>The one place where a request becomes a caller: key, then scope of the route. Objects of other tenants are 404 later on.</summary>
internal static class Access
{
    private const string Bearer = "Bearer ";

    public static IApplicationBuilder UseAccess(this IApplicationBuilder app) => app.Use(async (context, next) =>
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
    });

    /// <summary>Who asks and whether he may; a route that is open to all may ask it itself.</summary>
    public static async ValueTask<(Caller? Caller, Refusal? Refusal)> CheckAsync(HttpContext context, string scope)
    {
        var header = context.Request.Headers.Authorization.ToString();
        // A browser cannot send headers with a WebSocket.
        if (header.Length == 0 && context.GetEndpoint()?.Metadata.GetMetadata<KeyInQuery>() is not null && context.Request.Query["token"].ToString() is { Length: > 0 } token)
            header = Bearer + token;
        if (header.Length == 0)
            return (null, Refusal.Unauthorized("no API key: send the header \"Authorization: Bearer msk_…\""));
        if (!header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            return (null, Refusal.Unauthorized("the Authorization header must be \"Bearer\" and an API key"));
        var keys = context.RequestServices.GetRequiredService<ApiKeys>();
        if (await keys.FindAsync(header[Bearer.Length..].Trim(), context.RequestAborted) is not { } caller)
            return (null, Refusal.Unauthorized("the API key is not valid: unknown, expired or revoked"));
        return caller.Has(scope) ? (caller, null) : (null, Refusal.MissingScope(scope));
    }
}
