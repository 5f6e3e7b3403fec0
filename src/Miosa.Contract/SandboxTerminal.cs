namespace Miosa;

/// <summary>A terminal to open; everything is optional.</summary>
public sealed record CreateTerminalRequest
{
    /// <summary>Columns, 1 to 1000; default 80.</summary>
    public int? Cols { get; init; }

    /// <summary>Rows, 1 to 1000; default 24.</summary>
    public int? Rows { get; init; }

    /// <summary>Program to run, a path or a name; default the sandbox's shell (bash where there is one).</summary>
    public string? Shell { get; init; }

    /// <summary>Working folder; default the image's, or <c>/workspace</c>.</summary>
    public string? Cwd { get; init; }

    /// <summary>Extra environment. <c>TERM</c> is <c>xterm-256color</c> unless given.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }
}

/// <summary>An open terminal.</summary>
public sealed record TerminalSession
{
    /// <summary>Its id, <c>sess_…</c>.</summary>
    public required string SessionId { get; init; }

    /// <summary>Same as <see cref="SessionId"/>.</summary>
    public string Id { get; init; } = "";

    /// <summary>Columns.</summary>
    public int Cols { get; init; }

    /// <summary>Rows.</summary>
    public int Rows { get; init; }

    /// <summary>The program in it.</summary>
    public string? Shell { get; init; }

    /// <summary>WebSocket address to attach to.</summary>
    public string? WsUrl { get; init; }

    /// <summary>When it was opened.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}

/// <summary>The open terminals of a sandbox.</summary>
internal sealed record TerminalList
{
    public IReadOnlyList<TerminalSession> Data { get; init; } = [];
}

/// <summary>A new size for a terminal.</summary>
internal sealed record TerminalResizeRequest
{
    public int Cols { get; init; }
    public int Rows { get; init; }
}

/// <summary>What a client says into a terminal's socket to resize it.</summary>
internal sealed record SizeMessage
{
    public string Type { get; init; } = "resize";
    public int Cols { get; init; }
    public int Rows { get; init; }
}

/// <summary>What the socket of a terminal or a command says at its end.</summary>
internal sealed record ExitMessage
{
    public string? Type { get; init; }
    public int Exit { get; init; }
}
