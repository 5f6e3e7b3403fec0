using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>A background process to start.</summary>
public sealed record StartProcessRequest
{
    /// <summary>A shell string (runs through <c>bash -c</c>) or an array of program and arguments (no shell).</summary>
    public required Command Command { get; init; }

    /// <summary>Label, at most 200 characters.</summary>
    public string? Name { get; init; }

    /// <summary>Extra environment for this process.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Working folder; default the image's, or <c>/workspace</c>.</summary>
    public string? Cwd { get; init; }

    /// <summary>Seconds after which it is stopped, at most 604,800; default: none.</summary>
    [JsonPropertyName("timeout_sec")]
    public double? TimeoutSec { get; init; }
}

/// <summary>The values of <see cref="ProcessInfo.Status"/>.</summary>
public static class ProcessStatus
{
    /// <summary>It runs.</summary>
    public const string Running = "running";

    /// <summary>It ended by itself.</summary>
    public const string Exited = "exited";

    /// <summary>It was ended: by a stop, by SIGKILL through the API, by its time limit (exit code 124), or with the sandbox's own stop.</summary>
    public const string Stopped = "stopped";

    /// <summary>Its program could not be started (exit code 126 or 127); the log says why.</summary>
    public const string Failed = "failed";
}

/// <summary>A background process. Ended ones are listed, with exit code and output, until the sandbox goes (the newest 256).</summary>
public sealed record ProcessInfo
{
    /// <summary>Process id, digits.</summary>
    public required string Pid { get; init; }

    /// <summary>Same as <see cref="Pid"/>.</summary>
    public string Id { get; init; } = "";

    /// <summary>Same as <see cref="Pid"/>: the name that a detached command's answer has for it.</summary>
    public string JobId { get; init; } = "";

    /// <summary>Label given at the start, or null.</summary>
    public string? Name { get; init; }

    /// <summary>Command line; an array is joined with shell quoting; cut after 2,048 characters.</summary>
    public required string Command { get; init; }

    /// <summary>One of <see cref="ProcessStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Same as <see cref="Status"/>.</summary>
    public string State { get; init; } = "";

    /// <summary>Working folder.</summary>
    public string? Cwd { get; init; }

    /// <summary>Start.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>End; null while it runs.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The program's, 128+n after signal n, 124 after the time limit; null while it runs.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The lowest TCP port that it or what it started listens on; null where there is none, after its end, and in the answer of its start.</summary>
    public int? Port { get; init; }
}

/// <summary>The processes of a sandbox, oldest first.</summary>
internal sealed record ProcessList
{
    public IReadOnlyList<ProcessInfo> Data { get; init; } = [];
}

/// <summary>The end of what a process has printed.</summary>
public sealed record ProcessLogs
{
    /// <summary>Standard output and standard error in the order of their lines, at most 1 MiB; invalid UTF-8 is replaced.</summary>
    public string Data { get; init; } = "";

    /// <summary>Same as <see cref="Data"/>.</summary>
    public string Logs { get; init; } = "";

    /// <summary>Process id.</summary>
    public string Pid { get; init; } = "";

    /// <summary>True when there was more. A process keeps the last 2 MiB of its output.</summary>
    public bool Truncated { get; init; }
}

/// <summary>Types of the items of a process stream.</summary>
public static class ProcessStreamTypes
{
    /// <summary>A line of standard output.</summary>
    public const string Stdout = "stdout";

    /// <summary>A line of standard error.</summary>
    public const string Stderr = "stderr";

    /// <summary>Output was dropped before it could be read: the 2 MiB were full, or the disk was. <see cref="ProcessStreamEvent.LostBytes"/> says how much.</summary>
    public const string Gap = "gap";

    /// <summary>The process ended; the last item.</summary>
    public const string Exit = "exit";

    /// <summary>The process cannot be watched any more; the last item.</summary>
    public const string Error = "error";
}

/// <summary>One item of a process stream.</summary>
public sealed record ProcessStreamEvent
{
    /// <summary>One of <see cref="ProcessStreamTypes"/>.</summary>
    public required string Type { get; init; }

    /// <summary>Same as <see cref="Type"/> for output.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Stream { get; init; }

    /// <summary>Text without its newline. A line longer than 2,600 bytes, or one that waits more than 200 ms for its end, comes in pieces.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Line { get; init; }

    /// <summary>The same text with its newline, if it had one: put together it is the output again.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Data { get; init; }

    /// <summary>Process id.</summary>
    public string Pid { get; init; } = "";

    /// <summary>Exit code; only on <c>exit</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ExitCode { get; init; }

    /// <summary>How it ended, one of <see cref="ProcessStatus"/>; only on <c>exit</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    /// <summary>About how many bytes are missing; only on <c>gap</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? LostBytes { get; init; }

    /// <summary>What went wrong; only on <c>error</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }
}

/// <summary>Text for a process's standard input.</summary>
internal sealed record ProcessStdinRequest
{
    public required string Data { get; init; }
    public bool? Eof { get; init; }
}

/// <summary>A signal for a process.</summary>
internal sealed record ProcessSignalRequest
{
    public required string Signal { get; init; }
}

/// <summary>What the sandbox's entry point has printed.</summary>
public sealed record SandboxLogs
{
    /// <summary>The text; empty when there is no entry point or it has printed nothing.</summary>
    public string Logs { get; init; } = "";

    /// <summary>The same, line by line.</summary>
    public IReadOnlyList<string> Lines { get; init; } = [];
}

/// <summary>A line of the sandbox's entry point.</summary>
public sealed record SandboxLogEvent
{
    /// <summary>Always <c>log</c>.</summary>
    public string Type { get; init; } = "log";

    /// <summary><c>stdout</c> or <c>stderr</c>; null for a note of the platform.</summary>
    public string? Stream { get; init; }

    /// <summary>Text without its newline.</summary>
    public required string Line { get; init; }

    /// <summary>When the server read it.</summary>
    public DateTimeOffset? Ts { get; init; }
}
