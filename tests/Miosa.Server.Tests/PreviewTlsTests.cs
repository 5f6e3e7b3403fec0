using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Miosa.Server.Tests;

/// <summary>Previews below a domain of its own, with a certificate for all its names, on a server beside the shared one.</summary>
public sealed class PreviewTlsTests : IAsyncLifetime
{
    private const string Domain = "previews.test";

    private readonly string folder = Directory.CreateTempSubdirectory("miosa-tls").FullName;
    private readonly int port = FreePort();
    private readonly X509Certificate2 authority = MakeAuthority();
    private Miosa.Platform.Platform? platform;

    public async ValueTask InitializeAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + Domain, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("*." + Domain);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(8));
        await File.WriteAllTextAsync(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(Path.Combine(folder, "key.pem"), key.ExportPkcs8PrivateKeyPem());
        // The server's user has to read both.
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        File.SetUnixFileMode(Path.Combine(folder, "key.pem"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        platform = await Miosa.Platform.Platform.StartAsync("tls", net: 235, ["miosa-sandbox"],
            "--urls", $"https://127.0.0.1:{port}", "--preview-domain", $"https://{Domain}:{port}", "--tls-cert", Path.Combine(folder, "cert.pem"), "--tls-key", Path.Combine(folder, "key.pem"));
    }

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
        authority.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_preview_is_reached_with_the_given_certificate_over_http_1_and_2_and_its_cookie_is_for_tls_only()
    {
        using var api = await platform!.NewApiAsync(); // set before any test
        var id = await api.CreateAsync("""{"image":"miosa-sandbox"}""");
        (await api.PostAsync($"sandboxes/{id}/processes", """{"command":"cd /tmp; echo over tls > index.html; exec python3 -m http.server 3000"}""")).Expect(201);
        await api.RunAsync(id, "until curl -s localhost:3000/ > /dev/null; do sleep 0.05; done");
        var url = new Uri((await api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        Assert.Equal(("https", port), (url.Scheme, url.Port));
        Assert.EndsWith("." + Domain, url.Host, StringComparison.Ordinal);
        using var browser = Browser();
        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var answer = await browser.SendAsync(request);
            Assert.True(answer.IsSuccessStatusCode, File.ReadAllText(platform.ServerLog));
            Assert.Equal((HttpStatusCode.OK, version, "over tls\n"), (answer.StatusCode, answer.Version, await answer.Content.ReadAsStringAsync()));
        }
        var token = new Uri((await api.PostAsync($"sandboxes/{id}/preview-token")).Expect(200).Text("url"));
        using var first = await browser.GetAsync(token);
        Assert.EndsWith("; path=/; secure; samesite=none; httponly", first.Headers.GetValues("Set-Cookie").Single(), StringComparison.Ordinal);
    }

    private HttpClient Browser() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        SslOptions = new()
        {
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { authority },
                RevocationMode = X509RevocationMode.NoCheck,
            },
        },
        ConnectCallback = async (_, ct) =>
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port, ct);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    private static X509Certificate2 MakeAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=miosa test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-2), DateTimeOffset.UtcNow.AddDays(2));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
