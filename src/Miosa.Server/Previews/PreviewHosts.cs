using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Previews;

/// <summary>
/// Names of previews: <c>PORT-PART.DOMAIN</c>. The part of a machine ends with twelve random characters of its id, so that no two machines of any
/// tenants ever share an origin, not even one after the other: what browsers keep for an origin must not come into another's hands.
/// </summary>
internal sealed class PreviewHosts
{
    public const int MaxPort = 65_535;

    private const int OwnLength = 12;
    private const int MaxSlug = 40;

    /// <summary>The contract's longer form of the same name.</summary>
    private const string Inner = ".sandbox";

    private readonly string suffix;
    private readonly string portText;

    public PreviewHosts(ServerSettings settings)
    {
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

    public string UrlOf(Machine row, int port) => $"{Scheme}://{LabelOf(row, port)}{suffix}{portText}";

    /// <summary>True when the host is a preview's, whether or not there is one: <paramref name="part"/> is then empty for a name that cannot exist.</summary>
    public bool TryParse(HostString host, out int port, out string part)
    {
        (port, part) = (0, "");
        var name = host.Host.ToLowerInvariant();
        if (name.EndsWith('.'))
            name = name[..^1];
        if (!name.EndsWith(suffix, StringComparison.Ordinal))
            return false;
        var label = name[..^suffix.Length];
        var dash = label.IndexOf('-', StringComparison.Ordinal);
        // The API may have a name below the preview domain; no number and hyphen, no preview.
        if (dash < 1 || label.AsSpan(0, dash).ContainsAnyExceptInRange('0', '9'))
            return false;
        if (label.EndsWith(Inner, StringComparison.Ordinal))
            label = label[..^Inner.Length];
        if (TryPort(label.AsSpan(0, Math.Min(dash, label.Length)), out port) && !label.Contains('.', StringComparison.Ordinal) && label.Length > dash)
            part = label[(dash + 1)..];
        return true;
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
