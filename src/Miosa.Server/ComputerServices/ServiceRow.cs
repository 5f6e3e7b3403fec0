namespace Miosa.Server.ComputerServices;

/// <summary>A service of a computer as the database has it. Whether it runs is the machine's to say.</summary>
internal sealed record ServiceRow
{
    /// <summary>Begins the names of processes that are services.</summary>
    private const string ProcessPrefix = "service:";

    public required string Id { get; init; }
    public required string TenantId { get; init; }
    public required string MachineId { get; init; }
    public required string Name { get; init; }
    public required string Command { get; init; }
    public string? WorkingDir { get; init; }

    /// <summary>Its own environment, encrypted; null when there is none.</summary>
    public byte[]? SealedEnv { get; init; }

    /// <summary>One of <see cref="ComputerServiceRestart"/>.</summary>
    public required string RestartPolicy { get; init; }
    public int? Port { get; init; }

    /// <summary>To be started with the computer: it was not stopped by a call.</summary>
    public bool IsWanted { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The name of its processes in the machine, by which it is found again over every restart of anything.</summary>
    public string ProcessName => ProcessPrefix + Id;

    /// <summary>Its end is watched for.</summary>
    public bool IsKept => IsWanted && RestartPolicy != ComputerServiceRestart.No;

    /// <summary>The service whose process has this name.</summary>
    public static string? IdOf(string? processName) =>
        processName?.StartsWith(ProcessPrefix, StringComparison.Ordinal) == true ? processName[ProcessPrefix.Length..] : null;
}
