using System.Formats.Tar;
using System.IO.Enumeration;
using System.Text;
using System.Text.Json.Nodes;
using Miosa.Server.Host;

namespace Miosa.Server.Templates;

/// <summary>The files that a recipe may copy, by relative path.</summary>
internal sealed class BuildContext
{
    public const int MaxBytes = 8 * 1024 * 1024;
    public const int MaxFiles = 1000;

    private const int MaxPath = 512;

    /// <summary>A pattern of nothing but stars costs more than it can be good for.</summary>
    private const int MaxStars = 8;

    private readonly SortedDictionary<string, byte[]> files;

    public static readonly BuildContext Empty = new([]);

    private BuildContext(SortedDictionary<string, byte[]> files) => this.files = files;

    public bool IsEmpty => files.Count == 0;

    /// <summary>Reads the field <c>context</c> of a recipe.</summary>
    public static BuildContext Read(Fields fields)
    {
        if (fields.Object("context") is not { } node)
            return Empty;
        if (node.Count > MaxFiles)
        {
            fields.Fail("context", $"must have at most {MaxFiles} files, got {node.Count}");
            return Empty;
        }
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var size = 0L;
        foreach (var (path, content) in node)
        {
            if (PathOf(path) is not { } name)
            {
                fields.Fail("context", $"has the path \"{(path.Length > 80 ? path[..80] + "…" : path)}\": paths are relative, without \"..\", at most {MaxPath} characters");
                return Empty;
            }
            if (BytesOf(content) is not { } bytes)
            {
                fields.Fail("context", $"has no content under \"{path}\": send a text, or an object {{\"base64\": \"…\"}}");
                return Empty;
            }
            size += bytes.Length;
            if (size > MaxBytes)
            {
                fields.Fail("context", $"must be at most {MaxBytes} bytes of files; write larger ones into a sandbox and take a snapshot, or fetch them with RUN");
                return Empty;
            }
            if (!files.TryAdd(name, bytes))
            {
                fields.Fail("context", $"has the file \"{name}\" twice");
                return Empty;
            }
        }
        return new BuildContext(files);
    }

    /// <summary>Names and sizes, for those who only look.</summary>
    public JsonObject Listing()
    {
        var listing = new JsonObject();
        foreach (var (path, bytes) in files)
            listing[path] = new JsonObject { ["size_bytes"] = bytes.Length };
        return listing;
    }

    /// <summary>
    /// The files that a source names and what they are called below its target: a file by its last name, a folder's (or pattern's folder's) by
    /// their path in it. Empty when nothing matches, and for a source that is longer or has more stars than a path needs.
    /// </summary>
    public IEnumerable<(string Name, byte[] Content, bool IsInFolder)> Matching(string source)
    {
        if (source.Length > MaxPath || source.Count(c => c is '*' or '?') > MaxStars)
            yield break;
        var pattern = source.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        foreach (var (path, content) in files)
        {
            var parts = path.Split('/');
            if (parts.Length < pattern.Length || !pattern.Zip(parts).All(pair => FileSystemName.MatchesSimpleExpression(pair.First, pair.Second, ignoreCase: false)))
                continue;
            yield return parts.Length == pattern.Length ? (parts[^1], content, false) : (string.Join('/', parts[pattern.Length..]), content, true);
        }
    }

    /// <summary>A tar of files at absolute paths; the machine's own tar unpacks it, inside the machine.</summary>
    public static byte[] Tar(IEnumerable<(string Path, byte[] Content)> files, int mode, int uid, int gid, DateTimeOffset at)
    {
        using var stream = new MemoryStream();
        using (var tar = new TarWriter(stream, TarEntryFormat.Gnu, leaveOpen: true))
        {
            foreach (var (path, content) in files)
            {
                tar.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, path.TrimStart('/'))
                {
                    DataStream = new MemoryStream(content, writable: false),
                    Mode = (UnixFileMode)mode,
                    Uid = uid,
                    Gid = gid,
                    ModificationTime = at,
                });
            }
        }
        return stream.ToArray();
    }

    private static string? PathOf(string path)
    {
        if (path.Length is 0 or > MaxPath || path[0] == '/' || path.Contains('\0', StringComparison.Ordinal))
            return null;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        return parts.Length == 0 || path[^1] == '/' || parts.Contains("..") ? null : string.Join('/', parts);
    }

    private static byte[]? BytesOf(JsonNode? node)
    {
        try
        {
            return node switch
            {
                JsonValue text when text.TryGetValue<string>(out var value) => Encoding.UTF8.GetBytes(value),
                JsonObject { Count: 1 } file when file["base64"] is JsonValue text && text.TryGetValue<string>(out var value) => Convert.FromBase64String(value),
                _ => null,
            };
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException)
        {
            return null;
        }
    }
}
