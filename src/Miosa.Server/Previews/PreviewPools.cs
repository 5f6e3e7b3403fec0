using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Miosa.Server.Guests;

namespace Miosa.Server.Previews;

/// <summary>
/// Connections into machines, kept for the next request. A pool belongs to one connection to a guest and one port, never to a name that somebody
/// sends, and goes with that guest connection: the sockets of one machine can never serve another.
/// </summary>
internal sealed class PreviewPools
{
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(15);

    private readonly ConditionalWeakTable<GuestConnection, ConcurrentDictionary<int, HttpMessageInvoker>> pools = [];

    public HttpMessageInvoker Of(GuestConnection guest, int port) =>
        pools.GetOrCreateValue(guest).GetOrAdd(port, static (port, guest) => Make(guest, port), guest);

    private static HttpMessageInvoker Make(GuestConnection guest, int port)
    {
        // The pool must not keep the guest connection alive, or neither would ever go.
        var road = new WeakReference<GuestConnection>(guest);
        return new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            // Redirects are the browser's: followed here, they could lead to addresses of the host's network.
            AllowAutoRedirect = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            MaxConnectionsPerServer = MachinePreviews.MaxOpen,
            ConnectTimeout = ConnectPatience,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(15),
            ConnectCallback = async (_, ct) => road.TryGetTarget(out var alive)
                ? await alive.ConnectPortAsync(port, ct)
                : throw new IOException("the machine is gone"),
        });
    }
}
