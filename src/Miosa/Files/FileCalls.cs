using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the group Sandbox files, as values.</summary>
internal static class FileCalls
{
    /// <summary>
    /// Up to here bytes go as base64 inside JSON, which is the contract's own form; above it they go raw, which spares a third of the traffic
    /// and the server a body it must hold in memory.
    /// </summary>
    public const int LargestInJson = 256 * 1024;

    /// <summary>By the query rather than by the path of the address: a file may be called <c>tree</c> or <c>..</c>, which the address would take as its own.</summary>
    public static Call<FileContent> Read(string id, string path) => new(HttpMethod.Get, ReadPath(id, path), static answer => new FileContent(answer.ContentType, answer.Body))
    {
        Accept = "*/*",
    };

    public static Call Open(string id, string path) => new(HttpMethod.Get, ReadPath(id, path)) { Accept = "*/*" };

    public static Call<FileWriteResult> Write(string id, string path, ReadOnlyMemory<byte> data, string? mode) => data.Length <= LargestInJson
        ? new(HttpMethod.Post, Files(id), Written)
        {
            Json = Call.Body(new FileWriteRequest { Path = Name(path), Content = Convert.ToBase64String(data.Span), Mode = mode }, RequestJson.Default.FileWriteRequest),
        }
        : new(HttpMethod.Put, RawPath(id, path, mode), Written) { Bytes = data };

    public static Call<FileWriteResult> Write(string id, string path, Upload upload, string? mode) => new(HttpMethod.Put, RawPath(id, path, mode), Written)
    {
        Upload = upload,
        Repeat = Repeat.UnlessBegun,
    };

    public static Call<IReadOnlyList<FileEntry>> List(string id, string path, int depth, bool includeHidden)
    {
        CheckDepth(depth);
        return new(
            HttpMethod.Get,
            Call.Query(Files(id), ("path", Name(path)), ("depth", depth.ToString(CultureInfo.InvariantCulture)), ("include_hidden", includeHidden ? null : "false")),
            static answer => answer.Object(WireJson.Default.FileListing).Entries);
    }

    public static Call<FileTreeNode> Tree(string id, string path, int depth, bool includeHidden)
    {
        CheckDepth(depth);
        return new(
            HttpMethod.Get,
            Call.Query(
                Files(id) + "/tree", ("path", Name(path)), ("depth", depth.ToString(CultureInfo.InvariantCulture)), ("include_hidden", includeHidden ? "true" : null)),
            static answer => answer.Object(WireJson.Default.FileTreeNode));
    }

    public static Call<FileExport> Export(string id, string path) => new(HttpMethod.Post, Files(id) + "/export", static answer => answer.Object(WireJson.Default.FileExport))
    {
        Json = Call.Body(new FilePathRequest { Path = Name(path) }, RequestJson.Default.FilePathRequest),
    };

    public static Call<SandboxExport> Export(string id, IReadOnlyList<string> paths, string? label, string? filename)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var request = new SandboxExportRequest { Paths = [.. paths.Select(Name)], Label = label, Filename = filename };
        return new(HttpMethod.Post, SandboxCalls.Path(id) + "/exports", static answer => answer.Object(WireJson.Default.SandboxExport))
        {
            Json = Call.Body(request, RequestJson.Default.SandboxExportRequest),
        };
    }

    public static Call Watch(string id, string path, bool recursive)
        => new(HttpMethod.Get, Call.Query(Files(id) + "/watch", ("path", Name(path)), ("recursive", recursive ? "true" : "false")))
        {
            Accept = "text/event-stream",
            IsKeptAlive = true,
        };

    public static Call<FileStat> Stat(string id, string path) => new(HttpMethod.Post, Files(id) + "/stat", static answer => answer.Object(WireJson.Default.FileStat))
    {
        Json = Call.Body(new FilePathRequest { Path = Name(path) }, RequestJson.Default.FilePathRequest),
    };

    public static Call<bool> Delete(string id, string path, bool recursive)
        => new(HttpMethod.Delete, Call.Query(Files(id), ("path", Name(path)), ("recursive", recursive ? "true" : "false")), Answer.Nothing);

    public static Call<bool> Mkdir(string id, string path, bool recursive, string? mode) => new(HttpMethod.Post, Files(id) + "/mkdir", Answer.Nothing)
    {
        Json = Call.Body(new FileMkdirRequest { Path = Name(path), Recursive = recursive, Mode = mode }, RequestJson.Default.FileMkdirRequest),
    };

    /// <summary>Moving twice is not the same as moving once: the second finds no source.</summary>
    public static Call<bool> Move(string id, string from, string to, bool overwrite) => new(HttpMethod.Post, Files(id) + "/rename", Answer.Nothing)
    {
        Json = Pair(from, to, overwrite),
        Repeat = Repeat.UnlessBegun,
    };

    public static Call<bool> Copy(string id, string from, string to, bool overwrite) => new(HttpMethod.Post, Files(id) + "/copy", Answer.Nothing)
    {
        Json = Pair(from, to, overwrite),
        // A second try of a copy that must not overwrite would meet its own first result.
        Repeat = overwrite ? Repeat.Freely : Repeat.UnlessBegun,
    };

    public static Call<bool> Chmod(string id, string path, string mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(mode);
        return new(HttpMethod.Post, Files(id) + "/chmod", Answer.Nothing)
        {
            Json = Call.Body(new FileChmodRequest { Path = Name(path), Mode = mode }, RequestJson.Default.FileChmodRequest),
        };
    }

    public static Call<WriteManyResult> WriteFiles(string id, IEnumerable<FileWriteItem> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var items = files.Select(static file => new WriteManyItem { Path = file.Path, ContentBase64 = Convert.ToBase64String(file.Data.Span), Mode = file.Mode });
        return new(HttpMethod.Post, Files(id) + "/write-many", static answer => answer.Object(WireJson.Default.WriteManyResult))
        {
            Json = Call.Body(new WriteManyRequest { Files = [.. items] }, RequestJson.Default.WriteManyRequest),
        };
    }

    private static string Files(string id) => SandboxCalls.Path(id) + "/files";

    private static string ReadPath(string id, string path) => Call.Query(Files(id) + "/read", ("path", Name(path)));

    private static string RawPath(string id, string path, string? mode) => Call.Query(Files(id), ("path", Name(path)), ("mode", mode));

    private static string Name(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return path;
    }

    private static byte[] Pair(string from, string to, bool overwrite)
        => Call.Body(new FileMoveRequest { From = Name(from), To = Name(to), Overwrite = overwrite }, RequestJson.Default.FileMoveRequest);

    private static void CheckDepth(int depth)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, 10);
    }

    private static FileWriteResult Written(Answer answer) => answer.Object(WireJson.Default.FileWriteResult);
}
