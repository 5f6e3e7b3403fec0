using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Miosa.Runtime.Tests;

/// <summary>An OCI layout that a test makes layer by layer, right or wrong as it likes; removed at its end.</summary>
internal sealed class OciLayout : IDisposable
{
    private readonly string work = Directory.CreateTempSubdirectory("oci").FullName;
    private readonly JsonArray layers = [];

    public OciLayout() => Directory.CreateDirectory(Path + "/blobs/sha256");

    public string Path => work + "/layout";

    /// <summary>Enough of a system to run a shell in.</summary>
    public static IEnumerable<TarEntry> Busybox =>
    [
        Folder("bin"), Folder("proc"), Folder("sys"), Folder("dev"), Folder("run"), Folder("tmp"), Folder("root"), Folder("etc"),
        File("bin/busybox", System.IO.File.ReadAllBytes("/bin/busybox"), UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute),
        .. ((string[])["sh", "cat", "ls", "echo", "test"]).Select(applet => Link("bin/" + applet, "busybox")),
        File("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"u8.ToArray()),
    ];

    public static TarEntry Folder(string name) => new PaxTarEntry(TarEntryType.Directory, name) { Mode = (UnixFileMode)0x1ed };

    public static TarEntry File(string name, string text = "") => File(name, Encoding.UTF8.GetBytes(text));

    public static TarEntry Link(string name, string to) => new PaxTarEntry(TarEntryType.SymbolicLink, name) { LinkName = to };

    public static TarEntry HardLink(string name, string to) => new PaxTarEntry(TarEntryType.HardLink, name) { LinkName = to };

    public static byte[] Gzip(byte[] tar)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(tar);
        return packed.ToArray();
    }

    public static byte[] Tar(IEnumerable<TarEntry> entries)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, leaveOpen: true))
            foreach (var entry in entries) writer.WriteEntry(entry);
        return tar.ToArray();
    }

    public OciLayout Layer(params IEnumerable<TarEntry> entries) => Layer(Gzip(Tar(entries)));

    public OciLayout Layer(byte[] bytes)
    {
        layers.Add(Blob("application/vnd.oci.image.layer.v1.tar+gzip", bytes));
        return this;
    }

    /// <summary>Writes what leads to the layers: configuration, manifest, index.</summary>
    /// <param name="change">Gets the manifest, to spoil it.</param>
    public OciLayout Seal(JsonObject? config = null, Action<JsonObject>? change = null)
    {
        // No two layouts of the tests are the same image.
        var configuration = new JsonObject { ["os"] = "linux", ["architecture"] = "amd64", ["author"] = Guid.NewGuid().ToString(), ["config"] = config ?? [] };
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["config"] = Blob("application/vnd.oci.image.config.v1+json", Bytes(configuration)),
            ["layers"] = layers.DeepClone(),
        };
        change?.Invoke(manifest);
        var descriptor = Blob("application/vnd.oci.image.manifest.v1+json", Bytes(manifest));
        Write("oci-layout", """{"imageLayoutVersion":"1.0.0"}""");
        Write("index.json", new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(descriptor) }.ToJsonString());
        return this;
    }

    public void Write(string name, string text) => System.IO.File.WriteAllText($"{Path}/{name}", text);

    /// <summary>The layout as one tar, with further entries at its end.</summary>
    public string AsTar(params IEnumerable<TarEntry> more)
    {
        var file = work + "/layout.tar";
        using var writer = new TarWriter(System.IO.File.Create(file));
        foreach (var path in Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories)) writer.WriteEntry(path, System.IO.Path.GetRelativePath(Path, path));
        foreach (var entry in more) writer.WriteEntry(entry);
        return file;
    }

    public string BlobFile(string digest) => $"{Path}/blobs/sha256/{digest["sha256:".Length..]}";

    public void Dispose() => Directory.Delete(work, recursive: true);

    private static PaxTarEntry File(string name, byte[] content, UnixFileMode more = 0) =>
        new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content), Mode = (UnixFileMode)0x1a4 | more };

    private static byte[] Bytes(JsonNode json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private JsonObject Blob(string type, byte[] bytes)
    {
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));
        System.IO.File.WriteAllBytes(BlobFile(digest), bytes);
        return new JsonObject { ["mediaType"] = type, ["digest"] = digest, ["size"] = bytes.Length };
    }
}
