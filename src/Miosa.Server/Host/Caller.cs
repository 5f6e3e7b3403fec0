namespace Miosa.Server.Host;

/// <summary>Who asks: the key of the request, after it was checked.</summary>
internal sealed record Caller(string TenantId, string KeyId, IReadOnlySet<string> Scopes)
{
    public bool Has(string scope) => Scopes.Contains(scope) || Scopes.Contains(Miosa.Scopes.All);
}

/// <summary>The scope a route needs; null for a route open to everybody. Enforced in <see cref="Access"/> alone.</summary>
internal sealed record RouteAccess(string? Scope);

/// <summary>Marks a route that also takes the key as <c>?token=</c>.</summary>
internal sealed record KeyInQuery;

internal static class RouteAccessExtensions
{
    public static TBuilder Needs<TBuilder>(this TBuilder route, string scope)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(scope));

    public static TBuilder OpenToAll<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(Scope: null));

    /// <summary>The caller of a route with <see cref="Needs"/>.</summary>
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException($"route \"{context.Request.Path}\" has no caller");
}
