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

    public async ValueTask InitializeAsync() =>
        platform = await Miosa.Platform.Platform.StartAsync("srv", net: 232, ["miosa-busybox", "miosa-sandbox"]);

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
    }
}
