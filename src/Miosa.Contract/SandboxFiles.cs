using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>One entry of a folder.</summary>
public sealed record FileEntry
{
    /// <summary>Base name.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary><c>file</c>, <c>directory</c>, <c>symlink</c> or <c>other</c>.</summary>
    public required string Type { get; init; }

    /// <summary>True for a folder.</summary>
    public bool IsDir { get; init; }

    /// <summary>True for a link.</summary>
    public bool IsSymlink { get; init; }

    /// <summary>Bytes.</summary>
    public long Size { get; init; }

    /// <summary>Same as <see cref="Size"/>.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Octal permissions, such as <c>0644</c>.</summary>
    public string? Mode { get; init; }

    // One client reads it under this name; both are there for all.
    [JsonInclude]
    internal string? Permissions { get; init; }

    /// <summary>Last change.</summary>
    public DateTimeOffset ModifiedAt { get; init; }
}

/// <summary>A listed folder.</summary>
public sealed record FileListing
{
    /// <summary>The folder.</summary>
    public required string Path { get; init; }

    /// <summary>Entries sorted by name; parents come before their children.</summary>
    public required IReadOnlyList<FileEntry> Entries { get; init; }

    /// <summary>Same as <see cref="Entries"/>, in the spelling of the public page.</summary>
    public IReadOnlyList<FileEntry>? Files { get; init; }
}

/// <summary>Facts about one path; a final link is not followed.</summary>
public sealed record FileStat
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Base name.</summary>
    public string? Name { get; init; }

    /// <summary><c>file</c>, <c>directory</c>, <c>symlink</c> or <c>other</c>.</summary>
    public string? Type { get; init; }

    /// <summary>Bytes.</summary>
    public long Size { get; init; }

    /// <summary>Octal permissions, such as <c>0644</c>.</summary>
    public string? Mode { get; init; }

    /// <summary>True for a folder.</summary>
    public bool IsDir { get; init; }

    /// <summary>True for a link.</summary>
    public bool IsSymlink { get; init; }

    /// <summary>Target of a link.</summary>
    public string? SymlinkTarget { get; init; }

    /// <summary>Last change.</summary>
    public DateTimeOffset ModifiedAt { get; init; }

    /// <summary>Same as <see cref="ModifiedAt"/>.</summary>
    public DateTimeOffset? Mtime { get; init; }
}

/// <summary>Node of a recursive listing.</summary>
public sealed record FileTreeNode
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Base name.</summary>
    public required string Name { get; init; }

    /// <summary><c>dir</c> or <c>file</c>.</summary>
    public required string Type { get; init; }

    /// <summary>True for a folder.</summary>
    public bool IsDir { get; init; }

    /// <summary>Bytes; files only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Size { get; init; }

    /// <summary>Last change.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ModifiedAt { get; init; }

    /// <summary>Folders only; absent below the depth limit.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<FileTreeNode>? Children { get; init; }
}

/// <summary>One file to write; parents are made, an existing file is replaced.</summary>
public sealed record FileWriteRequest
{
    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public required string Path { get; init; }

    /// <summary>The content, in <see cref="Encoding"/>.</summary>
    public required string Content { get; init; }

    /// <summary><c>base64</c> (default) or <c>utf8</c>.</summary>
    public string? Encoding { get; init; }

    /// <summary>Octal permissions, such as <c>0644</c>.</summary>
    public string? Mode { get; init; }
}

/// <summary>What was written.</summary>
public sealed record FileWriteResult
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes.</summary>
    public long Size { get; init; }

    /// <summary>Same as <see cref="Size"/>.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Always true.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>Always true.</summary>
    public bool Success { get; init; } = true;
}

/// <summary>Result of a multipart upload.</summary>
public sealed record FileUploadResult
{
    /// <summary>Always true.</summary>
    public bool Success { get; init; } = true;

    /// <summary>The stored file.</summary>
    public required UploadedFile File { get; init; }
}

/// <summary>A file stored by a multipart upload.</summary>
public sealed record UploadedFile
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Base name.</summary>
    public required string Filename { get; init; }

    /// <summary>Bytes.</summary>
    public long SizeBytes { get; init; }
}

