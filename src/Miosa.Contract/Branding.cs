namespace Miosa;

/// <summary>How a tenant's product looks. Every field is null until it is set.</summary>
public sealed record Branding
{
    /// <summary>Name of the product, shown on pages of previews.</summary>
    public string? ProductName { get; init; }

    /// <summary>The same as <see cref="ProductName"/>.</summary>
    public string? Name { get; init; }

    /// <summary>The same as <see cref="ProductName"/>.</summary>
    public string? AppName { get; init; }

    /// <summary>Address of the logo, shown on pages of previews.</summary>
    public string? LogoUrl { get; init; }

    /// <summary>Address of the icon that browsers show beside the title.</summary>
    public string? FaviconUrl { get; init; }

    /// <summary>Address of the support page, linked from pages of previews.</summary>
    public string? SupportUrl { get; init; }

    /// <summary>Address for mail to the support; linked where there is no support page.</summary>
    public string? SupportEmail { get; init; }

    /// <summary>Accent colour, <c>#rgb</c> or <c>#rrggbb</c>.</summary>
    public string? PrimaryColor { get; init; }

    /// <summary>Background colour, <c>#rgb</c> or <c>#rrggbb</c>.</summary>
    public string? BackgroundColor { get; init; }

    /// <summary>The product's name as it is written beside a logo.</summary>
    public string? Wordmark { get; init; }

    /// <summary>Style rules for pages of your own; kept for you, never applied to ours.</summary>
    public string? CustomCss { get; init; }

    /// <summary>Last change; null when nothing is set.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>Branding to set.</summary>
public sealed record BrandingRequest
{
    /// <summary>Name of the product, at most 200 characters of any script.</summary>
    public string? ProductName { get; init; }

    /// <summary>Logo, an https address of at most 2,048 characters.</summary>
    public string? LogoUrl { get; init; }

    /// <summary>Icon, an https address of at most 2,048 characters.</summary>
    public string? FaviconUrl { get; init; }

    /// <summary>Support page, an https address of at most 2,048 characters.</summary>
    public string? SupportUrl { get; init; }

    /// <summary>Address for mail to the support.</summary>
    public string? SupportEmail { get; init; }

    /// <summary>Accent colour, <c>#rgb</c> or <c>#rrggbb</c>.</summary>
    public string? PrimaryColor { get; init; }

    /// <summary>Background colour, <c>#rgb</c> or <c>#rrggbb</c>.</summary>
    public string? BackgroundColor { get; init; }

    /// <summary>The product's name as it is written beside a logo, at most 200 characters.</summary>
    public string? Wordmark { get; init; }

    /// <summary>Style rules for pages of your own, at most 16,384 characters.</summary>
    public string? CustomCss { get; init; }
}
