using Miosa.EndToEnd;

[assembly: AssemblyFixture(typeof(LivePlatform))]

namespace Miosa.EndToEnd;

/// <summary>The real platform that all tests of this project share, with the image of the examples and a tenant of its own.</summary>
public sealed class LivePlatform : IAsyncLifetime
{
    private const string Image = "miosa-sandbox";
    private const string Desktop = "miosa-desktop";

    private Server.Tests.NameServer? names;
    private Platform.Platform? platform;
    private string? adminKey;

    public string BaseUrl { get; private set; } = "";

    public string ApiKey { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        names = await Server.Tests.NameServer.StartAsync(Server.Tests.NameServer.FreePort());
        platform = await Platform.Platform.StartAsync("e2e", 219, [Image, Desktop], "--default-image", Image, "--dns-server", $"127.0.0.1:{names.Port}", "--webhook-allow", "127.0.0.1");
        BaseUrl = platform.ApiUrl;
        ApiKey = await platform.NewKeyAsync(await platform.NewTenantAsync("e2e"));
    }

    /// <summary>A key of an administrator of the server.</summary>
    public async Task<string> AdminKeyAsync() => adminKey ??= await (platform ?? throw new InvalidOperationException("not started")).NewAdminKeyAsync();

    public MiosaClient Client(MiosaOptions? options = null)
    {
        options ??= new();
        return new(options with { BaseUrl = BaseUrl, ApiKey = options.ApiKey ?? ApiKey });
    }

    public static Task<Sandbox> CreateAsync(MiosaClient client) => client.Sandboxes.CreateAsync(image: Image);

    /// <summary>A key of a tenant of its own, for which the DNS says that it may have the domain.</summary>
    public async Task<string> NewTenantOfAsync(string domain)
    {
        if (platform is null || names is null)
            throw new InvalidOperationException("not started");
        var key = await platform.NewKeyAsync(await platform.NewTenantAsync("of-" + domain.Split('.')[^2]));
        using var client = Client(new() { ApiKey = key });
        var record = (await client.Tenant.PreviewDomain.SetAsync(domain)).TxtInstructions ?? throw new InvalidOperationException("no record is asked for");
        await names.TextAsync(record.Name, record.Value);
        return key;
    }

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
        if (names is not null)
            await names.DisposeAsync();
    }
}
