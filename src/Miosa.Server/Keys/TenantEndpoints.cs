using Miosa.Server.Host;

namespace Miosa.Server.Keys;

/// <summary>Tenants, for administrators. Ours beyond the contract, which knows one tenant per key.</summary>
internal sealed class TenantEndpoints(TenantSet tenants, ApiKeys live)
{
    private const int MaxName = 100;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<TenantEndpoints>();
        api.Map("GET", "/admin/tenants", it.ListAsync).Needs(ScopeSet.Administration);
        api.Map("POST", "/admin/tenants", it.CreateAsync).Needs(ScopeSet.Administration).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("GET", "/admin/tenants/{tenant_id}", it.GetAsync).Needs(ScopeSet.Administration);
        api.Map("DELETE", "/admin/tenants/{tenant_id}", it.DeleteAsync).Needs(ScopeSet.Administration);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var asked = new Fields([]);
        var paging = Paging.Read(context.Request.Query, asked) with { Cursor = null };
        if (asked.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var (rows, total) = await tenants.ListAsync(paging, context.RequestAborted);
        return Reply.List(paging.Of(rows, total), WireJson.Default.PageTenantInfo);
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (!body.Has("name"))
            body.Fail("name", "is required");
        var name = body.Text("name", MaxName);
        if (name?.Any(char.IsControl) == true || name?.Trim().Length != name?.Length)
            body.Fail("name", "must have no control characters and no blanks at its ends");
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        var (tenant, no) = await tenants.CreateAsync(name!, context.RequestAborted); // a missing one is refused above
        return tenant is null
            ? Reply.Refuse(no!) // one of the two is always there
            : Reply.One(new TenantInfo { Id = tenant.Id, Name = tenant.Name, CreatedAt = tenant.CreatedAt }, WireJson.Default.TenantInfo, 201);
    }

    // The route names the tenant of the call, so that an unknown one is refused before.
    private async Task<IResult> GetAsync(HttpContext context) =>
        await tenants.InfoAsync(context.Caller().TenantId, context.RequestAborted) is { } tenant
            ? Reply.One(tenant, WireJson.Default.TenantInfo)
            : Reply.Refuse(Refusal.NotFound("tenant"));

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        if (await tenants.DeleteAsync(context.Caller().TenantId, context.RequestAborted) is { } refusal)
            return Reply.Refuse(refusal);
        await live.LookAgainAsync(CancellationToken.None);
        return Reply.Nothing();
    }
}
