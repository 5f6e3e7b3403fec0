namespace Miosa.Server.Lifecycle;

internal enum MachineState
{
    Provisioning,
    Running,
    Paused,
    Error,
    Destroyed,
}

internal static class MachineStateNames
{
    public static string Wire(this MachineState state) => state switch
    {
        MachineState.Provisioning => SandboxState.Provisioning,
        MachineState.Running => SandboxState.Running,
        MachineState.Paused => SandboxState.Paused,
        MachineState.Error => SandboxState.Error,
        _ => SandboxState.Destroyed,
    };

    public static MachineState? Parse(string name) => name switch
    {
        SandboxState.Provisioning => MachineState.Provisioning,
        SandboxState.Running => MachineState.Running,
        SandboxState.Paused => MachineState.Paused,
        SandboxState.Error => MachineState.Error,
        SandboxState.Destroyed => MachineState.Destroyed,
        _ => null,
    };
}

/// <summary>A machine as the database has it. Immutable: a change is a new record, written by the machine's grain alone.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
internal sealed record Machine
{
    public required string Id { get; init; }
    public string Kind { get; init; } = "sandbox";
    public required string TenantId { get; init; }
    public required string OwnerId { get; init; }
    public required string NodeId { get; init; }
    public MachineState State { get; init; }

    /// <summary>Grows with every write: tells a stale copy of a node that was away.</summary>
    public long Epoch { get; init; }

    public string? Name { get; init; }
    public required string Slug { get; init; }
    public required string Image { get; init; }
    public string? ImageDigest { get; init; }

    /// <summary>The tenant's template it was made of; null when it names an image.</summary>
    public string? TemplateId { get; init; }
    public string? Size { get; init; }
    public int Vcpus { get; init; }
    public int MemoryMb { get; init; }
    public int DiskMb { get; init; }
    public int TimeoutSec { get; init; }
    public int IdleTimeoutSec { get; init; }
    public bool AlwaysOn { get; init; }
    public bool Persistent { get; init; }

    /// <summary><c>gvisor</c>; null is the default, namespaces.</summary>
    public string? Isolation { get; init; }

    /// <summary>The environment as JSON, encrypted; null when there is none.</summary>
    public byte[]? SealedEnv { get; init; }

    /// <summary>What it may reach, as JSON (<see cref="Miosa.Server.Egress.EgressFields"/>); null is everything public.</summary>
    public string? Egress { get; init; }

    /// <summary>JSON object.</summary>
    public string Metadata { get; init; } = "{}";

    /// <summary>JSON array; null when there are none.</summary>
    public string? Tags { get; init; }
    public string? Entrypoint { get; init; }

    /// <summary>JSON object of the readiness probe.</summary>
    public string? Probe { get; init; }
    public string? Region { get; init; }
    public string? WorkspaceId { get; init; }
    public string? ProjectId { get; init; }
    public string? ProjectSlug { get; init; }
    public string? ProjectName { get; init; }
    public string? ExternalUserId { get; init; }
    public string? ExternalProjectId { get; init; }
    public string? ExternalWorkspaceId { get; init; }
    public string? AgentRuntimeProfileId { get; init; }
    public bool SkipAgentRuntimeProfile { get; init; }

    /// <summary>Socket of the guest, so that commands work while the runtime is away.</summary>
    public string? SocketPath { get; init; }
    public string? BootPath { get; init; }
    public int? BootMs { get; init; }
    public int? ExitCode { get; init; }
    public string? Error { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset UpdatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? ReadyAt { get; init; }
    public DateTimeOffset? DestroyedAt { get; init; }

    /// <summary>When the life limit ends it; null when nothing does.</summary>
    public DateTimeOffset? DueAt { get; init; }
    public DateTimeOffset? LastActivityAt { get; init; }

    /// <summary>Seconds it ran before <see cref="RunningSince"/>.</summary>
    public int RanSec { get; init; }
    public DateTimeOffset? RunningSince { get; init; }

    public bool IsLive => State != MachineState.Destroyed;
}
