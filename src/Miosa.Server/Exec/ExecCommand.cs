using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Guest;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Exec;

/// <summary>How long a command may run.</summary>
/// <param name="Standard">When nothing is said.</param>
/// <param name="Longest">More is refused.</param>
/// <param name="LongestOnWire">More in the field <c>timeout</c>, whose unit clients disagree on, means this.</param>
internal sealed record ExecLimits(TimeSpan Standard, TimeSpan Longest, TimeSpan LongestOnWire)
{
    private static readonly TimeSpan StandardOfComputer = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestOnWireOfComputer = TimeSpan.FromSeconds(300);

    /// <summary>Whether the caller may say whose command it is.</summary>
    public bool TakesUser { get; init; }

    public static ExecLimits UpTo(TimeSpan longest) => new(longest, longest, TimeSpan.MaxValue);

    public static ExecLimits Of(HttpContext context, ServerSettings settings)
    {
        var all = UpTo(TimeSpan.FromSeconds(settings.MaxExecSec));
        return context.IsAboutComputer()
            ? all with { Standard = StandardOfComputer < all.Longest ? StandardOfComputer : all.Longest, LongestOnWire = LongestOnWireOfComputer, TakesUser = true }
            : all;
    }
}

/// <summary>What a request asks to run, after every spelling of it has been understood.</summary>
internal sealed partial record ExecCommand
{
    public static readonly Aliases Aliases = new Aliases()
        .Add("command", "cmd")
        .Add("cwd", "working_dir", "workdir")
        .Add("timeout_sec", "timeout_seconds")
        .Add("detached", "background");

    // The guest takes the whole call in one frame of 64 KiB; the rest is its own fields and JSON escapes.
    private const int MaxCallBytes = 60_000;
    private const int MaxPathLength = 4096;
    private const int MaxUserLength = 64;
    private const int MaxStdinLength = 16 * 1024 * 1024;

    /// <summary>Room for the longest stdin; the command itself is far smaller.</summary>
    public const int MaxBodyBytes = 24 * 1024 * 1024;

    public required Command Command { get; init; }
    public string? Cwd { get; init; }

    /// <summary>Name or number in the machine; null is the image's.</summary>
    public string? User { get; init; }
    public IReadOnlyDictionary<string, string>? Env { get; init; }
    public required TimeSpan Timeout { get; init; }
    public byte[]? Stdin { get; init; }

    /// <summary>To be started as a background process instead of being waited for.</summary>
    public bool IsDetached { get; init; }

    /// <param name="fields">The body, with <see cref="Aliases"/> applied.</param>
    /// <param name="limits">How long it may run.</param>
    public static (ExecCommand? Command, Refusal? Refusal) Of(Fields fields, ExecLimits limits)
    {
        var command = CommandOf(fields);
        var cwd = fields.Text("cwd", MaxPathLength);
        var user = limits.TakesUser ? fields.Text("user", MaxUserLength) : null;
        var env = fields.TextMap("env", EnvironmentName());
        var stdin = fields.Text("stdin", MaxStdinLength, allowEmpty: true);
        var timeout = TimeoutOf(fields, limits);
        var isDetached = fields.Bool("detached") is true | fields.Bool("wait") is false;
        if (command is not null && SizeOf(command, cwd, env) is > MaxCallBytes and var size)
            fields.Fail("command", $"is too long: {size} bytes with its environment, at most {MaxCallBytes}; write a script file and run that, or send data as stdin");
        if (fields.Errors() is { } refusal)
            return (null, refusal);
        return (new ExecCommand
        {
            // Not null: a missing command is an error above.
            Command = command!,
            Cwd = cwd,
            User = user,
            Env = env,
            Timeout = timeout,
            Stdin = stdin is null ? null : Encoding.UTF8.GetBytes(stdin),
            IsDetached = isDetached,
        }, null);
    }

