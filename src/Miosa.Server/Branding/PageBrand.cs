using System.Globalization;
using System.Net;

namespace Miosa.Server.Branding;

/// <summary>
/// What a tenant's branding adds to a page of ours: HTML that is whole by itself, and colours. Everything in it is escaped here; the page's policy
/// loads pictures from the origins named in <see cref="ImageSources"/> and from nowhere else.
/// </summary>
internal sealed record PageBrand(string Head, string Above, string Below, string Style, IReadOnlyList<string> ImageSources)
{
    public static readonly PageBrand None = new("", "", "", "", []);

    public static PageBrand Of(BrandingRow? row)
    {
        if (row is null)
            return None;
        var sources = new List<string>();
        var name = row.Wordmark ?? row.ProductName;
        var logo = Url(row.LogoUrl, sources) is { } logoUrl ? $"""<img src="{logoUrl}" alt="{Text(row.ProductName ?? "")}">""" : "";
        var above = logo.Length + (name?.Length ?? 0) == 0 ? "" : $"<header>{logo}{(name is null ? "" : $"<b>{Text(name)}</b>")}</header>";
        var head = Url(row.FaviconUrl, sources) is { } icon ? $"""<link rel="icon" href="{icon}">""" : "";
        var below = (Url(row.SupportUrl), row.SupportEmail) switch
        {
            ({ } page, _) => Link(page),
            (_, { } mail) => Link("mailto:" + Text(Uri.EscapeDataString(mail).Replace("%40", "@", StringComparison.Ordinal))),
            _ => "",
        };
        return new PageBrand(head, above, below, StyleOf(row), sources);
    }

    private static string Link(string address) => $"""<footer><a href="{address}" target="_blank" rel="noopener noreferrer">Support</a></footer>""";

    private static string StyleOf(BrandingRow row)
    {
        var style = "";
        if (Color(row.PrimaryColor) is { } primary)
            style += $"i{{border-top-color:#{primary:x6}}}a,header b{{color:#{primary:x6}}}";
        if (Color(row.BackgroundColor) is { } background)
        {
            // On whatever was chosen the text must be readable; the choice holds in the dark as well.
            var isDark = Luminance(background) < 0.4;
            var (text, faint) = isDark ? ("#f2f4f7", "#c3cad5") : ("#1c2430", "#4a5464");
            style += $"body{{background:#{background:x6}!important;color:{text}!important}}p{{color:{faint}!important}}";
        }
        return style;
    }

    private static double Luminance(int color) => ((0.2126 * ((color >> 16) & 255)) + (0.7152 * ((color >> 8) & 255)) + (0.0722 * (color & 255))) / 255;

    /// <summary>As a number: what is no colour, whoever wrote it into the row, comes into no style.</summary>
    private static int? Color(string? text) => text switch
    {
        ['#', .. { Length: 6 } six] when int.TryParse(six, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var color) => color,
        ['#', var r, var g, var b] when int.TryParse($"{r}{r}{g}{g}{b}{b}", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var color) => color,
        _ => null,
    };

    private static string? Url(string? text, List<string>? sources = null)
    {
        if (text is null || BrandingFields.OriginOf(text) is not { } origin)
            return null;
        if (sources?.Contains(origin) == false)
            sources.Add(origin);
        return Text(new Uri(text).AbsoluteUri);
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
