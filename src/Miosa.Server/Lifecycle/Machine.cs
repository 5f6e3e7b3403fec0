namespace Miosa.Server.Lifecycle;

internal enum MachineState
{
    Provisioning,
    Running,
    Paused,
    Error,
    Destroyed,

    /// <summary>Of computers alone: the machine runs and its desktop does not yet.</summary>
    Starting,
}

/// <summary>Values of <see cref="Machine.Kind"/>, which are also what messages call it.</summary>
internal static class MachineKind
{
    public const string Sandbox = "sandbox";

    /// <summary>Persistent, started and stopped by its owner alone, with a desktop unless its image has none.</summary>
    public const string Computer = "computer";

    public static string PrefixOf(string kind) => kind == Computer ? "cmp" : "sbx";

    /// <summary>The kind of a machine of which only its id is known.</summary>
    public static string OfId(string id) => id.StartsWith("cmp_", StringComparison.Ordinal) ? Computer : Sandbox;
}

internal static class MachineStateNames
{
    private const string Starting = ComputerStatus.Starting;

    public static string Wire(this MachineState state) => state switch
    {
        MachineState.Provisioning => SandboxState.Provisioning,
        MachineState.Running => SandboxState.Running,
        MachineState.Paused => SandboxState.Paused,
        MachineState.Error => SandboxState.Error,
        MachineState.Starting => Starting,
        _ => SandboxState.Destroyed,
    };

    /// <summary>As the machine's own kind calls it: a computer is <c>creating</c> and <c>stopped</c> where a sandbox is <c>provisioning</c> and <c>paused</c>.</summary>
    public static string Wire(this MachineState state, string kind) => kind != MachineKind.Computer ? state.Wire() : state switch
    {
        MachineState.Provisioning => ComputerStatus.Creating,
        MachineState.Paused => ComputerStatus.Stopped,
        _ => state.Wire(),
    };

    public static MachineState? Parse(string name) => name switch
    {
        SandboxState.Provisioning => MachineState.Provisioning,
        SandboxState.Running => MachineState.Running,
        SandboxState.Paused => MachineState.Paused,
        SandboxState.Error => MachineState.Error,
        SandboxState.Destroyed => MachineState.Destroyed,
        Starting => MachineState.Starting,
        _ => null,
    };
}

/// <summary>A machine as the database has it. Immutable: a change is a new record, written by the machine's grain alone.</summary>
[GenerateSerializer(GenerateFieldIds = GenerateFieldIds.PublicProperties), Immutable]
internal sealed record Machine
{
    public required string Id { get; init; }

    /// <summary>One of <see cref="MachineKind"/>.</summary>
    public string Kind { get; init; } = MachineKind.Sandbox;
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

    /// <summary>The screen that is asked for, in pixels; null when there is to be none.</summary>
    public int? ScreenWidth { get; init; }

    /// <inheritdoc cref="ScreenWidth"/>
    public int? ScreenHeight { get; init; }

    /// <summary>Its desktop was started once: the image has one.</summary>
    public bool HasDesktop { get; init; }

    /// <summary>What of the desktop failed last, while the machine itself is fine; null when nothing did.</summary>
    public string? DesktopError { get; init; }

    /// <summary>One of <see cref="ComputerVisibility"/>; null for sandboxes.</summary>
    public string? Visibility { get; init; }

    /// <summary>JSON array of the applications asked for; null when there are none.</summary>
    public string? SelectedApps { get; init; }

    /// <summary>JSON object of those that are not installed: the name, and why not; an empty reason is one still to be done.</summary>
    public string? MissingApps { get; init; }
    public string? AgentSessionId { get; init; }

    public bool IsComputer => Kind == MachineKind.Computer;

    public bool IsLive => State != MachineState.Destroyed;
}
