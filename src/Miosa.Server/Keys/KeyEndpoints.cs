using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>The group API keys; the keys of any tenant for administrators have the same handlers.</summary>
internal sealed class KeyEndpoints(KeySet keys, ApiKeys live, KeyFields fields, ScopedTokens tokens, TimeProvider time)
{
    private const int DefaultPerPage = 50;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<KeyEndpoints>();
        var reads = api.ServiceProvider.GetRequiredService<KeyFields>();
        api.Map("GET", "/api-keys", it.ListAsync).Needs(Scopes.ApiKeysRead);
        api.Map("POST", "/api-keys", context => it.CreateAsync(context, reads.Create)).Needs(Scopes.ApiKeysWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("POST", "/api-keys/scoped", context => it.CreateAsync(context, reads.CreateScoped)).Needs(Scopes.ApiKeysWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("GET", "/api-keys/{key_id}", it.GetAsync).Needs(Scopes.ApiKeysRead);
        api.Map("DELETE", "/api-keys/{key_id}", it.RevokeAsync).Needs(Scopes.ApiKeysWrite);
        api.Map("POST", "/api-keys/{key_id}/revoke", it.RevokeAsync).Needs(Scopes.ApiKeysWrite);
        api.Map("POST", "/tokens/scoped", it.CreateTokenAsync).Needs(Scopes.ApiKeysWrite);

        const string OfTenant = "/admin/tenants/{tenant_id}/keys";
        api.Map("GET", OfTenant, it.ListAsync).Needs(ScopeSet.Administration);
        api.Map("POST", OfTenant, context => it.CreateAsync(context, reads.Create)).Needs(ScopeSet.Administration).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("DELETE", OfTenant + "/{key_id}", it.RevokeAsync).Needs(ScopeSet.Administration);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var asked = new Fields([]);
        var paging = Paging.Read(context.Request.Query, asked, DefaultPerPage);
        if (asked.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var (rows, total) = await keys.ListAsync(context.Caller().TenantId, paging, context.RequestAborted);
        return Reply.List(paging.Of(rows, total, row => Of(row), row => row.Id), WireJson.Default.PageApiKey);
    }

    private async Task<IResult> GetAsync(HttpContext context) =>
        await keys.FindAsync(context.Caller().TenantId, context.PathValue("key_id"), context.RequestAborted) is { } row
            ? Reply.One(Of(row), WireJson.Default.ApiKey)
            : Reply.Refuse(Refusal.NotFound("API key"));

    private async Task<IResult> CreateAsync(HttpContext context, Func<Fields, Caller, (NewKey?, Refusal?)> read)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (wanted, no) = read(body, context.Caller());
        if (wanted is null)
            return Reply.Refuse(no!); // one of the two is always there
        var (row, text) = await keys.CreateAsync(wanted, context.RequestAborted);
        return Reply.NotStored(context, Reply.One(Of(row, text), WireJson.Default.ApiKey, 201));
    }

    private async Task<IResult> RevokeAsync(HttpContext context)
    {
        var id = context.PathValue("key_id");
        if (!await keys.RevokeAsync(context.Caller().TenantId, id, context.RequestAborted))
            return Reply.Refuse(Refusal.NotFound("API key"));
        if (id == context.Caller().KeyId)
            context.Features.Get<RequestEnd>()?.LetGo();
        // Not cancelled: what it had open must end, also when whoever revoked it has gone.
        await live.LookAgainAsync(CancellationToken.None);
        return Reply.Nothing();
    }

    private async Task<IResult> CreateTokenAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (claims, no) = fields.CreateToken(body, context.Caller());
        return claims is null
            ? Reply.Refuse(no!) // one of the two is always there
            : Reply.NotStored(context, Reply.One(
                new ScopedToken { Token = tokens.Write(claims), ExpiresAt = claims.ExpiresAt, Scopes = claims.Scopes }, WireJson.Default.ScopedToken, 201));
    }

    private ApiKey Of(KeyRow row, string? secret = null) => new()
    {
        Id = row.Id,
        TenantId = row.TenantId,
        Name = row.Name,
        Prefix = row.Prefix,
        KeyPrefix = row.Prefix,
        Scopes = row.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        KeyType = row.Type,
        KeyPurpose = row.Purpose,
        Purpose = row.Purpose,
        RateLimitRpm = fields.RateOf(row.RateLimitRpm),
        Status = row.RevokedAt is not null ? ApiKeyStatus.Revoked : row.ExpiresAt <= time.GetUtcNow() ? ApiKeyStatus.Expired : ApiKeyStatus.Active,
        ExternalUserId = row.ExternalUserId,
        ExpiresAt = row.ExpiresAt,
        LastUsedAt = row.LastUsedAt,
        Metadata = JsonNode.Parse(row.Metadata) as JsonObject ?? [],
        CreatedAt = row.CreatedAt,
        Token = secret,
        Key = secret,
    };
}
