namespace Miosa.Guest;

/// <summary>The values of <see cref="GuestProcess.State"/>.</summary>
internal static class GuestProcessState
{
    public const string Running = "running";

    /// <summary>Ended by itself.</summary>
    public const string Exited = "exited";

    /// <summary>Ended by a stop, a time limit, SIGKILL through the API, or with the machine.</summary>
    public const string Stopped = "stopped";

    /// <summary>Its program could not be started.</summary>
    public const string Failed = "failed";
}

internal sealed record ProcessStartCall
{
    public string Verb { get; init; } = GuestVerb.ProcessStart;
    public string[]? Argv { get; init; }
    public string? Shell { get; init; }
    public string? Cwd { get; init; }
    public Dictionary<string, string>? Env { get; init; }
    public long? TimeoutMs { get; init; }
    public string? User { get; init; }
    public string? Name { get; init; }
}

internal sealed record ProcessListCall
{
    public string Verb { get; init; } = GuestVerb.ProcessList;
}

/// <summary>What names one process: <c>process.get</c>, <c>process.stdin</c> and <c>process.stop</c>.</summary>
internal sealed record ProcessCall
{
    public string? Verb { get; init; }
    public int Pid { get; init; }
}

internal sealed record ProcessSignalCall
{
    public string Verb { get; init; } = GuestVerb.ProcessSignal;
    public int Pid { get; init; }
    public int Signal { get; init; }
}

internal sealed record ProcessStdinCall
{
    public string Verb { get; init; } = GuestVerb.ProcessStdin;
    public int Pid { get; init; }

    /// <summary>Close standard input after the bytes.</summary>
    public bool Eof { get; init; }
}

internal sealed record ProcessLogsCall
{
    public string Verb { get; init; } = GuestVerb.ProcessLogs;
    public int Pid { get; init; }
    public int Tail { get; init; }
    public int MaxBytes { get; init; }
}

internal sealed record ProcessLogsReply
{
    /// <summary>There is more than was sent.</summary>
    public bool Truncated { get; init; }
}

internal sealed record ProcessFollowCall
{
    public string Verb { get; init; } = GuestVerb.ProcessFollow;
    public int Pid { get; init; }

    /// <summary>A position that was told with a record before; 0 from the first that is kept; what is behind the end is the end.</summary>
    public long From { get; init; }

    /// <summary>Not beyond what there is when the call is made. An older guest goes on.</summary>
    public bool UntilNow { get; init; }

    /// <summary>With the records that tell the time.</summary>
    public bool Times { get; init; }
}

internal sealed record GuestProcess
{
    /// <summary>The process id, or that plus a multiple of 4,194,304 where an ended process of the same id is still remembered.</summary>
    public int Pid { get; init; }

    public string? Name { get; init; }
    public string? Command { get; init; }
    public string? Cwd { get; init; }
    public string? State { get; init; }
    public long StartedMs { get; init; }
    public long? EndedMs { get; init; }
    public int? ExitCode { get; init; }

    /// <summary>The lowest TCP port that it or what it started listens on; only in the answers of <c>process.list</c> and <c>process.get</c>.</summary>
    public int? Port { get; init; }
}
