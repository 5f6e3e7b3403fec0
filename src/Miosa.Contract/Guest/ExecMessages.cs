namespace Miosa.Guest;

internal sealed record ExecCall
{
    public string Verb { get; init; } = GuestVerb.Exec;
    public string[]? Argv { get; init; }
    public string? Shell { get; init; }
    public string? Cwd { get; init; }
    public Dictionary<string, string>? Env { get; init; }
    public long? TimeoutMs { get; init; }
    public string? User { get; init; }
    public bool Stdin { get; init; }
}

internal sealed record ExecReply
{
    public int Pid { get; init; }
    public int ExitCode { get; init; }

    /// <summary>The signal that ended the command, or null when it exited by itself.</summary>
    public int? Signal { get; init; }

    public bool TimedOut { get; init; }
    public long DurationMs { get; init; }
}
