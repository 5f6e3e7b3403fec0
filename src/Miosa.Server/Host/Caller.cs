using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Host;

/// <summary>
/// Who asks: the key of the request, after it was checked. <paramref name="Scopes"/> is everything it may do, what follows from its scopes included.
/// </summary>
internal sealed record Caller(string TenantId, string KeyId, IReadOnlySet<string> Scopes)
{
    /// <summary>An administrator of the server. Its key has no tenant of its own; on the routes of a tenant it acts for the one that it names.</summary>
    public bool IsPlatform { get; init; }

    /// <summary>The one external user for whom the key acts: it sees and makes only that user's machines (<see cref="UserBound"/>).</summary>
    public string? BoundExternalUserId { get; init; }

    /// <summary>The one workspace in which it acts; only tokens have one.</summary>
    public string? BoundWorkspaceId { get; init; }

    /// <summary>The token that was sent in place of the key that made it.</summary>
    public string? TokenId { get; init; }

    /// <summary>When the key ends, and the rate of its own, if it has one: what it makes gets no more.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <inheritdoc cref="ExpiresAt"/>
    public int? RateLimitRpm { get; init; }

    public bool Sees(Machine machine) => machine.TenantId == TenantId
        && (BoundExternalUserId is null || machine.ExternalUserId == BoundExternalUserId)
        && (BoundWorkspaceId is null || machine.WorkspaceId == BoundWorkspaceId);

    public bool Has(string scope) => scope == RouteAccess.AnyKey || Scopes.Contains(scope);
}

/// <summary>The scope a route needs; null for a route open to everybody. Enforced in <see cref="Access"/> alone.</summary>
internal sealed record RouteAccess(string? Scope)
{
    /// <summary>Stands for no scope at all.</summary>
    public const string AnyKey = "";
}

/// <summary>Marks a route that also takes the key as <c>?token=</c> or, of a WebSocket, as the subprotocol <c>bearer.KEY</c>.</summary>
internal sealed record KeyInQuery;

/// <summary>Another scope that opens a route as well: its handler looks at what the key may do with what the path names.</summary>
internal sealed record OtherScope(string Scope);

/// <summary>Marks a route that is not about one machine and keeps by itself to what a key that acts for one external user may see.</summary>
internal sealed record KeepsToUser;

internal static class RouteAccessExtensions
{
    public static TBuilder Needs<TBuilder>(this TBuilder route, string scope)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(scope));

    /// <summary>For every valid key of a tenant, whatever its scopes.</summary>
    public static TBuilder NeedsAnyKey<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(RouteAccess.AnyKey));

    public static TBuilder OpenToAll<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAccess(Scope: null));

    /// <summary>Also for keys that act for one external user: the route looks at <see cref="Host.Caller.BoundExternalUserId"/> itself.</summary>
    public static TBuilder AlsoForOneUser<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new KeepsToUser());

    /// <summary>The caller of a route with <see cref="Needs"/>.</summary>
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException($"route \"{context.Request.Path}\" has no caller");
}
