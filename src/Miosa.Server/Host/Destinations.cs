using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Miosa.Server.Host;

/// <summary>The server will not go to this address for a user.</summary>
internal sealed class DestinationRefusedException(string message) : IOException(message);

/// <summary>
/// Where the server goes when a user names the address (an image's registry, a webhook): public addresses, and what the operator allows in a setting.
/// It is checked on the address that is then connected to, so that a name cannot lead elsewhere in between; a check before that only tells the
/// user early. Redirects and proxies must be switched off in the handler: both would connect where nothing was checked.
/// </summary>
internal sealed class Destinations
{
    /// <summary>Looking up a name blocks a thread, and a name server can take its time: no more than these, and none of the pool's.</summary>
    private const int LookUpsAtOnce = 64;

    private static readonly IPNetwork[] Closed =
    [
        .. ((string[])[
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"])
            .Select(IPNetwork.Parse),
    ];

    private static readonly SemaphoreSlim LookUps = new(LookUpsAtOnce);

    private readonly string setting;
    private readonly HashSet<string> hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<IPNetwork> ranges = [];

    /// <param name="setting">Name of the setting that <paramref name="allowed"/> comes from, for messages.</param>
    /// <param name="allowed"><c>host</c> (any port), <c>host:port</c>, or a range such as <c>10.0.0.0/8</c>.</param>
    public Destinations(string setting, IEnumerable<string> allowed)
    {
        this.setting = setting;
        foreach (var entry in allowed)
        {
            if (IPNetwork.TryParse(entry, out var range))
                ranges.Add(range);
            else if (Uri.TryCreate("none://" + entry, UriKind.Absolute, out var uri) && uri.PathAndQuery is "/" or "" && uri.UserInfo.Length == 0 && uri.Host.Length > 0)
                hosts.Add(Key(uri.IdnHost, uri.Port < 0 ? 0 : uri.Port));
            else
                throw new SettingsException($"--{setting}: \"{entry}\" is not a host, host:port or range of addresses");
        }
    }

    /// <summary>Why an address written as such is refused; null when it is a name or may be used.</summary>
    public string? Refuses(Uri uri) =>
        IPAddress.TryParse(uri.IdnHost.Trim('[', ']'), out var address) && !MayUse(uri.IdnHost, uri.Port, address) ? Message(uri.Authority) : null;

    /// <summary>The same for a name, too, by what it resolves to now; a name that does not resolve is not refused.</summary>
    public async Task<string?> RefusesNowAsync(Uri uri, CancellationToken ct)
    {
        try
        {
            var addresses = await ResolveAsync(uri.IdnHost.Trim('[', ']'), ct);
            return addresses.Length == 0 || addresses.Any(address => MayUse(uri.IdnHost, uri.Port, address)) ? null : Message(uri.Authority);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        Exception? last = null;
        foreach (var address in (await ResolveAsync(host.Trim('[', ']'), ct)).Where(address => MayUse(host, port, address)))
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
        throw last ?? new DestinationRefusedException(Message(string.Create(CultureInfo.InvariantCulture, $"{host}:{port}")));
    }

    public static bool IsPublic(IPAddress address) => !Closed.Any(network => network.Contains(Plain(address)));

    private bool MayUse(string host, int port, IPAddress address) =>
        IsPublic(address) || hosts.Contains(Key(host, port)) || hosts.Contains(Key(host, 0)) || ranges.Any(range => range.Contains(Plain(address)));

    private string Message(string authority) => $"{authority} is at a private address; the operator can allow it with --{setting}";

    private static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken ct)
    {
        if (IPAddress.TryParse(host, out var address))
            return [address];
        // "localhost." is as local as "localhost", which the hosts file alone knows.
        host = host.TrimEnd('.');
        await LookUps.WaitAsync(ct);
        // The call cannot be cancelled: its thread keeps its place until the resolver has given up, whoever waits.
        var answer = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    return Dns.GetHostAddresses(host);
                }
                finally
                {
                    LookUps.Release();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await answer.WaitAsync(ct);
    }

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static string Key(string host, int port) => string.Create(CultureInfo.InvariantCulture, $"{host.Trim('[', ']').TrimEnd('.')}|{port}");
}
