using System.Globalization;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the group Sandbox files, as values, and those of the files of computers, which go to other addresses at some points.</summary>
internal static class FileCalls
{
    /// <summary>
    /// Up to here bytes go as base64 inside JSON, which is the contract's own form; above it they go raw, which spares a third of the traffic
    /// and the server a body it must hold in memory.
    /// </summary>
    public const int LargestInJson = 256 * 1024;

    /// <summary>By the query rather than by the path of the address: a file may be called <c>tree</c> or <c>..</c>, which the address would take as its own.</summary>
    public static Call<FileContent> Read(Machine machine, string path) => new(HttpMethod.Get, ReadPath(machine, path), static answer => new FileContent(answer.ContentType, answer.Body))
    {
        Accept = "*/*",
    };

    public static Call Open(Machine machine, string path) => new(HttpMethod.Get, ReadPath(machine, path)) { Accept = "*/*" };

    public static Call<FileWriteResult> Write(Machine machine, string path, ReadOnlyMemory<byte> data, string? mode) => (data.Length <= LargestInJson, machine.IsComputer) switch
    {
        (true, false) => new(HttpMethod.Post, Files(machine), Written)
        {
            Json = Call.Body(new FileWriteRequest { Path = Name(path), Content = Convert.ToBase64String(data.Span), Mode = mode }, RequestJson.Default.FileWriteRequest),
        },
        // "content" of a computer's file is text, with or without base64 in it.
        (true, true) => new(HttpMethod.Post, Files(machine) + "/write", Written)
        {
            Json = Call.Body(new WriteManyItem { Path = Name(path), ContentBase64 = Convert.ToBase64String(data.Span), Mode = mode }, RequestJson.Default.WriteManyItem),
        },
        _ => Raw(machine, path, mode) with { Bytes = data },
    };

    public static Call<FileWriteResult> Write(Machine machine, string path, Upload upload, string? mode) => Raw(machine, path, mode) with
    {
        Upload = upload,
        Repeat = Repeat.UnlessBegun,
    };

    public static Call<IReadOnlyList<FileEntry>> List(Machine machine, string path, int depth, bool includeHidden)
    {
        CheckDepth(depth);
        return new(
            HttpMethod.Get,
            Call.Query(machine.IsComputer ? Files(machine) + "/readdir" : Files(machine), ("path", Name(path)), ("depth", depth.ToString(CultureInfo.InvariantCulture)), ("include_hidden", includeHidden ? null : "false")),
            static answer => answer.Object(WireJson.Default.FileListing).Entries);
    }

    public static Call<FileTreeNode> Tree(Machine machine, string path, int depth, bool includeHidden)
    {
        CheckDepth(depth);
        return new(
            HttpMethod.Get,
            Call.Query(
                Files(machine) + "/tree", ("path", Name(path)), ("depth", depth.ToString(CultureInfo.InvariantCulture)), ("include_hidden", includeHidden ? "true" : null)),
            static answer => answer.Object(WireJson.Default.FileTreeNode));
    }

    public static Call<FileExport> Export(Machine machine, string path) => new(HttpMethod.Post, Files(machine) + "/export", static answer => answer.Object(WireJson.Default.FileExport))
    {
        Json = Call.Body(new FilePathRequest { Path = Name(path) }, RequestJson.Default.FilePathRequest),
    };

    public static Call<SandboxExport> Export(Machine machine, IReadOnlyList<string> paths, string? label, string? filename)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var request = new SandboxExportRequest { Paths = [.. paths.Select(Name)], Label = label, Filename = filename };
        return new(HttpMethod.Post, machine.Path + "/exports", static answer => answer.Object(WireJson.Default.SandboxExport))
        {
            Json = Call.Body(request, RequestJson.Default.SandboxExportRequest),
        };
    }

    public static Call Watch(Machine machine, string path, bool recursive)
        => new(HttpMethod.Get, Call.Query(Files(machine) + "/watch", ("path", Name(path)), ("recursive", recursive ? "true" : "false")))
        {
            Accept = "text/event-stream",
            IsKeptAlive = true,
        };

    public static Call<FileStat> Stat(Machine machine, string path) => new(HttpMethod.Post, Files(machine) + "/stat", static answer => answer.Object(WireJson.Default.FileStat))
    {
        Json = Call.Body(new FilePathRequest { Path = Name(path) }, RequestJson.Default.FilePathRequest),
    };

    public static Call<bool> Delete(Machine machine, string path, bool recursive)
        => new(HttpMethod.Delete, Call.Query(Files(machine), ("path", Name(path)), ("recursive", recursive ? "true" : "false")), Answer.Nothing);

    public static Call<bool> Mkdir(Machine machine, string path, bool recursive, string? mode) => new(HttpMethod.Post, Files(machine) + "/mkdir", Answer.Nothing)
    {
        Json = Call.Body(new FileMkdirRequest { Path = Name(path), Recursive = recursive, Mode = mode }, RequestJson.Default.FileMkdirRequest),
    };

    /// <summary>Moving twice is not the same as moving once: the second finds no source.</summary>
    public static Call<bool> Move(Machine machine, string from, string to, bool overwrite) => new(HttpMethod.Post, Files(machine) + "/rename", Answer.Nothing)
    {
        Json = Pair(from, to, overwrite),
        Repeat = Repeat.UnlessBegun,
    };

    public static Call<bool> Copy(Machine machine, string from, string to, bool overwrite) => new(HttpMethod.Post, Files(machine) + "/copy", Answer.Nothing)
    {
        Json = Pair(from, to, overwrite),
        // A second try of a copy that must not overwrite would meet its own first result.
        Repeat = overwrite ? Repeat.Freely : Repeat.UnlessBegun,
    };

    public static Call<bool> Chmod(Machine machine, string path, string mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(mode);
        return new(HttpMethod.Post, Files(machine) + "/chmod", Answer.Nothing)
        {
            Json = Call.Body(new FileChmodRequest { Path = Name(path), Mode = mode }, RequestJson.Default.FileChmodRequest),
        };
    }

    public static Call<WriteManyResult> WriteFiles(Machine machine, IEnumerable<FileWriteItem> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var items = files.Select(static file => new WriteManyItem { Path = file.Path, ContentBase64 = Convert.ToBase64String(file.Data.Span), Mode = file.Mode });
        return new(HttpMethod.Post, Files(machine) + "/write-many", static answer => answer.Object(WireJson.Default.WriteManyResult))
        {
            Json = Call.Body(new WriteManyRequest { Files = [.. items] }, RequestJson.Default.WriteManyRequest),
        };
    }

    private static string Files(Machine machine) => machine.Path + "/files";

    private static string ReadPath(Machine machine, string path) => Call.Query(Files(machine) + (machine.IsComputer ? "/download" : "/read"), ("path", Name(path)));

    /// <summary>The whole body is the file; computers take it as the one part of a form.</summary>
    private static Call<FileWriteResult> Raw(Machine machine, string path, string? mode) => machine.IsComputer
        ? new(HttpMethod.Post, Call.Query(Files(machine) + "/upload", ("path", Name(path)), ("mode", mode)), Written) { IsForm = true }
        : new(HttpMethod.Put, Call.Query(Files(machine), ("path", Name(path)), ("mode", mode)), Written);

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
