namespace Miosa.Guest;

/// <summary>The values of <see cref="GuestEntry.Type"/>.</summary>
internal static class GuestEntryType
{
    public const string File = "file";
    public const string Directory = "dir";
    public const string Symlink = "symlink";
    public const string Other = "other";
}

/// <summary>One file, directory or link as the guest sees it.</summary>
internal sealed record GuestEntry
{
    public string? Path { get; init; }
    public string? Name { get; init; }
    public string? Type { get; init; }
    public long Size { get; init; }

    /// <summary>Permission bits in octal, four digits: "0644".</summary>
    public string? Mode { get; init; }

    public uint Uid { get; init; }
    public uint Gid { get; init; }
    public long ModifiedMs { get; init; }
    public string? SymlinkTarget { get; init; }
}

internal sealed record ReadFileCall
{
    public string Verb { get; init; } = GuestVerb.FileRead;
    public string? Path { get; init; }
    public long Offset { get; init; }
    public long? Length { get; init; }
}

internal sealed record ReadFileReply
{
    /// <summary>How many bytes were sent.</summary>
    public long Size { get; init; }
}

internal sealed record WriteFileCall
{
    public string Verb { get; init; } = GuestVerb.FileWrite;
    public string? Path { get; init; }

    /// <summary>Octal, such as "0644". Absent: the mode of the file that is replaced, or 0644.</summary>
    public string? Mode { get; init; }

    public bool Append { get; init; }

    /// <summary>Refuse with <c>exists</c> when the path exists.</summary>
    public bool Exclusive { get; init; }

    /// <summary>Wait until the bytes and the name are on the disk.</summary>
    public bool Sync { get; init; }
}

internal sealed record WriteFileReply
{
    public string? Path { get; init; }
    public long Size { get; init; }
}

/// <summary>The arguments of <c>file.list</c> and <c>file.tree</c>.</summary>
internal sealed record ListFilesCall
{
    public string Verb { get; init; } = GuestVerb.FileList;
    public string? Path { get; init; }
    public int? Depth { get; init; }
    public bool? Hidden { get; init; }
    public int? Limit { get; init; }
}

internal sealed record ListFilesReply
{
    public string? Path { get; init; }
    public long Count { get; init; }
    public bool Truncated { get; init; }
}

internal sealed record StatCall
{
    public string Verb { get; init; } = GuestVerb.FileStat;
    public string? Path { get; init; }
}

internal sealed record DeleteCall
{
    public string Verb { get; init; } = GuestVerb.FileDelete;
    public string? Path { get; init; }
    public bool Recursive { get; init; }
}

internal sealed record MkdirCall
{
    public string Verb { get; init; } = GuestVerb.FileMkdir;
    public string? Path { get; init; }
    public bool Parents { get; init; }
    public string? Mode { get; init; }
}

internal sealed record MoveCall
{
    public string Verb { get; init; } = GuestVerb.FileMove;
    public string? From { get; init; }
    public string? To { get; init; }
    public bool Overwrite { get; init; }
}

internal sealed record CopyCall
{
    public string Verb { get; init; } = GuestVerb.FileCopy;
    public string? From { get; init; }
    public string? To { get; init; }
    public bool Overwrite { get; init; }
    public bool Recursive { get; init; }
}

internal sealed record ChmodCall
{
    public string Verb { get; init; } = GuestVerb.FileChmod;
    public string? Path { get; init; }
    public string? Mode { get; init; }
}
