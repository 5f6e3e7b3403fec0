using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Miosa.Server.Tests;

/// <summary>
/// Another host on the network, in a namespace of our own behind this one: with addresses that are public to the rules (a documentation
/// range), private ones, and private ones that the operator opens. Its servers echo, and remember who came.
/// </summary>
internal sealed partial class PeerNetwork : IDisposable
{
    private const int NewNetwork = 0x40000000;

    // Several checkouts may test on one host at a time.
    private static readonly int Lane = int.TryParse(Environment.GetEnvironmentVariable("MIOSA_LANE"), out var lane) ? lane : 0;

    private readonly string name = $"megr{Lane}";
    private readonly List<Socket> sockets = [];

    public PeerNetwork()
    {
        Shell($"ip netns del {name} 2>/dev/null; ip link del {name}v 2>/dev/null; true");
        var addresses = string.Join(" && ", new[] { Public, Private, Opened }.SelectMany(a => new[]
        {
            $"ip addr add {a(1)}/28 dev {name}v", $"ip -n {name} addr add {a(2)}/28 dev eth0", $"ip -n {name} addr add {a(3)}/28 dev eth0",
        }));
        Shell($"ip netns add {name} && ip link add {name}v type veth peer name eth0 netns {name} && ip link set {name}v up && ip -n {name} link set eth0 up && ip -n {name} link set lo up && {addresses}"
            + $" && ip -n {name} route add default via {Public(1)}");
    }

    /// <summary>What the peer's servers received, as <c>port: text</c>.</summary>
    public ConcurrentQueue<string> Received { get; } = [];

    /// <summary>Ports of connections that began.</summary>
    public ConcurrentQueue<int> Accepted { get; } = [];

    public static string Public(int host) => $"198.51.100.{(16 * Lane) + host}";

    public static string Private(int host) => $"192.168.79.{(16 * Lane) + host}";

    public static string Opened(int host) => $"172.31.79.{(16 * Lane) + host}";

    public static string OpenedRange => Opened(0) + "/28";

    /// <summary>Echoes at all addresses of the peer.</summary>
    public void EchoTcp(int port)
    {
        var listener = Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(IPAddress.Any, port));
        listener.Listen();
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var client = await listener.AcceptAsync();
                Accepted.Enqueue(port);
                _ = Task.Run(() => EchoAsync(client, port));
            }
        });
    }

    public void EchoUdp(int port)
    {
        var socket = Inside(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        socket.Bind(new IPEndPoint(IPAddress.Any, port));
        _ = Task.Run(async () =>
        {
            var buffer = new byte[2048];
            while (true)
            {
                var got = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
                Received.Enqueue($"{port}: {System.Text.Encoding.ASCII.GetString(buffer, 0, got.ReceivedBytes)}");
                await socket.SendToAsync(buffer.AsMemory(0, got.ReceivedBytes), SocketFlags.None, got.RemoteEndPoint);
            }
        });
    }

    public void Dispose()
    {
        foreach (var socket in sockets)
            socket.Dispose();
        Shell($"ip netns del {name}; ip link del {name}v 2>/dev/null; true");
    }

    private async Task EchoAsync(Socket client, int port)
    {
        using (client)
        {
            var buffer = new byte[2048];
            try
            {
                for (int length; (length = await client.ReceiveAsync(buffer)) > 0;)
                {
                    Received.Enqueue($"{port}: {System.Text.Encoding.ASCII.GetString(buffer, 0, length).TrimEnd()}");
                    await client.SendAsync(buffer.AsMemory(0, length));
                }
            }
            catch (SocketException)
            {
                // The sandbox's end was cut.
            }
        }
    }

    // A socket stays in the namespace it was made in; the thread that went there ends.
    private Socket Inside(Func<Socket> make)
    {
        Socket? made = null;
        var thread = new Thread(() =>
        {
            using var file = File.OpenHandle("/run/netns/" + name);
            Assert.Equal(0, setns((int)file.DangerousGetHandle(), NewNetwork));
            made = make();
        });
        thread.Start();
        thread.Join();
        sockets.Add(made ?? throw new InvalidOperationException("no socket"));
        return made;
    }

    private static void Shell(string script)
    {
        using var shell = Process.Start("sh", ["-c", script]);
        shell.WaitForExit();
        Assert.Equal(0, shell.ExitCode);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int fd, int type);
}
