namespace Miosa.Guest;

/// <summary>Opens a terminal: <see cref="Argv"/> or <see cref="Shell"/> as with <c>exec</c>, or an interactive shell when there is neither.</summary>
internal sealed record TerminalOpenCall
{
    public string Verb { get; init; } = GuestVerb.TerminalOpen;

    /// <summary>The host's name for it; opening it again gives the same one.</summary>
    public string? Id { get; init; }

    public string[]? Argv { get; init; }
    public string? Shell { get; init; }
    public string? Cwd { get; init; }
    public Dictionary<string, string>? Env { get; init; }
    public string? User { get; init; }
    public int Cols { get; init; }
    public int Rows { get; init; }
}

internal sealed record TerminalListCall
{
    public string Verb { get; init; } = GuestVerb.TerminalList;
}

/// <summary>What names one terminal: <c>terminal.attach</c> and <c>terminal.close</c>.</summary>
internal sealed record TerminalCall
{
    public string? Verb { get; init; }
    public string? Id { get; init; }
}

internal sealed record TerminalResizeCall
{
    public string Verb { get; init; } = GuestVerb.TerminalResize;
    public string? Id { get; init; }
    public int Cols { get; init; }
    public int Rows { get; init; }
}

internal sealed record GuestTerminal
{
    public string? Id { get; init; }
    public int Cols { get; init; }
    public int Rows { get; init; }

    /// <summary>The program in it.</summary>
    public string? Shell { get; init; }

    public long StartedMs { get; init; }

    /// <summary>Null while it runs.</summary>
    public int? ExitCode { get; init; }
}

internal sealed record TerminalListReply
{
    public GuestTerminal?[]? Terminals { get; init; }
}
