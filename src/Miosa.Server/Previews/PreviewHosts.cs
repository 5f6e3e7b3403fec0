using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.PreviewDomains;

namespace Miosa.Server.Previews;

/// <summary>The host name of a preview, whether or not there is one.</summary>
/// <param name="Port">0 for a name that cannot exist.</param>
/// <param name="Part">The machine's part; empty for a name that cannot exist.</param>
/// <param name="TenantId">Whose domain it is; null for the server's own.</param>
internal readonly record struct PreviewName(int Port, string Part, string? TenantId);

/// <summary>
/// Names of previews: <c>PORT-PART.DOMAIN</c>. The part of a machine ends with twelve random characters of its id, so that no two machines of any
/// tenants ever share an origin, not even one after the other: what browsers keep for an origin must not come into another's hands.
/// The domain is the server's, or one that a tenant has proven: that one leads to the tenant's own machines alone.
/// </summary>
internal sealed class PreviewHosts
{
    public const int MaxPort = 65_535;

    private const int OwnLength = 12;
    private const int MaxSlug = 40;

    /// <summary>The contract's longer form of the same name.</summary>
    private const string Inner = ".sandbox";

    private readonly ProvenDomains domains;
    private readonly string suffix;
    private readonly string portText;

    public PreviewHosts(ServerSettings settings, ProvenDomains domains)
    {
        this.domains = domains;
        var hasScheme = settings.PreviewDomain.Contains("://", StringComparison.Ordinal);
        var listens = settings.Urls.Split(';')[0].Trim();
        var text = hasScheme ? settings.PreviewDomain : $"{listens.Split("://")[0]}://{settings.PreviewDomain}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.PathAndQuery != "/"
            || address.HostNameType != UriHostNameType.Dns || address.UserInfo.Length > 0)
            throw new SettingsException($"--preview-domain: must be a domain name, or http(s)://DOMAIN[:PORT], got \"{settings.PreviewDomain}\"");
        Domain = address.IdnHost.ToLowerInvariant().TrimEnd('.');
        Scheme = address.Scheme;
        suffix = "." + Domain;
        // Without a scheme and port of its own it is reached where the API is.
        var port = hasScheme || !address.IsDefaultPort ? address.Port : PortOf(listens) ?? address.Port;
        portText = port == (Scheme == "https" ? 443 : 80) ? "" : string.Create(CultureInfo.InvariantCulture, $":{port}");
    }

    /// <summary>The server's own, for tenants without one.</summary>
    public string Domain { get; }

    /// <summary>How browsers reach previews; https as well when something in front of the server speaks TLS.</summary>
    public string Scheme { get; }

    /// <summary>The random end of an id or of a host part.</summary>
    public static string OwnPart(string id) => id.Length <= OwnLength ? id : id[^OwnLength..];

    /// <summary>The machine's part of its host names.</summary>
    public static string PartOf(Machine row)
    {
        var own = OwnPart(row.Id);
        return row.Slug == own ? own : $"{row.Slug[..Math.Min(row.Slug.Length, MaxSlug)].TrimEnd('-')}-{own}";
    }

    public static string LabelOf(Machine row, int port) => string.Create(CultureInfo.InvariantCulture, $"{port}-{PartOf(row)}");

    public string UrlOf(Machine row, int port) => $"{Scheme}://{LabelOf(row, port)}.{DomainOf(row.TenantId)}{portText}";

    /// <summary>The domain of a tenant's previews: its own once it is proven.</summary>
    public string DomainOf(string tenantId) => domains.DomainOf(tenantId) ?? Domain;

    /// <summary>Where the CNAME of a tenant's domain must lead: a name of ours that says which tenant is meant. No preview's name begins so.</summary>
    public string TargetOf(string tenantId) => $"d-{DomainLook.WordOf(tenantId)}{suffix}";

    /// <summary>Null when the host is no preview's.</summary>
    public PreviewName? Parse(HostString host)
    {
        var name = host.Host.ToLowerInvariant();
        if (name.EndsWith('.'))
            name = name[..^1];
        // The API may have a name below a preview domain; no number and hyphen, no preview.
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        if (dash < 1 || name.AsSpan(0, dash).ContainsAnyExceptInRange('0', '9'))
            return null;
        if (name.EndsWith(suffix, StringComparison.Ordinal))
            return Of(name[..^suffix.Length], dash, tenantId: null);
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
            return null;
        var rest = name[(dot + 1)..];
        if (domains.TenantOf(rest) is { } owner)
            return Of(name[..dot], dash, owner);
        return rest.StartsWith(Inner[1..] + ".", StringComparison.Ordinal) && domains.TenantOf(rest[Inner.Length..]) is { } inner ? Of(name[..dot], dash, inner) : null;
    }

    private static PreviewName Of(string label, int dash, string? tenantId)
    {
        if (label.EndsWith(Inner, StringComparison.Ordinal))
            label = label[..^Inner.Length];
        return label.Length > dash + 1 && TryPort(label.AsSpan(0, dash), out var port) && !label.Contains('.', StringComparison.Ordinal)
            ? new PreviewName(port, label[(dash + 1)..], tenantId)
            : new PreviewName(0, "", tenantId);
    }

    /// <summary>A port as a name has it: no sign, no leading zero, or one preview would have many origins.</summary>
    public static bool TryPort(ReadOnlySpan<char> text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= MaxPort && text[0] != '0';

    private static int? PortOf(string url)
    {
        // Not a Uri: a server listens on "http://*:8484", too.
        var colon = url.LastIndexOf(':');
        return int.TryParse(url[(colon + 1)..].TrimEnd('/'), NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : null;
    }
}
