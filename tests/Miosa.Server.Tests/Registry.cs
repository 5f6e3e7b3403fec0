using System.Diagnostics;
using System.Formats.Tar;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Miosa.Server.Tests;

/// <summary>Debian's docker-registry on a loopback port, filled through its own API.</summary>
internal sealed class Registry : IAsyncDisposable
{
    // bcrypt of "s3cret".
    private const string Passwords = "user:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

    private readonly Process process;
    private readonly string folder;
    private readonly HttpClient http = new();

    private Registry(Process process, string folder, int port) => (this.process, this.folder, Host) = (process, folder, $"127.0.0.1:{port}");

    public string Host { get; }

    public static async Task<Registry> StartAsync(int port, bool isClosed = false)
    {
        var folder = Directory.CreateTempSubdirectory("miosa-registry-").FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "htpasswd"), Passwords);
        var auth = isClosed ? $"auth:\n  htpasswd:\n    realm: test\n    path: {folder}/htpasswd\n" : "";
        await File.WriteAllTextAsync(
            Path.Combine(folder, "config.yml"),
            $"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: 127.0.0.1:{port}\n{auth}");
        var process = Process.Start(new ProcessStartInfo("docker-registry", ["serve", Path.Combine(folder, "config.yml")]) { RedirectStandardError = true, RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("docker-registry did not start");
        _ = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
        var registry = new Registry(process, folder, port);
        if (isClosed)
            registry.http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("user:s3cret"u8.ToArray()));
        await Miosa.Platform.Platform.UntilAsync("the registry answers", registry.AnswersAsync, TimeSpan.FromSeconds(30));
        return registry;
    }

    /// <summary>Pushes an image of busybox and one file, as an index with another architecture before ours; gives the digest of the index.</summary>
    public async Task<string> PushAsync(string name, string tag, string content, JsonObject? config = null)
    {
        var layer = Layer(("hello.txt", Encoding.UTF8.GetBytes(content), "0644"), ("bin/busybox", await File.ReadAllBytesAsync("/bin/busybox"), "0755"));
        var description = new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = config ?? [],
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(DigestOf(layer)) },
        };
        var configBytes = Encoding.UTF8.GetBytes(description.ToJsonString());
        foreach (var blob in (byte[][])[layer, configBytes])
            await PushBlobAsync(name, blob);
        var manifest = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json",
            ["config"] = Part("application/vnd.docker.container.image.v1+json", configBytes),
            ["layers"] = new JsonArray(Part("application/vnd.docker.image.rootfs.diff.tar", layer)),
        }.ToJsonString());
        await PutAsync($"v2/{name}/manifests/{DigestOf(manifest)}", manifest, "application/vnd.docker.distribution.manifest.v2+json");
        var entry = Part("application/vnd.docker.distribution.manifest.v2+json", manifest);
        entry["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = "amd64" };
        var other = Part("application/vnd.docker.distribution.manifest.v2+json", manifest);
        other["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = "riscv64" };
        var index = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.docker.distribution.manifest.list.v2+json",
            ["manifests"] = new JsonArray(other, entry),
        }.ToJsonString());
        await PutAsync($"v2/{name}/manifests/{tag}", index, "application/vnd.docker.distribution.manifest.list.v2+json");
        return DigestOf(index);
    }

    public static string DigestOf(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static JsonObject Part(string type, byte[] bytes) => new() { ["mediaType"] = type, ["digest"] = DigestOf(bytes), ["size"] = bytes.Length };

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static byte[] Layer(params (string Path, byte[] Content, string Mode)[] files)
    {
        using var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (var folder in (string[])["bin", "etc", "tmp", "proc", "sys", "dev", "run", "workspace"])
                tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, folder) { Mode = (UnixFileMode)0b111_101_101 });
            foreach (var (path, content, mode) in files)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream(content), Mode = (UnixFileMode)Convert.ToInt32(mode, 8) });
            foreach (var applet in (string[])["sh", "cat", "echo", "mkdir", "tar", "id", "pwd"])
                tar.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, "bin/" + applet) { LinkName = "busybox" });
        }
        return stream.ToArray();
    }

    private async Task PushBlobAsync(string name, byte[] bytes)
    {
        using var begun = await http.PostAsync($"http://{Host}/v2/{name}/blobs/uploads/", null);
        begun.EnsureSuccessStatusCode();
        var location = begun.Headers.Location ?? throw new InvalidOperationException("no location");
        var target = location.IsAbsoluteUri ? location : new Uri(new Uri($"http://{Host}/"), location);
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var done = await http.PutAsync($"{target}{(target.Query.Length > 0 ? "&" : "?")}digest={Uri.EscapeDataString(DigestOf(bytes))}", content);
        if (!done.IsSuccessStatusCode)
            throw new InvalidOperationException($"{done.StatusCode}: {await done.Content.ReadAsStringAsync()}");
    }

    private async Task PutAsync(string path, byte[] bytes, string type)
    {
        using var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var done = await http.PutAsync($"http://{Host}/{path}", content);
        if (!done.IsSuccessStatusCode)
            throw new InvalidOperationException($"{done.StatusCode}: {await done.Content.ReadAsStringAsync()}");
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var answer = await http.GetAsync($"http://{Host}/v2/");
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}

/// <summary>A registry that answers what a test tells it to: what no honest one would.</summary>
internal sealed class HostileRegistry : IDisposable
{
    private readonly HttpListener listener = new();

    public HostileRegistry(int port, Action<HttpListenerContext> answer)
    {
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        _ = ServeAsync(answer);
    }

    public void Dispose() => listener.Close();

    private async Task ServeAsync(Action<HttpListenerContext> answer)
    {
        while (listener.IsListening)
        {
            try
            {
                var context = await listener.GetContextAsync();
                answer(context);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                // The test is over, or the client hung up on what it was sent.
            }
        }
    }
}