/// <summary>A path.</summary>
public sealed record FilePathRequest
{
    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Folders too; default true.</summary>
    public bool? Recursive { get; init; }
}

/// <summary>A folder to make; an existing folder is fine.</summary>
public sealed record FileMkdirRequest
{
    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Make parents; default true.</summary>
    public bool? Recursive { get; init; }

    /// <summary>Octal permissions; default <c>0755</c>.</summary>
    public string? Mode { get; init; }
}

/// <summary>Source and target of a move; parents of the target are made.</summary>
public sealed record FileMoveRequest
{
    /// <summary>Source.</summary>
    public required string From { get; init; }

    /// <summary>Target.</summary>
    public required string To { get; init; }

    /// <summary>Replace an existing target; default true.</summary>
    public bool? Overwrite { get; init; }
}

/// <summary>New permissions.</summary>
public sealed record FileChmodRequest
{
    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Octal text, such as <c>0755</c>.</summary>
    public required string Mode { get; init; }
}

/// <summary>A batch of files, at most 1000.</summary>
public sealed record WriteManyRequest
{
    /// <summary>Files in order; an empty list writes nothing.</summary>
    public required IReadOnlyList<WriteManyItem> Files { get; init; }
}

/// <summary>One file of a batch.</summary>
public sealed record WriteManyItem
{
    /// <summary>Absolute path, or relative to <c>/workspace</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Base64 of the bytes.</summary>
    public required string ContentBase64 { get; init; }

    /// <summary>Octal permissions, such as <c>0644</c>.</summary>
    public string? Mode { get; init; }
}

/// <summary>Outcome of a batch, file by file.</summary>
public sealed record WriteManyResult
{
    /// <summary>Stored files.</summary>
    public required IReadOnlyList<WrittenItem> Written { get; init; }

    /// <summary>Refused files.</summary>
    public required IReadOnlyList<RefusedItem> Failed { get; init; }
}

/// <summary>A stored file of a batch.</summary>
public sealed record WrittenItem
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes.</summary>
    public long SizeBytes { get; init; }
}

/// <summary>A refused file of a batch.</summary>
public sealed record RefusedItem
{
    /// <summary>Path as sent.</summary>
    public required string Path { get; init; }

    /// <summary>Why.</summary>
    public required string Error { get; init; }
}

/// <summary>The kinds of <see cref="FileWatchEvent"/>.</summary>
public static class FileWatchEvents
{
    /// <summary>It appeared, or was moved here from outside the watched folder.</summary>
    public const string Created = "created";

    /// <summary>Its content or its attributes changed. Changes of one file within 20 ms may be told once.</summary>
    public const string Modified = "modified";

    /// <summary>It is gone, or was moved out of the watched folder. A folder stands for all that was in it.</summary>
    public const string Deleted = "deleted";

    /// <summary>It was renamed or moved within the watched folder; <see cref="FileWatchEvent.OldPath"/> is its path before.</summary>
    public const string Renamed = "renamed";

    /// <summary>More happened than could be told: look at the folder again. The watch goes on.</summary>
    public const string Rescan = "rescan";

    /// <summary>The watched folder itself is gone; the last event. <see cref="FileWatchEvent.Message"/> says how.</summary>
    public const string Ended = "ended";

    /// <summary>The watch cannot go on; the last event. <see cref="FileWatchEvent.Message"/> says why.</summary>
    public const string Error = "error";
}

/// <summary>A change below a watched folder.</summary>
public sealed record FileWatchEvent
{
    /// <summary>The kind, one of <see cref="FileWatchEvents"/>.</summary>
    public required string Event { get; init; }

    /// <summary>Same as <see cref="Event"/>.</summary>
    public required string Type { get; init; }

    /// <summary>Absolute path now; the watched folder for events about the watch itself.</summary>
    public required string Path { get; init; }

    /// <summary>Absolute path before; renames only.</summary>
    public string? OldPath { get; init; }

    /// <summary>True for a folder.</summary>
    public bool IsDir { get; init; }

    /// <summary>Bytes when it was told; files that are still there only.</summary>
    public long? SizeBytes { get; init; }

    /// <summary>Time of the change.</summary>
    public DateTimeOffset Ts { get; init; }

    /// <summary>For people; events about the watch itself only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }
}
