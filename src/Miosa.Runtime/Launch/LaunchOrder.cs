using System.Text.Json.Serialization;
using Miosa.Runtime.Gvisor;

namespace Miosa.Runtime.Launch;

/// <summary>What the daemon asks the launcher for. Paths are relative to the data directory.</summary>
internal sealed record LaunchOrder
{
    public required string Machine { get; init; }
    public required string Hostname { get; init; }
    public required string Rootfs { get; init; }
    public required string Disk { get; init; }
    public required uint BaseId { get; init; }
    public required bool IsIdMapped { get; init; }
    public required bool IsDurable { get; init; }
    public required IReadOnlyList<string> Environment { get; init; }
    public required IReadOnlyList<string> MaskedFiles { get; init; }
    public required IReadOnlyList<string> MaskedDirectories { get; init; }
    public required IReadOnlyList<string> ReadOnlyPaths { get; init; }

    /// <summary>How many v1 <c>tasks</c> files come with the order.</summary>
    public required int CgroupTasks { get; init; }

    /// <summary>True when a v2 cgroup directory comes with the order.</summary>
    public required bool IsInCgroupV2 { get; init; }
    public required long ShmMb { get; init; }
    public VethOrder? Veth { get; init; }

    /// <summary>Set for a machine under runsc.</summary>
    public GvisorOrder? Gvisor { get; init; }

    /// <summary>The name of a step that shall fail: how tests see that everything before it is undone.</summary>
    public string? FailAt { get; init; }
}

internal sealed record VethOrder
{
    public required string HostInterface { get; init; }
    public required string HostAddress { get; init; }
    public required string MachineAddress { get; init; }
    public required int PrefixLength { get; init; }
}

internal sealed record LaunchReply
{
    public int Pid { get; init; }
    public string? FailedStep { get; init; }
    public int Errno { get; init; }
    public string? Message { get; init; }

    /// <summary>Microseconds since the order was read, by phase.</summary>
    public IReadOnlyDictionary<string, long> Phases { get; init; } = new Dictionary<string, long>();
}

[JsonSerializable(typeof(LaunchOrder))]
[JsonSerializable(typeof(LaunchReply))]
internal sealed partial class LaunchJson : JsonSerializerContext;
