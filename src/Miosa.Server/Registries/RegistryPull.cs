using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Registries;

/// <summary>The image could not be fetched; the message says which and why.</summary>
internal sealed class RegistryException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Name and password for a registry.</summary>
internal sealed record RegistryLogin(string Username, string Password);

/// <summary>
/// Fetches an image into an OCI layout: 1. the manifest, through an index to linux/amd64; 2. the configuration; 3. the layers. Every byte counts
/// against a limit and is checked against its digest. The registry is a stranger: it decides neither where the server connects to, nor how long
/// that takes, nor how much is stored.
/// </summary>
internal sealed partial class RegistryPull(RegistryAddresses addresses, ServerSettings settings) : IDisposable
{
    private const int MaxJson = 4 << 20;
    private const int MaxLayers = 256;
    private const int MaxRedirects = 5;
    private const int MaxIndexDepth = 3;
    private const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    private const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    private const string OciIndex = "application/vnd.oci.image.index.v1+json";
    private const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(60);

    private readonly HttpClient http = new(new SocketsHttpHandler
    {
        // Followed here, where each step is checked. Nor a proxy: it would connect where this server may not.
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(15),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        MaxResponseHeadersLength = 64,
        ConnectCallback = addresses.Destinations.ConnectAsync,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public async Task FetchAsync(ImageReference image, RegistryLogin? login, string folder, Action<string> tell, CancellationToken ct)
    {
        var pull = new Pull(this, image, login, folder, settings.RegistryMaxMb * 1024L * 1024L);
        try
        {
            await pull.RunAsync(tell, ct);
        }
        catch (HttpRequestException e)
        {
            // What refused the connection says more than that it was refused.
            throw new RegistryException($"the registry {image.Host} cannot be reached: {(e.InnerException is DestinationRefusedException own ? own.Message : e.Message)}", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new RegistryException($"the registry {image.Host} answers with something that is no image of {image.Repository}: {e.Message}", e);
        }
    }

    public void Dispose() => http.Dispose();

    /// <summary>One fetch, with what is known of the registry by now.</summary>
    private sealed class Pull(RegistryPull owner, ImageReference image, RegistryLogin? login, string folder, long left)
    {
        private readonly string blobs = Path.Combine(folder, "blobs", "sha256");
        private readonly Uri root = owner.RootFor(image);
        private AuthenticationHeaderValue? authorization;
        private long left = left;

        public async Task RunAsync(Action<string> tell, CancellationToken ct)
        {
            Directory.CreateDirectory(blobs);
            var (bytes, digest) = await ManifestAsync(image.Target, ct);
            var manifest = Json(bytes);
            for (var depth = 0; manifest["manifests"] is JsonArray variants; depth++)
            {
                if (depth == MaxIndexDepth)
                    throw new RegistryException($"{image} is an index of indexes without an end");
                var variant = variants.OfType<JsonObject>().FirstOrDefault(v => v["platform"] is JsonObject platform
                        && Text(platform["os"]) == "linux" && Text(platform["architecture"]) == "amd64")
                    ?? throw new RegistryException($"{image} has no variant for linux/amd64");
                (bytes, digest) = await ManifestAsync(DigestOf(variant), ct);
                manifest = Json(bytes);
            }
            if (manifest["config"] is not JsonObject config || manifest["layers"] is not JsonArray layers || layers.Count is 0 or > MaxLayers)
                throw new RegistryException($"{image} has no configuration, no layers, or more than {MaxLayers} of them");
            await File.WriteAllBytesAsync(Path.Combine(blobs, digest[7..]), bytes, ct);
            await BlobAsync(config, MaxJson, ct);
            for (var i = 0; i < layers.Count; i++)
            {
                var layer = layers[i] as JsonObject ?? throw new RegistryException($"{image} has a layer that is none");
                tell($"layer {i + 1} of {layers.Count}, {(SizeOf(layer) + 1023) / 1024} KiB");
                await BlobAsync(layer, long.MaxValue, ct);
            }
            var index = new JsonObject
            {
                ["schemaVersion"] = 2,
                ["manifests"] = new JsonArray(new JsonObject { ["mediaType"] = OciManifest, ["digest"] = digest, ["size"] = bytes.Length }),
            };
            await File.WriteAllTextAsync(Path.Combine(folder, "index.json"), index.ToJsonString(), ct);
            await File.WriteAllTextAsync(Path.Combine(folder, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""", ct);
        }

        private async Task<(byte[] Bytes, string Digest)> ManifestAsync(string target, CancellationToken ct)
        {
            using var response = await AskAsync(new Uri(root, $"v2/{image.Repository}/manifests/{target}"), ct, OciManifest, DockerManifest, OciIndex, DockerList);
            var bytes = await SmallAsync(response, ct);
            var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));
            if (target.StartsWith("sha256:", StringComparison.Ordinal) && target != digest)
                throw new RegistryException($"the registry {image.Host} sent something else than {target}");
            return (bytes, digest);
        }

        /// <summary>Stored under its digest while it is checked; what is not what it should be ends the pull, and the folder goes.</summary>
        private async Task BlobAsync(JsonObject descriptor, long limit, CancellationToken ct)
        {
            var (digest, size) = (DigestOf(descriptor), SizeOf(descriptor));
            if (size > limit || size > left)
                throw new RegistryException($"{image} is larger than what this server fetches (--registry-max-mb)");
            left -= size;
            var path = Path.Combine(blobs, digest[7..]);
            // The same layer twice is one blob.
            if (File.Exists(path))
                return;
            using var response = await AskAsync(new Uri(root, $"v2/{image.Repository}/blobs/{digest}"), ct);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
            try
            {
                await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);
                await using var body = await response.Content.ReadAsStreamAsync(ct);
                var written = 0L;
                while (await ReadAsync(body, buffer, ct) is > 0 and var count)
                {
                    written += count;
                    if (written > size)
                        break;
                    hash.AppendData(buffer, 0, count);
                    await file.WriteAsync(buffer.AsMemory(0, count), ct);
                }
                if (written != size || "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset()) != digest)
                    throw new RegistryException($"the registry {image.Host} sent something else than {digest}");
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        /// <summary>A stranger that sends a byte now and then does not hold a build for ever: each read has its limit, and the build its own.</summary>
        private static async Task<int> ReadAsync(Stream body, Memory<byte> buffer, CancellationToken ct)
        {
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(Silence);
            try
            {
                return await body.ReadAsync(buffer, silence.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new RegistryException($"the registry sent nothing for {Silence.TotalSeconds:0} s");
            }
        }

        private async Task<byte[]> SmallAsync(HttpResponseMessage response, CancellationToken ct)
        {
            await using var body = await response.Content.ReadAsStreamAsync(ct);
            using var bytes = new MemoryStream();
            var buffer = new byte[16 * 1024];
            while (await ReadAsync(body, buffer, ct) is > 0 and var count)
            {
                bytes.Write(buffer, 0, count);
                if (bytes.Length > MaxJson)
                    throw new RegistryException($"the registry {image.Host} answers without an end");
            }
            return bytes.ToArray();
        }

        private async Task<HttpResponseMessage> AskAsync(Uri uri, CancellationToken ct, params string[] accept)
        {
            var hasSignedIn = false;
            for (var redirects = 0; ;)
            {
                owner.Check(uri);
                using var request = new HttpRequestMessage(HttpMethod.Get, uri);
                foreach (var type in accept)
                    request.Headers.Accept.ParseAdd(type);
                // Only the registry itself learns who asks, never where it points to.
                if (uri.Authority == root.Authority)
                    request.Headers.Authorization = authorization;
                var response = await SendAsync(request, ct);
                if (response.IsSuccessStatusCode)
                    return response;
                using (response)
                {
                    if ((int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.Location is { } location && redirects++ < MaxRedirects)
                    {
                        uri = new Uri(uri, location);
                    }
                    else if (response.StatusCode == HttpStatusCode.Unauthorized && !hasSignedIn && uri.Authority == root.Authority)
                    {
                        hasSignedIn = true;
                        authorization = await SignInAsync(response.Headers.WwwAuthenticate, ct);
                    }
                    else
                    {
                        throw new RegistryException(response.StatusCode switch
                        {
                            HttpStatusCode.NotFound => $"the registry {image.Host} has no {image.Repository}:{image.Target}",
                            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => $"the registry {image.Host} does not let {(login is null ? "everybody" : $"\"{login.Username}\"")} have {image.Repository}: send from_auth with a username and password",
                            var status => $"the registry {image.Host} answered {(int)status}",
                        });
                    }
                }
            }
        }

        private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
        {
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(Silence);
            try
            {
                return await owner.http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new RegistryException($"{request.RequestUri?.Authority} did not answer in {Silence.TotalSeconds:0} s");
            }
        }

        /// <summary>Basic, or a token of the server that the registry names.</summary>
        private async Task<AuthenticationHeaderValue?> SignInAsync(HttpHeaderValueCollection<AuthenticationHeaderValue> asked, CancellationToken ct)
        {
            var basic = login is null ? null : new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{login.Username}:{login.Password}")));
            if (asked.FirstOrDefault(a => a.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase)) is not { Parameter: { } parameters })
                return basic;
            var named = Challenge().Matches(parameters).ToDictionary(m => m.Groups[1].Value.ToLowerInvariant(), m => m.Groups[2].Value);
            if (!named.TryGetValue("realm", out var realm) || !Uri.TryCreate(realm, UriKind.Absolute, out var server))
                throw new RegistryException($"the registry {image.Host} does not say where its tokens come from");
            var query = $"service={Uri.EscapeDataString(named.GetValueOrDefault("service") ?? "")}&scope={Uri.EscapeDataString($"repository:{image.Repository}:pull")}";
            var uri = new UriBuilder(server) { Query = server.Query.Length > 1 ? server.Query[1..] + "&" + query : query }.Uri;
            owner.Check(uri);
            using var request = new HttpRequestMessage(HttpMethod.Get, uri) { Headers = { Authorization = basic } };
            using var response = await SendAsync(request, ct);
            if (!response.IsSuccessStatusCode)
                throw new RegistryException($"the registry {image.Host} gives no token for {image.Repository} ({(int)response.StatusCode})");
            var answer = Json(await SmallAsync(response, ct));
            var token = Text(answer["token"]) ?? Text(answer["access_token"]);
            return token is { Length: > 0 and < 64 * 1024 } && token.All(char.IsAscii) ? new AuthenticationHeaderValue("Bearer", token) : null;
        }

        private static JsonObject Json(byte[] bytes) => JsonNode.Parse(bytes) as JsonObject ?? throw new JsonException("expected an object");

        private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

        private string DigestOf(JsonObject descriptor) =>
            Text(descriptor["digest"]) is { } digest && Digest().IsMatch(digest) ? digest : throw new RegistryException($"{image} has a part without a sha256 digest");

        private long SizeOf(JsonObject descriptor) =>
            descriptor["size"] is JsonValue value && value.TryGetValue<long>(out var size) && size >= 0 ? size : throw new RegistryException($"{image} has a part without a size");
    }

    private Uri RootFor(ImageReference image) => addresses.RootOf(image.Host);

    private void Check(Uri uri)
    {
        if (!addresses.MayAsk(uri))
            throw new RegistryException($"{uri.Scheme}://{uri.Authority} is not asked: only https is, and http where the operator allows it with --registry-allow");
        if (addresses.Refuses(uri) is { } refused)
            throw new RegistryException(refused);
    }

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex Digest();

    [GeneratedRegex("([A-Za-z]+)=\"([^\"]*)\"")]
    private static partial Regex Challenge();
}
