using Miosa.Server.Host;

namespace Miosa.Server.Regions;

/// <summary>The group Regions, but for prices; every valid key may look.</summary>
internal sealed class RegionEndpoints(RegionSet regions, Catalog catalog)
{
    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<RegionEndpoints>();
        foreach (var path in (string[])["/regions", "/compute/regions"])
        {
            api.Map("GET", path, it.ListAsync).NeedsAnyKey();
            api.Map("GET", path + "/{region_slug}", it.GetAsync).NeedsAnyKey();
        }
        api.Map("GET", "/settings/regions", it.ListAsync).Needs(Scopes.SettingsRead);
        api.Map("GET", "/compute/sizes", it.SizesAsync).NeedsAnyKey();
        api.Map("GET", "/compute/catalog", it.CatalogAsync).NeedsAnyKey();
        api.Map("GET", "/compute/templates", it.TemplatesAsync).NeedsAnyKey();
        api.Map("GET", "/compute/templates/{template_id}", it.TemplateAsync).NeedsAnyKey();
    }

    private Task<IResult> ListAsync(HttpContext context) =>
        Task.FromResult(Reply.ListOf(context, regions.Of(context.Caller().TenantId), WireJson.Default.PageRegion));

    private Task<IResult> GetAsync(HttpContext context) => Task.FromResult(
        regions.Of(context.Caller().TenantId).FirstOrDefault(region => region.Slug == context.PathValue("region_slug")) is { } region
            ? Reply.One(region, WireJson.Default.Region)
            : Reply.Refuse(Refusal.NotFound("region")));

    private Task<IResult> SizesAsync(HttpContext context) => Task.FromResult(Reply.ListOf(context, catalog.Sizes(), WireJson.Default.PageComputeSize));

    private async Task<IResult> CatalogAsync(HttpContext context) =>
        Reply.One(await catalog.OfAsync(context.Caller().TenantId, context.RequestAborted), WireJson.Default.ComputeCatalog);

    private async Task<IResult> TemplatesAsync(HttpContext context)
    {
        var offers = await catalog.OffersAsync(context.Caller().TenantId, context.RequestAborted);
        return Reply.ListOf(context, [.. offers.Select(offer => offer.Template)], WireJson.Default.PageComputeTemplate);
    }

    private async Task<IResult> TemplateAsync(HttpContext context)
    {
        var id = context.PathValue("template_id");
        var offers = await catalog.OffersAsync(context.Caller().TenantId, context.RequestAborted);
        return offers.FirstOrDefault(offer => offer.Template.Id == id || offer.Template.Slug == id) is { } found
            ? Reply.One(found.Template, WireJson.Default.ComputeTemplate)
            : Reply.Refuse(Refusal.NotFound("template"));
    }
}
