using Miosa.EndToEnd;

[assembly: AssemblyFixture(typeof(LivePlatform))]

namespace Miosa.EndToEnd;

/// <summary>The real platform that all tests of this project share, with the image of the examples and a tenant of its own.</summary>
public sealed class LivePlatform : IAsyncLifetime
{
    private const string Image = "miosa-sandbox";

    private Platform.Platform? platform;
    private string? adminKey;

    public string BaseUrl { get; private set; } = "";

    public string ApiKey { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        platform = await Platform.Platform.StartAsync("e2e", 219, [Image]);
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

    public ValueTask DisposeAsync() => platform?.DisposeAsync() ?? ValueTask.CompletedTask;
}
