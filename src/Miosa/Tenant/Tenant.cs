using Miosa.Http;

namespace Miosa;

/// <summary>What the key's tenant sets once for its whole product: how it looks, the domain of its previews, the rules for its sandboxes.</summary>
public sealed class Tenant
{
    internal Tenant(Pipeline pipeline)
    {
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
}
