namespace Miosa.Bench;

/// <summary>A platform and a client of it, for one group of measurements.</summary>
internal sealed class Bed : IAsyncDisposable
{
    public const string Image = "miosa-sandbox";

    private Bed(Platform.Platform platform, MiosaClient client) => (Platform, Client) = (platform, client);

    public Platform.Platform Platform { get; }

    public MiosaClient Client { get; }

    public static async Task<Bed> StartAsync(params string[] serverSettings)
    {
        var platform = await Miosa.Platform.Platform.StartAsync("bench", 221, [Image], ["--default-image", Image, .. serverSettings]);
        var key = await platform.NewKeyAsync(await platform.NewTenantAsync("bench"));
        return new(platform, new MiosaClient(new MiosaOptions { ApiKey = key, BaseUrl = platform.ApiUrl, Timeout = TimeSpan.FromMinutes(5) }));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Platform.DisposeAsync();
    }
}
