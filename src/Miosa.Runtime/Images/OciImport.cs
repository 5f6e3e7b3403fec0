using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Miosa.Runtime.Host;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Images;

/// <summary>
/// Imports an image from an OCI layout, a directory or a tar of one: index → manifest (linux/amd64) → configuration and layers.
/// Every blob is checked against its digest before a byte of it is used.
/// </summary>
internal sealed partial class OciImport(ImageStore store, Action<RuntimeProgress> progress)
{
    private const long MaxJson = 4 << 20;
    private const int MaxIndexDepth = 4;
    private const int MaxLayers = 256;
    private const int MaxPorts = 64;
    private const string MediaIndex = "application/vnd.oci.image.index.v1+json";
    private const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";

    public ImageInfo Run(string name, string path)
    {
        ImageStore.CheckName(name);
        if (Directory.Exists(path)) return FromLayout(name, path);
        if (!File.Exists(path)) throw new CommandFailure($"\"{path}\" does not exist: give an OCI layout, as a directory or a tar");
        return store.Exclusively(() =>
        {
            // In the store's own staging: on its volume, within its budget, and swept when this process is killed.
            var layout = store.NewFolder();
            try
            {
                progress(new() { Step = "open", Percent = 2, Message = "unpacking the archive" });
                using (var tar = new Archive(path, store.Budget)) Unpack.Into(layout, tar, store.Entries);
                return FromLayout(name, layout);
            }
            finally
            {
                Linux.Tree.Delete(layout);
            }
        });
    }

    private ImageInfo FromLayout(string name, string layout)
    {
        var index = Path.Combine(layout, "index.json");
        if (!File.Exists(Path.Combine(layout, "oci-layout")) || !File.Exists(index))
            throw new CommandFailure($"\"{layout}\" is not an OCI layout: it has no oci-layout and index.json");
        var descriptor = Choose(Read(ReadSmall(index), OciJson.Default.OciIndex, "index.json"));
        // An index may name an index; one that goes on and on is nobody's image.
        for (var depth = 0; descriptor.MediaType is MediaIndex or DockerList; depth++)
        {
            if (depth == MaxIndexDepth) throw new CommandFailure($"the layout has more than {MaxIndexDepth} indexes one in another");
            descriptor = Choose(Read(Blob(layout, descriptor), OciJson.Default.OciIndex, "an index"));
        }
        var manifest = Read(Blob(layout, descriptor), OciJson.Default.OciManifest, "the manifest");
        if (manifest.Config is null || manifest.Layers.Count == 0) throw new CommandFailure("the manifest has no configuration or no layers");
        if (manifest.Layers.Count > MaxLayers) throw new CommandFailure($"the manifest has {manifest.Layers.Count} layers; at most {MaxLayers} are taken");
        var config = Read(Blob(layout, manifest.Config), OciJson.Default.OciConfig, "the configuration").Config ?? new();
        var left = store.Budget;
        var layers = manifest.Layers.Select((layer, i) =>
        {
            // Verified even when the store has it: who names a digest must also bring its bytes.
            var file = Verified(layout, layer ?? new());
            return new ImageLayer(layer?.Digest, rootfs =>
            {
                progress(new() { Step = "layer", Percent = 5 + (i * 90 / manifest.Layers.Count), Message = $"layer {i + 1} of {manifest.Layers.Count}" });
                using var tar = new Archive(file, left);
                Unpack.Into(rootfs, tar, store.Entries);
                left -= tar.Stream.BytesRead;
                return (layer?.Digest ?? "", tar.Stream.BytesRead);
            });
        }).ToList();
        return store.Add(name, null, layers, content => new ImageInfo
        {
            Name = name,
            Digest = descriptor.Digest,
            SizeBytes = content.SizeBytes,
            CreatedAt = DateTimeOffset.UtcNow,
            Env = Variables(config.Env),
            Workdir = config.WorkingDir is { Length: > 0 } folder ? folder : null,
            User = config.User is { Length: > 0 } user ? user : null,
            Entrypoint = config.Entrypoint is { Count: > 0 } entrypoint ? [.. entrypoint.OfType<string>()] : null,
            Cmd = [.. (config.Cmd ?? []).OfType<string>()],
            Ports = PortsOf(config.ExposedPorts),
        });
    }

