using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A tenant of its own per test class, with a key that may do everything.</summary>
public sealed class Tenant(ServerPlatform shared) : IAsyncLifetime
{
    private Api? api;

    public Miosa.Platform.Platform Platform => shared.Platform;

    public string Id { get; private set; } = "";

    public Api Api => api ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        Id = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        api = Platform.Api(await Platform.NewKeyAsync(Id));
    }

    public async ValueTask DisposeAsync()
    {
        if (api is null)
            return;
        // Best effort: a test may leave the platform down on purpose.
        if (await api.TryGetAsync(api.Root + "/readyz") is not null)
        {
            var list = (await api.GetAsync("sandboxes")).Json.GetProperty("data");
            foreach (var sandbox in list.EnumerateArray())
                await api.DeleteAsync("sandboxes/" + sandbox.GetProperty("id").GetString());
            foreach (var computer in (await api.GetAsync("computers")).Json.GetProperty("data").EnumerateArray())
                await api.DeleteAsync("computers/" + computer.GetProperty("id").GetString());
        }
        api.Dispose();
    }
}
