using Miosa.Http;

namespace Miosa;

/// <summary>The key's tenant, and what it sets once for its whole product: how it looks, the domain of its previews, the rules for its sandboxes.</summary>
public sealed class Tenant
{
    private readonly Pipeline pipeline;

    internal Tenant(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        Branding = new TenantBranding(pipeline);
        PreviewDomain = new TenantPreviewDomain(pipeline);
        Policy = new TenantPolicy(pipeline);
    }

    /// <summary>Name, logo and colours.</summary>
    public TenantBranding Branding { get; }

    /// <summary>The domain below which previews have their names.</summary>
    public TenantPreviewDomain PreviewDomain { get; }

    /// <summary>Default limits and caps.</summary>
    public TenantPolicy Policy { get; }

    /// <summary>The tenant with its plan, its limits and what it has now.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The tenant.</returns>
    public Task<TenantPlan> CurrentAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(CurrentCall(), cancellationToken);

    /// <inheritdoc cref="CurrentAsync"/>
    public TenantPlan Current() => pipeline.Send(CurrentCall());

    private static Call<TenantPlan> CurrentCall() => new(HttpMethod.Get, "/tenant/plan", static answer => answer.Object(WireJson.Default.TenantPlan));
}