    private static List<int>? PortsOf(IReadOnlyDictionary<string, JsonElement>? exposed)
    {
        // "8080/tcp"; what is no TCP port is of no use to a preview.
        var ports = (exposed ?? new Dictionary<string, JsonElement>()).Keys.Where(key => !key.EndsWith("/udp", StringComparison.Ordinal))
            .Select(key => int.TryParse(key.Split('/')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 0)
            .Where(port => port is > 0 and < 65536).Order().Take(MaxPorts).ToList();
        return ports.Count > 0 ? ports : null;
    }

    private static OciDescriptor Choose(OciIndex index) =>
        index.Manifests.FirstOrDefault(manifest => manifest?.Platform is { Os: "linux", Architecture: "amd64" })
        ?? index.Manifests.FirstOrDefault(manifest => manifest is { Platform: null })
        ?? throw new CommandFailure("the image has no variant for linux/amd64");

    private static Dictionary<string, string> Variables(IReadOnlyList<string?>? pairs)
    {
        var variables = new Dictionary<string, string>();
        foreach (var pair in pairs ?? [])
            if (pair?.Split('=', 2) is [{ Length: > 0 } key, var value]) variables[key] = value;
        return variables;
    }

    private static byte[] Blob(string layout, OciDescriptor descriptor) => ReadSmall(Verified(layout, descriptor));

    private static string Verified(string layout, OciDescriptor descriptor)
    {
        // The digest becomes part of a path, so it is matched before anything else.
        if (!DigestForm().IsMatch(descriptor.Digest)) throw new CommandFailure($"\"{descriptor.Digest}\" is not a sha256 digest");
        var file = Path.Combine(layout, "blobs/sha256", descriptor.Digest[7..]);
        var info = new FileInfo(file);
        if (!info.Exists || info.LinkTarget is not null) throw new CommandFailure($"the layout lacks the blob {descriptor.Digest}");
        using var stream = File.OpenRead(file);
        if (stream.Length != descriptor.Size || "sha256:" + Sha256.HexOf(stream) != descriptor.Digest)
            throw new CommandFailure($"the blob {descriptor.Digest} is damaged: its bytes have another digest or length");
        return file;
    }

    private static byte[] ReadSmall(string file) => new FileInfo(file) is { LinkTarget: null, Length: <= MaxJson }
        ? File.ReadAllBytes(file)
        : throw new CommandFailure($"{Path.GetFileName(file)} is a link or too large");

    private static T Read<T>(byte[] json, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string what)
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("empty");
        }
        catch (JsonException e)
        {
            throw new CommandFailure($"{what} of the image is not what OCI says: {e.Message}", e);
        }
    }

    [GeneratedRegex(@"^sha256:[0-9a-f]{64}\z")]
    private static partial Regex DigestForm();
}

/// <remarks>Setters, not <c>init</c>: see <see cref="Recipe"/>. The elements of a list may be null whatever the reader is told.</remarks>
internal sealed record OciIndex
{
    public IReadOnlyList<OciDescriptor?> Manifests { get; set; } = [];
}

internal sealed record OciDescriptor
{
    public string MediaType { get; set; } = "";
    public string Digest { get; set; } = "";
    public long Size { get; set; }
    public OciPlatform? Platform { get; set; }
}

internal sealed record OciPlatform
{
    public string Architecture { get; set; } = "";
    public string Os { get; set; } = "";
}

internal sealed record OciManifest
{
    public OciDescriptor? Config { get; set; }
    public IReadOnlyList<OciDescriptor?> Layers { get; set; } = [];
}

internal sealed record OciConfig
{
    public OciRun? Config { get; set; }
}

internal sealed record OciRun
{
    [JsonPropertyName("Env")]
    public IReadOnlyList<string?>? Env { get; set; }

    [JsonPropertyName("WorkingDir")]
    public string? WorkingDir { get; set; }

    [JsonPropertyName("User")]
    public string? User { get; set; }

    [JsonPropertyName("Entrypoint")]
    public IReadOnlyList<string?>? Entrypoint { get; set; }

    [JsonPropertyName("ExposedPorts")]
    public IReadOnlyDictionary<string, JsonElement>? ExposedPorts { get; set; }

    [JsonPropertyName("Cmd")]
    public IReadOnlyList<string?>? Cmd { get; set; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(OciIndex))]
[JsonSerializable(typeof(OciManifest))]
[JsonSerializable(typeof(OciConfig))]
internal sealed partial class OciJson : JsonSerializerContext;
