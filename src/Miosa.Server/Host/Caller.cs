namespace Miosa.Server.Host;

/// <summary>
/// Who asks: the key of the request, after it was checked. <paramref name="Scopes"/> is everything it may do, what follows from its scopes included.
/// </summary>
internal sealed record Caller(string TenantId, string KeyId, IReadOnlySet<string> Scopes)
{
    /// <summary>An administrator of the server. Its key has no tenant of its own; on the routes of a tenant it acts for the one that it names.</summary>
    public bool IsPlatform { get; init; }

    /// <summary>The one external user for whom the key acts: it sees and makes only that user's machines.</summary>
    public string? BoundExternalUserId { get; init; }

    public bool Has(string scope) => scope == RouteAccess.AnyKey || Scopes.Contains(scope);
}

/// <summary>The scope a route needs; null for a route open to everybody. Enforced in <see cref="Access"/> alone.</summary>
internal sealed record RouteAccess(string? Scope)
{
    /// <summary>Stands for no scope at all.</summary>
    public const string AnyKey = "";
}

/// <summary>Marks a route that also takes the key as <c>?token=</c>.</summary>
internal sealed record KeyInQuery;

internal static class RouteAccessExtensions
{
    public static TBuilder Needs<TBuilder>(this TBuilder route, string scope)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(scope));

    /// <summary>For every valid key of a tenant, whatever its scopes.</summary>
    public static TBuilder NeedsAnyKey<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(RouteAccess.AnyKey));

    public static TBuilder OpenToAll<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(Scope: null));

    /// <summary>The caller of a route with <see cref="Needs"/>.</summary>
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException($"route \"{context.Request.Path}\" has no caller");
}
