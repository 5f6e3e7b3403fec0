using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Branding;

/// <summary>The branding of a tenant, under both its paths: one replaces, the other merges.</summary>
internal sealed class BrandingEndpoints(TenantRows<BrandingRow> brandings, TimeProvider time)
{
    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<BrandingEndpoints>();
        api.Map("GET", "/tenant/branding", it.GetAsync).Needs(Scopes.TenantRead);
        api.Map("PUT", "/tenant/branding", context => it.PutAsync(context, merges: false)).Needs(Scopes.TenantWrite);
        api.Map("DELETE", "/tenant/branding", it.DeleteAsync).Needs(Scopes.TenantWrite);
        api.Map("GET", "/settings/branding", it.GetAsync).Needs(Scopes.SettingsRead);
        api.Map("PUT", "/settings/branding", context => it.PutAsync(context, merges: true)).Needs(Scopes.SettingsWrite);
    }

    private Task<IResult> GetAsync(HttpContext context) => Task.FromResult(Told(brandings.Of(context.Caller().TenantId)));

    private async Task<IResult> PutAsync(HttpContext context, bool merges)
    {
        var tenant = context.Caller().TenantId;
        var (fields, refusal) = await BrandingFields.ReadAsync(context);
        if (fields is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        var now = time.GetUtcNow();
        var (whole, faults) = fields.Whole(tenant, now);
        if (whole is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var row = await brandings.ChangeAsync(tenant, (_, old) => merges && old is not null ? fields.Over(old with { UpdatedAt = now }).Row : whole, context.RequestAborted);
        return Told(row);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        await brandings.ChangeAsync(context.Caller().TenantId, (_, _) => null, context.RequestAborted);
        return Reply.Nothing();
    }

    /// <summary>Three times the same, as the clients read it: flat, under <c>branding</c> (null when nothing is set) and under <c>data</c>.</summary>
    private static IResult Told(BrandingRow? row)
    {
        var branding = JsonSerializer.SerializeToNode(Of(row), WireJson.Default.Branding) as JsonObject ?? [];
        var body = (JsonObject)branding.DeepClone();
        body["branding"] = row is null ? null : branding.DeepClone();
        body["data"] = branding;
        return Reply.Bare(body, WireJson.Default.JsonObject);
    }

    private static Miosa.Branding Of(BrandingRow? row) => row is null ? new() : new()
    {
        ProductName = row.ProductName,
        Name = row.ProductName,
        AppName = row.ProductName,
        LogoUrl = row.LogoUrl,
        FaviconUrl = row.FaviconUrl,
        SupportUrl = row.SupportUrl,
        SupportEmail = row.SupportEmail,
        PrimaryColor = row.PrimaryColor,
        BackgroundColor = row.BackgroundColor,
        Wordmark = row.Wordmark,
        CustomCss = row.CustomCss,
        UpdatedAt = row.UpdatedAt,
    };
}
