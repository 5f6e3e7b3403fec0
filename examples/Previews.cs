namespace Miosa.Examples;

/// <summary>Serve a page in a sandbox, open it at an address of its own, share it, and take the share back.</summary>
internal static class Previews
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        await sandbox.Files.WriteAsync("/workspace/index.html", "<h1>hello from the sandbox</h1>");
        await sandbox.Processes.StartAsync(new() { Command = "python3 -m http.server 3000" });

        var preview = await sandbox.Previews.CreateAsync(3000, PreviewVisibility.Public);
        while ((await sandbox.Previews.GetAsync(preview.Id)).Status != "ready")
            await Task.Delay(50);
        // Browsers find *.localhost by themselves; this program says where it is.
        using var browser = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(preview.Url) { Host = "localhost" }.Uri);
        request.Headers.Host = new Uri(preview.Url).Authority;
        using var answer = await browser.SendAsync(request);
        Console.WriteLine($"{preview.PreviewSlug}: {await answer.Content.ReadAsStringAsync()}");

        await sandbox.Previews.CreateAsync(3000, PreviewVisibility.Private);
        var share = await sandbox.Shares.CreateAsync(expiresInSec: 3600);
        Console.WriteLine($"whoever has {new Uri(share.ShareUrl).Scheme}://…/?ms=… may look until {share.ExpiresAt:u}");
        await sandbox.Shares.RevokeAsync(share.Id);
        Console.WriteLine($"links that are good: {(await sandbox.Shares.ListAsync()).Count}");
    }
}
