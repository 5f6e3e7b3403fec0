using System.Text.Json;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>A command to run.</summary>
public sealed record ExecRequest
{
    /// <summary>A shell string (runs through <c>bash -c</c> in the environment of a login shell) or an array of program and arguments (no shell).</summary>
    public required Command Command { get; init; }

    /// <summary>Working folder; default <c>/workspace</c>.</summary>
    public string? Cwd { get; init; }

    /// <summary>Extra environment for this command.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Limit in seconds; at the limit the whole process tree is killed and the exit code is 124. Default and maximum are the server's (3600).</summary>
    public double? TimeoutSec { get; init; }

    /// <summary>Text fed to standard input; without it standard input is empty.</summary>
    public string? Stdin { get; init; }
}

/// <summary>A command: one shell string, or a program and its arguments. Converts implicitly from both.</summary>
[JsonConverter(typeof(CommandJson))]
public sealed class Command
{
    private Command(string? shell, IReadOnlyList<string>? argv) => (Shell, Argv) = (shell, argv);

    /// <summary>The shell string; null for a program with arguments.</summary>
    public string? Shell { get; }

    /// <summary>Program and arguments; null for a shell string.</summary>
    public IReadOnlyList<string>? Argv { get; }

    /// <summary>A string that the sandbox's shell runs.</summary>
    /// <param name="shell">The shell string, not empty.</param>
    /// <exception cref="ArgumentException"><paramref name="shell"/> is empty.</exception>
    public static Command FromShell(string shell)
    {
        ArgumentException.ThrowIfNullOrEmpty(shell);
        return new(shell, null);
    }

    /// <summary>A program and its arguments, run without a shell.</summary>
    /// <param name="argv">At least the program.</param>
    /// <exception cref="ArgumentException"><paramref name="argv"/> is empty.</exception>
    public static Command FromArgv(IReadOnlyList<string> argv)
    {
        ArgumentNullException.ThrowIfNull(argv);
        if (argv.Count == 0)
            throw new ArgumentException("a command needs at least a program", nameof(argv));
        return new(null, argv);
    }

    /// <summary>Same as <see cref="FromShell"/>.</summary>
    /// <param name="shell">The shell string.</param>
    public static implicit operator Command(string shell) => FromShell(shell);

    /// <summary>Same as <see cref="FromArgv"/>.</summary>
    /// <param name="argv">Program and arguments.</param>
    public static implicit operator Command(string[] argv) => FromArgv(argv);
}

internal sealed class CommandJson : JsonConverter<Command>
{
    public override Command Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString() is { Length: > 0 } shell ? Command.FromShell(shell) : throw new JsonException("command is empty");
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("command must be a string or an array of strings");
        var argv = new List<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
            argv.Add(reader.GetString() ?? "");
        if (reader.TokenType != JsonTokenType.EndArray || argv.Count == 0)
            throw new JsonException("command must be a non-empty array of strings");
        return Command.FromArgv(argv);
    }

    public override void Write(Utf8JsonWriter writer, Command value, JsonSerializerOptions options)
    {
        if (value.Shell is not null)
        {
            writer.WriteStringValue(value.Shell);
            return;
        }
        writer.WriteStartArray();
        foreach (var word in value.Argv ?? [])
            writer.WriteStringValue(word);
        writer.WriteEndArray();
    }
}

/// <summary>How a command ended. A non-zero exit code is a result, not an error.</summary>
public sealed record ExecResult
{
    /// <summary>Standard output as UTF-8, invalid bytes replaced.</summary>
    public string Stdout { get; init; } = "";

    /// <summary>Standard error, same rules.</summary>
    public string Stderr { get; init; } = "";

    /// <summary>Exit code: the program's, 128+n after signal n, 124 after the time limit, 127 not found, 126 not executable.</summary>
    public int ExitCode { get; init; }

    /// <summary>Same as <see cref="ExitCode"/>, in the spelling some clients read.</summary>
    [JsonPropertyName("exitCode")]
    [JsonInclude]
    internal int ExitCodeCamel
    {
        get => ExitCode;
        // Read past: the source generator refuses to read a member that it cannot set.
        set => _ = value;
    }

    /// <summary>Run time in milliseconds, at least 1.</summary>
    public long DurationMs { get; init; } = 1;

    /// <summary>Standard output followed by standard error.</summary>
    public string Output { get; init; } = "";

    /// <summary>True when the exit code is 0.</summary>
    public bool Success { get; init; }

    /// <summary>True when the time limit ended it.</summary>
    public bool TimedOut { get; init; }

    /// <summary>True when output was cut at the server's limit; stream the command to get all of it.</summary>
    public bool Truncated { get; init; }

    /// <summary>Id also carried by the <c>sandbox.exec.*</c> events.</summary>
    public string? ExecId { get; init; }
}

/// <summary>Types of the items of a streamed command.</summary>
public static class ExecStreamTypes
{
    /// <summary>A line of standard output.</summary>
    public const string Stdout = "stdout";

    /// <summary>A line of standard error.</summary>
    public const string Stderr = "stderr";

    /// <summary>The command ended; the last item.</summary>
    public const string Exit = "exit";

    /// <summary>The command could not be run or watched to its end; the last item.</summary>
    public const string Error = "error";
}

/// <summary>One item of a streamed command; the last one is <c>exit</c> or <c>error</c>.</summary>
public sealed record ExecStreamEvent
{
    /// <summary>One of <see cref="ExecStreamTypes"/>.</summary>
    public required string Type { get; init; }

    /// <summary>Text without its newline (stdout, stderr).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Line { get; init; }

    /// <summary>The same text with its newline, if it had one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Data { get; init; }

    /// <summary>Exit code; only on <c>exit</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ExitCode { get; init; }

    [JsonPropertyName("exitCode")]
    [JsonInclude]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal int? ExitCodeCamel
    {
        get => ExitCode;
        set => _ = value;
    }

    /// <summary>Run time in milliseconds; only on <c>exit</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? DurationMs { get; init; }

    /// <summary>True when the time limit ended it; only on <c>exit</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? TimedOut { get; init; }

    /// <summary>What went wrong; only on <c>error</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }
}
