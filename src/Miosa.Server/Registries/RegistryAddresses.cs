using System.Globalization;
using Miosa.Server.Host;

namespace Miosa.Server.Registries;

/// <summary>
/// Where a pull may go. Users name registries, and registries name further addresses (redirects, token servers): all of them must be public, or
/// stand in <c>--registry-allow</c>; http is for those that stand there as such.
/// </summary>
internal sealed class RegistryAddresses
{
    private const string Plain = "http://";

    private readonly HashSet<string> plain = new(StringComparer.OrdinalIgnoreCase);

    public RegistryAddresses(ServerSettings settings)
    {
        var allowed = new List<string>();
        foreach (var entry in settings.RegistryAllow.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var isPlain = entry.StartsWith(Plain, StringComparison.OrdinalIgnoreCase);
            if (!Uri.TryCreate(isPlain ? entry : "https://" + entry, UriKind.Absolute, out var uri) || uri.PathAndQuery != "/")
                throw new SettingsException($"--registry-allow: \"{entry}\" is not a host, host:port or http://host:port");
            allowed.Add(string.Create(CultureInfo.InvariantCulture, $"{uri.Host}:{uri.Port}"));
            if (isPlain)
                plain.Add(Key(uri));
        }
        Destinations = new Destinations("registry-allow", allowed);
    }

    public Destinations Destinations { get; }

    /// <summary>The root of a registry; http only where the operator wrote it so.</summary>
    public Uri RootOf(string host)
    {
        var http = new Uri($"{Plain}{host}/");
        return plain.Contains(Key(http)) ? http : new Uri($"https://{host}/");
    }

    /// <summary>Whether a request may go there at all: by https, or by http where the operator allowed it.</summary>
    public bool MayAsk(Uri uri) => uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && plain.Contains(Key(uri)));

    /// <summary>Why an address written as such is refused; null when it is none or may be used.</summary>
    public string? Refuses(Uri uri) => Destinations.Refuses(uri) is { } why ? "the registry " + why : null;

    private static string Key(Uri uri) => string.Create(CultureInfo.InvariantCulture, $"{uri.IdnHost}|{uri.Port}");
}
