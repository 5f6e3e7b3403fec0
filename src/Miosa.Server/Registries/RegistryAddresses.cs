using System.Net;
using System.Net.Sockets;
using Miosa.Server.Host;

namespace Miosa.Server.Registries;

/// <summary>The server will not go to this address for a user.</summary>
internal sealed class RegistryRefusedException(string message) : IOException(message);

/// <summary>
/// Where a pull may go. Users name registries, and registries name further addresses (redirects, token servers): all of them must be public, or
/// stand in <c>--registry-allow</c>. It is checked on the address that is then connected to, so that a name cannot lead elsewhere in between.
/// </summary>
internal sealed class RegistryAddresses
{
    private static readonly IPNetwork[] Closed =
    [
        .. ((string[])[
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"]).Select(IPNetwork.Parse),
    ];

    private readonly HashSet<string> allowed = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> plain = new(StringComparer.OrdinalIgnoreCase);

    public RegistryAddresses(ServerSettings settings)
    {
        const string Plain = "http://";
        foreach (var entry in settings.RegistryAllow.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var isPlain = entry.StartsWith(Plain, StringComparison.OrdinalIgnoreCase);
            var host = isPlain ? entry[Plain.Length..] : entry;
            if (!Uri.TryCreate("https://" + host, UriKind.Absolute, out var uri) || uri.PathAndQuery != "/")
                throw new SettingsException($"--registry-allow: \"{entry}\" is not a host, host:port or http://host:port");
            var key = Key(uri.IdnHost, isPlain && uri.IsDefaultPort ? 80 : uri.Port);
            allowed.Add(key);
            if (isPlain)
                plain.Add(key);
        }
    }

    /// <summary>The root of a registry; http only where the operator wrote it so.</summary>
    public Uri RootOf(string host)
    {
        var uri = new Uri($"https://{host}/");
        var port = host.EndsWith(':' + uri.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal) ? uri.Port : 80;
        return plain.Contains(Key(uri.IdnHost, port)) ? new UriBuilder(uri) { Scheme = "http", Port = port }.Uri : uri;
    }

    /// <summary>Whether a request may go there at all: by https, or by http where the operator allowed it.</summary>
    public bool MayAsk(Uri uri) => uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && plain.Contains(Key(uri.IdnHost, uri.Port)));

    /// <summary>Why an address written as such is refused; null when it is none or may be used.</summary>
    public string? Refuses(Uri uri) =>
        IPAddress.TryParse(uri.IdnHost.Trim('[', ']'), out var address) && !allowed.Contains(Key(uri.IdnHost, uri.Port)) && !IsPublic(address)
            ? $"the registry {uri.Authority} is at a private address; the operator can allow it with --registry-allow"
            : null;

    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var isAllowed = allowed.Contains(Key(host, port));
        var addresses = await Dns.GetHostAddressesAsync(host, ct);
        Exception? last = null;
        foreach (var address in addresses.Where(address => isAllowed || IsPublic(address)))
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(address, port, ct);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                last = e;
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        throw last ?? new RegistryRefusedException($"{host}:{port} is at a private address; the operator can allow it with --registry-allow");
    }

    public static bool IsPublic(IPAddress address)
    {
        var real = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return !Closed.Any(network => network.Contains(real));
    }

    private static string Key(string host, int port) => $"{host.Trim('[', ']')}|{port}";
}
