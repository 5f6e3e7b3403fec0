using System.Net;
using System.Net.Security;
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
        Directory.CreateDirectory(Folder);
        WriteCustom("preview.acme.test", "*.preview.acme.test", throughIntermediate: true);
        WriteCustom("other.test", "one.other.test", throughIntermediate: false);
        await File.WriteAllTextAsync(Path.Combine(Folder, "broken.test.crt"), "no certificate");
        // The server's user has to read both.
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        Readable(Path.Combine(folder, "key.pem"));
        platform = await Miosa.Platform.Platform.StartAsync("tls", net: 235, ["miosa-sandbox"],
            "--urls", $"https://127.0.0.1:{port}", "--preview-domain", $"https://{Domain}:{port}", "--tls-cert", Path.Combine(folder, "cert.pem"), "--tls-key", Path.Combine(folder, "key.pem"), "--tls-folder", Folder);
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

    [Fact]
    public async Task The_certificate_is_that_of_the_name_that_is_asked_for_with_its_chain_and_a_renewed_one_needs_no_restart()
    {
        // The client knows the root alone: without the chain from the file it would not trust the first.
        Assert.Equal("*.preview.acme.test", await SubjectAsync("3000-x.preview.acme.test"));
        Assert.Equal("*.preview.acme.test", await SubjectAsync("3000-X.PREVIEW.acme.test"));
        Assert.Equal("one.other.test", await SubjectAsync("one.other.test"));
        // Nobody's name, a folder's, a path: all get the server's own.
        foreach (var name in (string[])["3000-x." + Domain, "a.b.preview.acme.test", "test", "broken.test", "preview.acme.test.crt"])
            Assert.Equal(Domain, await SubjectAsync(name));

        WriteCustom("other.test", "two.other.test", throughIntermediate: false);
        await Miosa.Platform.Platform.UntilAsync("the renewed one is served", async () => await SubjectAsync("one.other.test") == "two.other.test");
        // Half replaced: the old one goes on. Gone: the server's own.
        await File.WriteAllTextAsync(Path.Combine(Folder, "preview.acme.test.key"), "half");
        WriteCustom("new.test", "new.test", throughIntermediate: false);
        await Miosa.Platform.Platform.UntilAsync("a new one is served", async () => await SubjectAsync("new.test") == "new.test");
        Assert.Equal("*.preview.acme.test", await SubjectAsync("3000-x.preview.acme.test"));
        File.Delete(Path.Combine(Folder, "preview.acme.test.crt"));
        await Miosa.Platform.Platform.UntilAsync("it is not served any more", async () => await SubjectAsync("3000-x.preview.acme.test") == Domain);
        Assert.Contains("broken.test.crt", await File.ReadAllTextAsync(platform!.ServerLog), StringComparison.Ordinal); // set before any test
    }

    private string Folder => Path.Combine(folder, "more");

    /// <summary>The common name of the certificate that is shown for a host name; it must be trusted by the root alone.</summary>
    private async Task<string> SubjectAsync(string name)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, port);
        string? subject = null;
        await using var tls = new SslStream(tcp.GetStream(), leaveInnerStreamOpen: false, (_, shown, _, errors) =>
        {
            subject = (shown as X509Certificate2)?.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
            return (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None;
        });
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = name,
            CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { authority }, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true },
        });
        return subject ?? throw new InvalidOperationException("no certificate was shown");
    }

    private void WriteCustom(string file, string name, bool throughIntermediate)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var intermediateKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var middle = new CertificateRequest("CN=miosa test intermediate", intermediateKey, HashAlgorithmName.SHA256);
        middle.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var intermediate = middle.Create(authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1), RandomNumberGenerator.GetBytes(8));
        using var issuer = intermediate.CopyWithPrivateKey(intermediateKey);
        using var certificate = request.Create(throughIntermediate ? issuer : authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(12), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(Path.Combine(Folder, file + ".key"), key.ExportPkcs8PrivateKeyPem());
        Readable(Path.Combine(Folder, file + ".key"));
        File.WriteAllText(Path.Combine(Folder, file + ".crt"), certificate.ExportCertificatePem() + (throughIntermediate ? "\n" + intermediate.ExportCertificatePem() : ""));
    }

    private static void Readable(string file) => File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

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
