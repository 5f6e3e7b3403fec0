using System.Net;
using System.Net.Sockets;
using Miosa.Server.Tests;
using Xunit.Sdk;
using Xunit.v3;

// One platform for all: two cores start machines faster one after the other, and some tests kill the server under everybody.
[assembly: AssemblyFixture(typeof(ServerPlatform))]
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace Miosa.Server.Tests;

/// <summary>The platform all tests of this project share.</summary>
public sealed class ServerPlatform : IAsyncLifetime
{
    private Miosa.Platform.Platform? platform;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    /// <summary>Where a test may run a registry that the server is allowed to use.</summary>
    public int RegistryPort { get; } = FreePort();

    public int HostilePort { get; } = FreePort();

    public async ValueTask InitializeAsync() =>
        platform = await Miosa.Platform.Platform.StartAsync(
            "srv", net: 232, ["miosa-busybox", "miosa-sandbox", "miosa-desktop"], "--registry-allow", $"http://127.0.0.1:{RegistryPort},http://127.0.0.1:{HostilePort}",
            "--webhook-allow", Receiver.Range, "--webhook-timeout-sec", "2", "--webhook-retry-sec", "0.3", "--max-webhooks", "12");

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
