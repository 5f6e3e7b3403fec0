namespace Miosa;

/// <summary>The values of <see cref="ComputerService.Status"/>.</summary>
public static class ComputerServiceStatus
{
    /// <summary>It is about to be started, or waits to be started again.</summary>
    public const string Pending = "pending";

    /// <summary>Its process runs.</summary>
    public const string Running = "running";

    /// <summary>It was stopped, ended by itself without an error, or its computer does not run.</summary>
    public const string Stopped = "stopped";

    /// <summary>It could not be started, or ended with an error.</summary>
    public const string Failed = "failed";
}

/// <summary>The values of <see cref="ComputerService.RestartPolicy"/>.</summary>
public static class ComputerServiceRestart
{
    /// <summary>It is started with its computer and never again before the next start of that.</summary>
    public const string No = "no";

    /// <summary>It is started again when it ends with another exit code than 0.</summary>
    public const string OnFailure = "on-failure";

    /// <summary>It is started again whenever it ends.</summary>
    public const string Always = "always";
}

/// <summary>A background service of a computer: it is kept by the server and started whenever the computer starts.</summary>
public sealed record ComputerService
{
    /// <summary>Its id, <c>svc_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The computer.</summary>
    public required string ComputerId { get; init; }

    /// <summary>Its name, of which a computer has one.</summary>
    public required string Name { get; init; }

    /// <summary>The command line.</summary>
    public required string Command { get; init; }

    /// <summary>Working folder; null is the image's.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Its own environment variables. The values are kept encrypted and never told: each is <c>***</c>.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>One of <see cref="ComputerServiceStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>One of <see cref="ComputerServiceRestart"/>.</summary>
    public string? RestartPolicy { get; init; }

    /// <summary>True for every policy but <see cref="ComputerServiceRestart.No"/>.</summary>
    public bool AutoRestart { get; init; }

    /// <summary>Same as <see cref="RestartPolicy"/>, in the spelling some clients read.</summary>
    public string? Restart { get; init; }

    /// <summary>The TCP port it serves, as it was told at creation; else the lowest that it listens on.</summary>
    public int? Port { get; init; }

    /// <summary>Process id while it runs.</summary>
    public int? Pid { get; init; }

    /// <summary>Exit code of its last process; null while it runs and before.</summary>
    public int? ExitCode { get; init; }

    /// <summary>When it was registered.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it was last changed, started or stopped by a call.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>All services of a computer. Two keys and no more: one client takes the names of the keys for services otherwise.</summary>
internal sealed record ComputerServiceList
{
    public required IReadOnlyList<ComputerService> Data { get; init; }
    public int Total { get; init; }
}

/// <summary>A service to register and start.</summary>
public sealed record CreateComputerServiceRequest
{
    /// <summary>Its name: letters, digits, dot, dash and underscore, at most 64; one per computer.</summary>
    public required string Name { get; init; }

    /// <summary>The command line, run by <c>bash -c</c>.</summary>
    public required string Command { get; init; }

    /// <summary>Working folder; default: the image's.</summary>
    public string? WorkingDir { get; init; }

    /// <summary>Environment variables on top of the computer's.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>One of <see cref="ComputerServiceRestart"/>; default <see cref="ComputerServiceRestart.No"/>.</summary>
    public string? RestartPolicy { get; init; }

    /// <summary>The TCP port it serves, 1 to 65535; told again, nothing else.</summary>
    public int? Port { get; init; }
}
