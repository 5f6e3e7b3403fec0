using Miosa.Server.Audit;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Limits;
using Miosa.Server.Previews;

namespace Miosa.Server.Viewer;

/// <summary>What lets somebody see a desktop, and use it.</summary>
/// <param name="Computer">Whose desktop.</param>
/// <param name="MayControl">Or only look.</param>
/// <param name="Caller">There when a key let him in, and not a token.</param>
internal sealed record ViewerPass(Resident Computer, bool MayControl, Caller? Caller);

/// <summary>
/// Who may see a desktop live: whoever has a stream token of the computer (a browser sends nothing else), or a key. From here on the request ends with the
/// token, with the key that made it and with the viewer password it was got with.
/// </summary>
internal sealed class ViewerAccess(Access access, ApiKeys keys, MachineDirectory directory, AddressLimits addresses, TimeProvider time)
{
    private const string BearerProtocol = "bearer.";

    private static readonly HashSet<string> NoScopes = [];

    /// <summary>The computer of the path, by its id alone; for those who have no tenant to look in.</summary>
    public Resident? Find(HttpContext context) => Find(context.PathValue(MachinePaths.ComputerId));

    public Resident? Find(string id) => directory.Find(id) is { Row: { IsComputer: true, IsLive: true } } found ? found : null;

    public static string? TokenOf(HttpRequest request) => request.Query[ViewerAddress.TokenParameter].ToString() is { Length: > 0 } token ? token : null;

    public async ValueTask<(ViewerPass? Pass, Refusal? Refusal)> CheckAsync(HttpContext context) =>
        TokenOf(context.Request) is { } token ? await OfTokenAsync(context, token) : await OfKeyAsync(context);

    /// <summary>429 for an address that has no try left. A good token works all the same: it is looked up in memory, and nobody guesses one.</summary>
    public Refusal? Blocked(HttpContext context) => addresses.IsBlocked(context.Connection.RemoteIpAddress);

    /// <summary>Counts a bad try: 401, or 429 for one too many.</summary>
    public Refusal Denied(HttpContext context, string message) => addresses.Refuse(context.Connection.RemoteIpAddress) ?? Refusal.Unauthorized(message);

    private async ValueTask<(ViewerPass? Pass, Refusal? Refusal)> OfTokenAsync(HttpContext context, string token)
    {
        const string message = "the stream token is unknown, over or revoked: ask for a new one (POST /computers/{id}/stream-token)";
        if (Find(context) is not { } computer || GrantText.HashOf(token) is not { } hash || computer.Previews.OpenStream(hash, time.GetUtcNow()) is not { } grant)
            return (null, Denied(context, message));
        LiveKey? held = null;
        if (grant.Row.KeyId is { } keyId)
        {
            var found = await keys.OfIdAsync(keyId, context.Connection.RemoteIpAddress, context.RequestAborted);
            if (found.Key is not { } key)
                return (null, found.Refusal?.Code == ErrorCodes.RateLimitExceeded ? found.Refusal : Refusal.Unauthorized(message));
            held = key;
            context.Response.RegisterForDispose(new RequestEnd(context, key.Row.ExpiresAt, time, key, key.Ended));
        }
        context.Response.RegisterForDispose(new RequestEnd(context, grant.Row.ExpiresAt, time, held: null, grant.Ended));
        // The page makes nothing; who looks is told of by the socket.
        if (context.WebSockets.IsWebSocketRequest)
            context.Features.Get<AuditCall>()?.By(new Caller(computer.Row.TenantId, grant.Row.KeyId ?? grant.Row.Id, NoScopes), held?.Row.Name ?? "viewer password");
        return (new ViewerPass(computer, grant.Row.MayWrite, Caller: null), null);
    }

    private async ValueTask<(ViewerPass? Pass, Refusal? Refusal)> OfKeyAsync(HttpContext context)
    {
        // A browser can send a subprotocol with a WebSocket and no header.
        if (context.Request.Headers.Authorization.Count == 0
            && context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(name => name.StartsWith(BearerProtocol, StringComparison.Ordinal)) is { } protocol)
            context.Request.Headers.Authorization = "Bearer " + protocol[BearerProtocol.Length..];
        var (caller, refusal) = await access.CheckAsync(context, Scopes.ComputersRead);
        if (caller is null)
            return (null, refusal);
        context.Features.Set(caller);
        return directory.Find(caller.TenantId, context.PathValue(MachinePaths.ComputerId), MachineKind.Computer) is { } computer
            ? (new ViewerPass(computer, caller.Has(Scopes.ComputersWrite), caller), null)
            : (null, Refusal.NotFound(MachineKind.Computer));
    }
}
