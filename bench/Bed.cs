namespace Miosa.Bench;

/// <summary>A platform and a client of it, for one group of measurements.</summary>
internal sealed class Bed : IAsyncDisposable
{
    public const string Image = "miosa-sandbox";

    public const string SmallImage = "miosa-busybox";

    private Bed(Platform.Platform platform, MiosaClient client, string key) => (Platform, Client, Key) = (platform, client, key);

    public Platform.Platform Platform { get; }

    public MiosaClient Client { get; }

    public string Key { get; }

    public static Task<Bed> StartAsync(params string[] serverSettings) => WithAsync(Image, serverSettings);

    /// <summary>With an image that suffices where no program of a sandbox is measured.</summary>
    public static async Task<Bed> WithAsync(string image, params string[] serverSettings)
    {
        var platform = await Miosa.Platform.Platform.StartAsync("bench", 221, [image], ["--default-image", image, .. serverSettings]);
        var key = await platform.NewKeyAsync(await platform.NewTenantAsync("bench"));
        return new(platform, new MiosaClient(new MiosaOptions { ApiKey = key, BaseUrl = platform.ApiUrl, Timeout = TimeSpan.FromMinutes(5) }), key);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Platform.DisposeAsync();
    }
}
