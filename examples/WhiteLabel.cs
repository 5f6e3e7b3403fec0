using System.Globalization;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Miosa.Examples;

/// <summary>
/// A product of your own on the platform, from its look to its bill: brand, domain, webhook, quota; a sandbox for one of your users, what it made shown
/// and shared; what it cost; and everything taken back.
/// </summary>
internal static class WhiteLabel
{
    private const string User = "usr_maria";

    public static async Task RunAsync()
    {
        using var client = new MiosaClient();

        // Once for the product.
        await client.Tenant.Branding.SetAsync(new BrandingRequest { ProductName = "Studio Verde", PrimaryColor = "#0a7d4f" });
        var domain = await client.Tenant.PreviewDomain.SetAsync("apps.studio-verde.test");
        Console.WriteLine($"in your DNS: {domain.DnsInstructions?.Name} {domain.DnsInstructions?.Type} {domain.DnsInstructions?.Value}");
        var proof = await client.Tenant.PreviewDomain.VerifyAsync();
        Console.WriteLine(proof.Verified ? $"{proof.Domain} is yours" : $"{proof.Domain} is not proven yet");
        await client.Quotas.SetAsync(User, maxSandboxes: 2, maxConcurrent: 2);

        // The product's own server: takes the events of the platform. On a private address the platform sends only what --webhook-allow lets it.
        await using var receiver = new EventReceiver();
        var webhook = await client.Webhooks.CreateAsync(await receiver.StartAsync(), ["sandbox.*"]);
        receiver.Secret = webhook.Secret;

        // For each user.
        await using (var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox", externalUserId: User, externalProjectId: "prj_menu"))
        {
            await sandbox.Files.WriteAsync("/workspace/menu.py", "print('<h1>' + ', '.join(['soup', 'bread', 'figs']) + '</h1>')");
            await sandbox.RunAsync("python3 menu.py > index.html");
            await sandbox.Processes.StartAsync(new() { Command = "python3 -m http.server 3000" });

            // Into a page of yours, for the next ten minutes.
            var token = await sandbox.Previews.CreateTokenAsync(new() { ExpiresIn = 600, Port = 3000 });
            Console.WriteLine($"the page: {await OpenAsync(token.Url)}");
            // To somebody without an account.
            var share = await sandbox.Shares.CreateAsync(expiresInSec: 3600);
            Console.WriteLine($"whoever has the link sees it until {share.ExpiresAt:u}");
            await sandbox.Shares.RevokeAsync(share.Id);
        }

        await foreach (var happened in receiver.UntilAsync("sandbox.destroyed"))
            Console.WriteLine($"told and signed: {happened.Event} of {happened.Data["external_user_id"]}");

        // For the bill.
        var usage = await client.Usage.GetAsync(groupBy: UsageGrouping.ExternalUser, period: "month-to-date", externalUserId: User);
        foreach (var row in usage.Results)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Key}: {row.Exact?.VcpuMs / 1000.0:F1} vCPU-seconds, {row.CreditCents} cents"));

        await client.Webhooks.DeleteAsync(webhook.Id);
        await client.Quotas.DeleteAsync(User);
        await client.Tenant.PreviewDomain.DeleteAsync();
        await client.Tenant.Branding.DeleteAsync();
    }

    /// <summary>As a browser does: comes with the token, leaves with a cookie. Browsers find *.localhost by themselves; this program says where it is.</summary>
    private static async Task<string> OpenAsync(string url)
    {
        using var browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        var (next, cookie) = (new Uri(url), "");
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(next) { Host = "localhost" }.Uri);
            request.Headers.Host = next.Authority;
            if (cookie.Length > 0)
                request.Headers.Add("Cookie", cookie);
            using var answer = await browser.SendAsync(request);
            if (answer.Headers.Location is { } location)
                (next, cookie) = (new Uri(next, location), answer.Headers.TryGetValues("Set-Cookie", out var set) ? set.First().Split(';')[0] : cookie);
            else if (answer.IsSuccessStatusCode)
                return (await answer.Content.ReadAsStringAsync()).Trim();
            else
                await Task.Delay(50); // the server in the sandbox is not up yet
        }
    }

    /// <summary>A web server that believes only what is signed.</summary>
    private sealed class EventReceiver : IAsyncDisposable
    {
        private readonly Channel<WebhookPayload> told = Channel.CreateUnbounded<WebhookPayload>();
        private readonly WebApplication app;

        public EventReceiver()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            app = builder.Build();
            app.Urls.Add("http://127.0.0.1:0");
            app.MapPost("/events", async (HttpRequest request) =>
            {
                using var body = new MemoryStream();
                await request.Body.CopyToAsync(body);
                if (Secret is null || !Webhooks.Verify(body.ToArray(), name => request.Headers[name], Secret))
                    return Results.Unauthorized();
                told.Writer.TryWrite(Webhooks.Parse(body.ToArray()));
                return Results.Ok();
            });
        }

        public string? Secret { get; set; }

        public async Task<string> StartAsync()
        {
            await app.StartAsync();
            return app.Urls.Single() + "/events";
        }

        public async IAsyncEnumerable<WebhookPayload> UntilAsync(string last)
        {
            await foreach (var payload in told.Reader.ReadAllAsync())
            {
                yield return payload;
                if (payload.Event == last)
                    yield break;
            }
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
