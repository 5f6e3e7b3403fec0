using Miosa.Http;

namespace Miosa;

/// <summary>Where machines run, and what can be made there. Any key may look.</summary>
/// <example>
/// <code>
/// var catalog = await client.Regions.GetCatalogAsync();
/// foreach (var template in catalog.Products[0].Templates)
///     Console.WriteLine($"{template.Name}: {template.ArtifactReadiness[0].State}");
/// </code>
/// </example>
public sealed class Regions
{
    private const string Path = "/compute";
    private const string TemplatesPath = Path + "/templates";

    private readonly Pipeline pipeline;

    internal Regions(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The regions of the server.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The regions, as they are now.</returns>
    public Task<IReadOnlyList<Region>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall, cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<Region> List() => pipeline.Send(ListCall);

    /// <summary>One region.</summary>
    /// <param name="regionSlug">Its name in calls.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The region, as it is now.</returns>
    /// <exception cref="NotFoundException">The server has no such region.</exception>
    public Task<Region> GetAsync(string regionSlug, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(regionSlug), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Region Get(string regionSlug) => pipeline.Send(GetCall(regionSlug));

    /// <summary>The named shapes of machines.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The sizes; some may be more than the server can give.</returns>
    public Task<IReadOnlyList<ComputeSize>> ListSizesAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(SizesCall, cancellationToken);

    /// <inheritdoc cref="ListSizesAsync"/>
    public IReadOnlyList<ComputeSize> ListSizes() => pipeline.Send(SizesCall);

    /// <summary>Products, templates, sizes and regions, and how fast each template starts now.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The catalogue.</returns>
    public Task<ComputeCatalog> GetCatalogAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(CatalogCall, cancellationToken);

    /// <inheritdoc cref="GetCatalogAsync"/>
    public ComputeCatalog GetCatalog() => pipeline.Send(CatalogCall);

    /// <summary>The templates that machines can be made of: the server's, and the tenant's that are ready.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The templates; at most 100.</returns>
    public Task<IReadOnlyList<ComputeTemplate>> ListTemplatesAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(TemplatesCall, cancellationToken);

    /// <inheritdoc cref="ListTemplatesAsync"/>
    public IReadOnlyList<ComputeTemplate> ListTemplates() => pipeline.Send(TemplatesCall);

    /// <summary>One such template.</summary>
    /// <param name="templateId">Its id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The template.</returns>
    /// <exception cref="NotFoundException">There is no such template, or it is not ready.</exception>
    public Task<ComputeTemplate> GetTemplateAsync(string templateId, CancellationToken cancellationToken = default) => pipeline.SendAsync(TemplateCall(templateId), cancellationToken);

    /// <inheritdoc cref="GetTemplateAsync"/>
    public ComputeTemplate GetTemplate(string templateId) => pipeline.Send(TemplateCall(templateId));

    private static Call<IReadOnlyList<Region>> ListCall => new(HttpMethod.Get, Path + "/regions", static answer => answer.Whole(WireJson.Default.PageRegion).Data);

    private static Call<Region> GetCall(string regionSlug) => new(HttpMethod.Get, Call.Item(Path + "/regions", regionSlug), static answer => answer.Object(WireJson.Default.Region));

    private static Call<IReadOnlyList<ComputeSize>> SizesCall => new(HttpMethod.Get, Path + "/sizes", static answer => answer.Whole(WireJson.Default.PageComputeSize).Data);

    private static Call<ComputeCatalog> CatalogCall => new(HttpMethod.Get, Path + "/catalog", static answer => answer.Object(WireJson.Default.ComputeCatalog));

    private static Call<IReadOnlyList<ComputeTemplate>> TemplatesCall => new(HttpMethod.Get, TemplatesPath, static answer => answer.Whole(WireJson.Default.PageComputeTemplate).Data);

    private static Call<ComputeTemplate> TemplateCall(string templateId) => new(HttpMethod.Get, Call.Item(TemplatesPath, templateId), static answer => answer.Object(WireJson.Default.ComputeTemplate));
}
