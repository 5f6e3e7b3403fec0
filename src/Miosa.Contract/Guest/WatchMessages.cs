namespace Miosa.Guest;

/// <summary>The values of <see cref="GuestChange.Event"/>.</summary>
internal static class GuestChangeEvent
{
    /// <summary>The first line: from here on nothing is missed.</summary>
    public const string Watching = "watching";

    public const string Created = "created";
    public const string Modified = "modified";
    public const string Deleted = "deleted";
    public const string Renamed = "renamed";

    /// <summary>Changes were lost: look at the folder again.</summary>
    public const string Rescan = "rescan";
}

internal sealed record WatchCall
{
    public string Verb { get; init; } = GuestVerb.FileWatch;
    public string? Path { get; init; }
    public bool Recursive { get; init; }
}

/// <summary>One line of <c>file.watch</c>.</summary>
internal sealed record GuestChange
{
    public string? Event { get; init; }
    public string? Path { get; init; }
    public string? OldPath { get; init; }
    public bool IsDir { get; init; }

    /// <summary>Bytes of a file that is still there.</summary>
    public long? Size { get; init; }

    public long AtMs { get; init; }
}

/// <summary>The watch is over by itself: the folder is gone.</summary>
internal sealed record WatchReply
{
    public string? Path { get; init; }

    /// <summary><c>deleted</c>, <c>moved</c> or <c>unmounted</c>.</summary>
    public string? Reason { get; init; }
}
