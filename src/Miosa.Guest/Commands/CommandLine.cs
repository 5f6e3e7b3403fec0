namespace Miosa.Guest.Commands;

/// <summary>Everything that decides what a launched command is; strings are bytes without a final zero.</summary>
internal sealed record CommandLine
{
    public required byte[][] Argv { get; init; }

    /// <summary>The files to try, in order; the first that executes is the command.</summary>
    public required byte[][] Programs { get; init; }

    public required byte[][] Environment { get; init; }
    public required byte[] Directory { get; init; }

    /// <summary>Whose rights to take, or null to stay root.</summary>
    public Account? Account { get; init; }
}
