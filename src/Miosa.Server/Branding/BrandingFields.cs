using System.Buffers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Branding;

/// <summary>
/// The body of a branding call. Whoever reads a page of ours is not its author: every value that comes to stand in one is bounded here by what it
/// means, and escaped there.
/// </summary>
internal sealed partial class BrandingFields
{
    public const int MaxName = 200;
    public const int MaxUrl = 2048;
    public const int MaxCss = 16 * 1024;

    private static readonly Aliases Names = new Aliases().Add("product_name", "name", "app_name");

    private static readonly SearchValues<char> NotInAddresses = SearchValues.Create(" \"'<>\\`");

    private readonly Fields fields;

    private BrandingFields(Fields fields) => this.fields = fields;

    [GeneratedRegex(@"\A#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\z")]
    private static partial Regex Color();

    [GeneratedRegex(@"\A[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](-?[A-Za-z0-9])*(\.[A-Za-z0-9](-?[A-Za-z0-9])*)+\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Email();

    [GeneratedRegex(@"\A[^\p{Cc}\u2028\u2029]*\z")]
    private static partial Regex OneLine();

    /// <summary>Flat, or whole under <c>branding</c>: then what stands beside it does not count.</summary>
    public static async Task<(BrandingFields? Fields, Refusal? Refusal)> ReadAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return (null, refusal);
        if (!body.Body.ContainsKey("branding"))
            return (new BrandingFields(new Fields(Names.Apply(body.Body))), null);
        var wrapped = body.Object("branding");
        return body.Errors() is { } faults ? (null, faults) : (new BrandingFields(new Fields(Names.Apply((JsonObject?)wrapped?.DeepClone() ?? []))), null);
    }

    /// <summary>The branding of the body alone.</summary>
    public (BrandingRow? Row, Refusal? Refusal) Whole(string tenantId, DateTimeOffset now) => Over(new BrandingRow { TenantId = tenantId, UpdatedAt = now });

    /// <summary>What the body names, over what was: absent stays, null goes.</summary>
    public (BrandingRow? Row, Refusal? Refusal) Over(BrandingRow old)
    {
        var row = old with
        {
            ProductName = Of("product_name", old.ProductName, name => Line(name, MaxName)),
            LogoUrl = Of("logo_url", old.LogoUrl, Url),
            FaviconUrl = Of("favicon_url", old.FaviconUrl, Url),
            SupportUrl = Of("support_url", old.SupportUrl, Url),
            SupportEmail = Of("support_email", old.SupportEmail, name => fields.Text(name, 254, Email(), "must be a mail address, such as help@acme.com")),
            PrimaryColor = Of("primary_color", old.PrimaryColor, ColorOf),
            BackgroundColor = Of("background_color", old.BackgroundColor, ColorOf),
            Wordmark = Of("wordmark", old.Wordmark, name => Line(name, MaxName)),
            CustomCss = Of("custom_css", old.CustomCss, name => fields.Text(name, MaxCss, allowEmpty: true)),
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (row, null);
    }

    private string? Of(string name, string? old, Func<string, string?> read) => fields.Body.ContainsKey(name) ? read(name) : old;

    private string? Line(string name, int max) => fields.Text(name, max, OneLine(), "must be one line of text without control characters");

    private string? ColorOf(string name) => fields.Text(name, 32, Color(), "must be a colour like #f60 or #ff6600");

    private string? Url(string name)
    {
        if (fields.Text(name, MaxUrl) is not { } text)
            return null;
        if (OriginOf(text) is null)
            fields.Fail(name, "must be an address that begins with https:// and a host name, without a user name and without blanks, quotes or angle brackets");
        return text;
    }

    /// <summary>Scheme, host and port of an https address, in the characters that a header may have; null when it is no such address.</summary>
    public static string? OriginOf(string text)
    {
        if (text.AsSpan().ContainsAny(NotInAddresses) || text.Any(char.IsControl)
            || !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme != Uri.UriSchemeHttps || uri.UserInfo.Length > 0)
            return null;
        var host = uri.HostNameType == UriHostNameType.IPv6 ? uri.Host : uri.IdnHost;
        return host.Length > 0 && host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '[' or ']') ? $"https://{host.ToLowerInvariant()}{(uri.IsDefaultPort ? "" : ":" + uri.Port)}" : null;
    }
}
