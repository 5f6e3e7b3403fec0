namespace Miosa.Server.Branding;

/// <summary>What a tenant set of its branding; a tenant without any has no row.</summary>
internal sealed record BrandingRow
{
    public required string TenantId { get; init; }
    public string? ProductName { get; init; }
    public string? LogoUrl { get; init; }
    public string? FaviconUrl { get; init; }
    public string? SupportUrl { get; init; }
    public string? SupportEmail { get; init; }
    public string? PrimaryColor { get; init; }
    public string? BackgroundColor { get; init; }
    public string? Wordmark { get; init; }
    public string? CustomCss { get; init; }
    public DateTimeOffset UpdatedAt { get; init; }
}
