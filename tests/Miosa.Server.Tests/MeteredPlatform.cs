using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A platform with a warm pool where time is money: a second of one virtual CPU costs one cent, memory and disks nothing, and usage is charged every second.</summary>
public sealed class MeteredPlatform : IAsyncLifetime
{
    private Miosa.Platform.Platform? platform;
    private Api? shared;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    /// <summary>A tenant with credits for tests that do not mind others in it: to make one takes some seconds.</summary>
    public Api Shared => shared ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        platform = await Miosa.Platform.Platform.StartAsync(
            "meter", net: 236, ["miosa-busybox"], "--pool-size", "2", "--prices", "vcpu=3600000000", "--charge-sec", "1", "--credit-rule", "prepaid", "--user-limits", "max_sandboxes=40");
        (shared, _) = await NewTenantAsync();
    }

    public async ValueTask DisposeAsync()
    {
        shared?.Dispose();
        if (platform is not null)
            await platform.DisposeAsync();
    }

    /// <summary>A client of a fresh tenant that has credits.</summary>
    public async Task<(Api Api, string Tenant)> NewTenantAsync(int credits = 100_000)
    {
        var tenant = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        if (credits > 0)
            await Platform.AdminAsync("credits", "grant", credits.ToString(), "--tenant", tenant);
        return (Platform.Api(await Platform.NewKeyAsync(tenant)), tenant);
    }

    /// <summary>Events of a tenant that belong to no machine, read from the database itself.</summary>
    public static async Task<List<string>> EventsAsync(Api api, string type) =>
        [.. (await api.GetAsync("dashboard")).Expect(200).Json.GetProperty("recent_events").EnumerateArray().Where(e => e.GetProperty("type").GetString() == type).Select(e => e.GetProperty("data").GetRawText())];

    public Task UntilWarmAsync(int count) => Miosa.Platform.Platform.UntilAsync($"{count} warm machines", async () =>
    {
        using var nobody = Platform.Api(null);
        return (await nobody.GetAsync("health")).Json.GetProperty("checks").GetProperty("warm_machines").GetInt32() >= count;
    });
}