    /// <summary>The same from the query of a GET, where everything is text.</summary>
    public static Fields FieldsOf(IQueryCollection query)
    {
        var body = new JsonObject();
        foreach (var (name, values) in query)
        {
            if (name == "args")
                body[name] = new JsonArray([.. values.Select(v => (JsonNode?)v)]);
            else
                body[name] = values.Count > 0 && Numbers.Contains(name) && double.TryParse(values[0], NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                    ? JsonNode.Parse(JsonSerializer.SerializeToUtf8Bytes(number))
                    : values.Count > 0 ? values[0] : null;
        }
        return new Fields(Aliases.Apply(body));
    }

    /// <summary>What the machine gives every command below, the request's own on top; refused when both and the command are too much for one call.</summary>
    public (ExecCommand? Command, Refusal? Refusal) Within(Admitted admitted)
    {
        var machine = admitted.Env;
        var whole = this with { User = User ?? admitted.Defaults?.User, Cwd = Cwd ?? admitted.Defaults?.Folder };
        if (machine.Count == 0)
            return (whole, null);
        var merged = new Dictionary<string, string>(machine);
        foreach (var (name, value) in Env ?? new Dictionary<string, string>())
            merged[name] = value;
        return SizeOf(Command, Cwd, merged) is > MaxCallBytes and var size
            ? (null, Refusal.Invalid("command", $"is too long: {size} bytes with its environment and the machine's, at most {MaxCallBytes}; write a script file and run that"))
            : (whole with { Env = merged }, null);
    }

    public ExecCall ToCall() => new()
    {
        Shell = Command.Shell,
        Argv = Command.Argv?.ToArray(),
        Cwd = Cwd,
        User = User,
        Env = Env?.ToDictionary(),
        TimeoutMs = (long)Math.Ceiling(Timeout.TotalMilliseconds),
        Stdin = Stdin is { Length: > 0 },
    };

    public Stream? StdinStream() => Stdin is { Length: > 0 } ? new MemoryStream(Stdin, writable: false) : null;

    private static readonly HashSet<string> Numbers = ["timeout", "timeout_sec", "timeout_seconds", "timeout_ms"];

    private static Command? CommandOf(Fields fields)
    {
        var words = fields.TextList("args", maxItems: 4096, maxLength: MaxCallBytes) ?? [];
        if (fields.Body["command"] is JsonArray)
        {
            if (fields.TextList("command", maxItems: 4096, maxLength: MaxCallBytes) is not { } argv)
                return null;
            if (argv.Count == 0 || argv[0].Length == 0)
                fields.Fail("command", "must name a program");
            else if (argv.Any(HasNul))
                fields.Fail("command", "must not contain a NUL character");
            else if (!words.Any(HasNul))
                return Command.FromArgv([.. argv, .. words]);
            return null;
        }
        if (!fields.Has("command"))
        {
            fields.Fail("command", "is required: a shell string, or a list of program and arguments");
            return null;
        }
        if (words.Any(HasNul))
        {
            fields.Fail("args", "must not contain a NUL character");
            return null;
        }
        if (fields.Body["command"]?.GetValueKind() != JsonValueKind.String)
        {
            fields.Fail("command", "must be a string or a list of strings");
            return null;
        }
        if (fields.Text("command", maxLength: int.MaxValue) is not { } text)
            return null;
        return fields.Has("args") ? Command.FromArgv([text, .. words]) : Command.FromShell(text);
    }

    private static bool HasNul(string word) => word.Contains('\0', StringComparison.Ordinal);

    private static TimeSpan TimeoutOf(Fields fields, ExecLimits limits)
    {
        var maximum = limits.Longest;
        // 1. the names that say their unit; 2. the wire's "timeout"; 3. how long an adapter is ready to wait
        var seconds = fields.Number("timeout_ms", 0, double.MaxValue) / 1000
            ?? fields.Number("timeout_sec", 0, double.MaxValue)
            ?? WireSeconds(fields.Number("timeout", 0, double.MaxValue), limits.LongestOnWire)
            ?? fields.Number("wait_timeout_ms", 0, double.MaxValue) / 1000;
        // The contract allows 0, which cannot mean "at once": no limit of its own.
        if (seconds is null or 0)
            return limits.Standard;
        if (seconds <= maximum.TotalSeconds)
            return TimeSpan.FromSeconds(Math.Max(seconds.Value, 0.001));
        var name = fields.Has("timeout_ms") ? "timeout_ms" : fields.Has("timeout_sec") ? "timeout_sec" : fields.Has("timeout") ? "timeout" : "wait_timeout_ms";
        fields.Fail(name, $"must be at most {maximum.TotalSeconds:0} seconds, got {seconds:0} seconds");
        return maximum;
    }

    /// <summary>Clients disagree on the unit of <c>timeout</c>; common.md, section 0: up to 300 seconds, from 1000 on milliseconds.</summary>
    private static double? WireSeconds(double? timeout, TimeSpan longest) => timeout switch
    {
        <= 300 => timeout,
        < 1000 => 300,
        _ => timeout / 1000 is { } seconds ? Math.Min(seconds, longest.TotalSeconds) : null,
    };

    private static int SizeOf(Command command, string? cwd, IReadOnlyDictionary<string, string>? env)
    {
        var size = Encoding.UTF8.GetByteCount(cwd ?? "");
        size += command.Shell is { } shell ? Encoding.UTF8.GetByteCount(shell) : command.Argv?.Sum(word => Encoding.UTF8.GetByteCount(word) + 3) ?? 0;
        return size + (env?.Sum(pair => Encoding.UTF8.GetByteCount(pair.Key) + Encoding.UTF8.GetByteCount(pair.Value) + 6) ?? 0);
    }

    [GeneratedRegex(@"\A[^=\0]{1,256}\z", RegexOptions.CultureInvariant)]
    public static partial Regex EnvironmentName();
}
