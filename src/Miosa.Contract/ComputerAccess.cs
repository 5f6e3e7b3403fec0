using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>Python code to run in a computer.</summary>
public sealed record ExecPythonRequest
{
    /// <summary>The source text, run by <c>python3</c>.</summary>
    public required string Code { get; init; }

    /// <summary>Working folder; default: the image's.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Extra environment.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Limit in seconds; default 30, at most the server's (3600).</summary>
    public double? TimeoutSec { get; init; }
}

/// <summary>A line of a computer's or a service's log.</summary>
public sealed record ComputerLogLine
{
    /// <summary>When it was printed, to the second in which the server heard of it; null for lines from before it listened.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary><c>stdout</c> or <c>stderr</c>.</summary>
    public required string Stream { get; init; }

    /// <summary>The text without its newline.</summary>
    public required string Line { get; init; }

    /// <summary>Same as <see cref="Line"/>.</summary>
    public required string Message { get; init; }

    /// <summary>The service that printed it; null for other processes.</summary>
    public string? ServiceId { get; init; }
}

/// <summary>The last lines that the background processes of a computer printed.</summary>
public sealed record ComputerLogs
{
    /// <summary>The computer.</summary>
    public required string ComputerId { get; init; }

    /// <summary>Oldest first; of several processes, those of the process that was started first come first.</summary>
    public required IReadOnlyList<ComputerLogLine> Lines { get; init; }

    /// <summary>The same as one text.</summary>
    public required string Logs { get; init; }

    /// <summary>Number of <see cref="Lines"/>.</summary>
    public int Count { get; init; }
}

/// <summary>A folder as clients of computers read it: <c>data</c> is the array itself.</summary>
internal sealed record ComputerFileList
{
    public required string Path { get; init; }
    public required IReadOnlyList<FileEntry> Entries { get; init; }
    public required IReadOnlyList<FileEntry> Data { get; init; }
    public int Total { get; init; }
}

/// <summary>The entry of a file that was just written, and that it was.</summary>
internal sealed record ComputerFileWritten
{
    public required string Name { get; init; }
    public required string Path { get; init; }
    public required string Type { get; init; }
    public bool IsDir { get; init; }
    public bool IsSymlink { get; init; }
    public long Size { get; init; }
    public long SizeBytes { get; init; }
    public string? Permissions { get; init; }
    public string? Mode { get; init; }
    public DateTimeOffset ModifiedAt { get; init; }
    public bool Success { get; init; } = true;
    public bool Ok { get; init; } = true;
}

/// <summary>A download link of a computer's file.</summary>
internal sealed record ComputerFileExport
{
    public required string Url { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public bool Success { get; init; } = true;
}

/// <summary>What a computer may reach. Rules are looked at from the first to the last.</summary>
public sealed record ComputerNetworkPolicy
{
    /// <summary>The computer.</summary>
    public required string ComputerId { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>As they were set.</summary>
    public required IReadOnlyList<ComputerNetworkRule> Rules { get; init; }

    /// <summary><c>allow</c> or <c>deny</c>: what holds where no rule does.</summary>
    public required string DefaultEffect { get; init; }

    /// <summary>Always null.</summary>
    public DateTimeOffset? InsertedAt { get; init; }

    /// <summary>Always null.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>One rule of a policy.</summary>
public sealed record ComputerNetworkRule
{
    /// <summary><c>allow</c> or <c>deny</c>.</summary>
    public required string Effect { get; init; }

    /// <summary>An IPv4 address or range, a host name, <c>*.host</c>, or <c>any</c>.</summary>
    public required string Destination { get; init; }

    /// <summary>Null: all. Rules for some ports alone are refused.</summary>
    public string? Ports { get; init; }

    /// <summary><c>any</c> or null. Rules for one protocol alone are refused.</summary>
    public string? Protocol { get; init; }

    /// <summary>Always <c>egress</c>: nothing reaches a computer from outside but through its previews.</summary>
    public string Direction { get; init; } = "egress";

    /// <summary>Same as <see cref="Effect"/>.</summary>
    public string? Action { get; init; }

    /// <summary>Same as <see cref="Destination"/>.</summary>
    public string? Host { get; init; }

    /// <summary>Same as <see cref="Ports"/>.</summary>
    public string? Port { get; init; }
}

/// <summary>A policy to set.</summary>
public sealed record ComputerNetworkPolicyRequest
{
    /// <summary>At most 256.</summary>
    public required IReadOnlyList<ComputerNetworkRule> Rules { get; init; }

    /// <summary><c>allow</c> (default) or <c>deny</c>.</summary>
    public string? DefaultEffect { get; init; }
}

/// <summary>Names of what happens inside a computer (<see cref="ComputerEvent.Type"/>).</summary>
public static class ComputerEventTypes
{
    /// <summary>Another window has the focus; <c>window_id</c>, <c>pid</c> and <c>title</c>, all strings.</summary>
    public const string WindowFocusChanged = "window.focus_changed";

    /// <summary>A window opened; fields as of <see cref="WindowFocusChanged"/>.</summary>
    public const string WindowOpened = "window.opened";

    /// <summary>A window closed; fields as of <see cref="WindowFocusChanged"/>.</summary>
    public const string WindowClosed = "window.closed";

    /// <summary>The clipboard has other content; <c>size_bytes</c>.</summary>
    public const string ClipboardChanged = "clipboard.changed";

    /// <summary>A file or folder was made; <c>path</c>.</summary>
    public const string FileCreated = "file.created";

    /// <summary>A file was changed; <c>path</c>.</summary>
    public const string FileModified = "file.modified";

    /// <summary>A file or folder is gone; <c>path</c>.</summary>
    public const string FileDeleted = "file.deleted";

    /// <summary>A process runs; <c>pid</c>, <c>cmd</c>, and <c>ppid</c> as a string. One that lives shorter than a second may never be told.</summary>
    public const string ProcessStarted = "process.started";

    /// <summary>It runs no more; <c>pid</c> and <c>cmd</c>.</summary>
    public const string ProcessStopped = "process.stopped";

    /// <summary>Nobody used mouse or keyboard for as long as was asked for; <c>idle_ms</c>.</summary>
    public const string IdleInactive = "idle.inactive";

    /// <summary>Somebody does again; <c>idle_ms</c>.</summary>
    public const string IdleActive = "idle.active";

    /// <summary>A part of the desktop died and was started again; <c>part</c> and <c>reason</c>.</summary>
    public const string DesktopRestarted = "desktop.restarted";

    /// <summary>The screen has another size; <c>width</c> and <c>height</c>.</summary>
    public const string DesktopResized = "desktop.resized";

    /// <summary>What was asked for cannot be told, or not any more; <c>producer</c> and <c>reason</c>.</summary>
    public const string ProducerUnavailable = "producer.unavailable";
}

/// <summary>Something that happened inside a computer.</summary>
public sealed record ComputerEvent
{
    /// <summary>One of <see cref="ComputerEventTypes"/>.</summary>
    public required string Type { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset Timestamp { get; init; }

    /// <summary>What of it; the fields depend on <see cref="Type"/>.</summary>
    public required JsonObject Payload { get; init; }
}

/// <summary>A change of a computer's state, in the words that one client's event stream reads.</summary>
internal sealed record ComputerStatusEvent
{
    public required string Type { get; init; }
    public required string ComputerId { get; init; }
    public string? Status { get; init; }
    public string? PreviousStatus { get; init; }
    public DateTimeOffset Timestamp { get; init; }
}
