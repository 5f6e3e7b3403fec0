using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>States of a sandbox. A client should treat an unknown value as "not running".</summary>
public static class SandboxState
{
    /// <summary>Being made.</summary>
    public const string Provisioning = "provisioning";

    /// <summary>Accepts commands.</summary>
    public const string Running = "running";

    /// <summary>Frozen; memory and files are kept, no CPU is used.</summary>
    public const string Paused = "paused";

    /// <summary>Gone for good.</summary>
    public const string Destroyed = "destroyed";

    /// <summary>Failed; <see cref="SandboxInfo.Error"/> says why.</summary>
    public const string Error = "error";
}

/// <summary>What the server tells of a sandbox.</summary>
public sealed record SandboxInfo
{
    /// <summary>Opaque id, prefix <c>sbx_</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Always <c>sandbox</c>.</summary>
    public string Object { get; init; } = "sandbox";

    /// <summary>Display name, unique among the tenant's live sandboxes; null when none was given.</summary>
    public string? Name { get; init; }

    /// <summary>URL-safe name used in preview hosts; made by the server when not given.</summary>
    public string? Slug { get; init; }

    /// <summary>One of <see cref="SandboxState"/>.</summary>
    public required string State { get; init; }

    /// <summary>Same as <see cref="State"/>.</summary>
    public string? Status { get; init; }

    /// <summary>True once commands are accepted.</summary>
    public bool Ready { get; init; }

    /// <summary>The template it was made from.</summary>
    public string? TemplateId { get; init; }

    /// <summary>Same as <see cref="TemplateId"/>.</summary>
    public string? TemplateType { get; init; }

    /// <summary>Same as <see cref="TemplateId"/>.</summary>
    public string? Image { get; init; }

    /// <summary>The concrete image (name and digest) behind the template.</summary>
    public string? ImageId { get; init; }

    /// <summary>Named size (xs, small, medium, large, xl), null for a free shape.</summary>
    public string? Size { get; init; }

    /// <summary>The named shape, null for a free one.</summary>
    public ResourceContract? ResourceContract { get; init; }

    /// <summary>Virtual CPUs.</summary>
    public int CpuCount { get; init; }

    /// <summary>Same as <see cref="CpuCount"/>.</summary>
    public int Vcpus { get; init; }

    /// <summary>Memory in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk in MiB.</summary>
    public int DiskSizeMb { get; init; }

    /// <summary>Same as <see cref="DiskSizeMb"/>.</summary>
    public int DiskMb { get; init; }

    /// <summary>Owning tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>The key that made it.</summary>
    public string? OwnerId { get; init; }

    /// <summary>Workspace it belongs to.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Slug of that workspace.</summary>
    public string? WorkspaceSlug { get; init; }

    /// <summary>Name of that workspace.</summary>
    public string? WorkspaceName { get; init; }

    /// <summary>Project it belongs to.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Slug of that project.</summary>
    public string? ProjectSlug { get; init; }

    /// <summary>Name of that project.</summary>
    public string? ProjectName { get; init; }

    /// <summary>Your own name for the user it serves.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your own name for the project it serves.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your own name for the workspace it serves.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>Your own key-value data; empty when none, never null.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>Labels; null when there are none.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Life limit in seconds.</summary>
    public int TimeoutSec { get; init; }

    /// <summary>Same as <see cref="TimeoutSec"/>.</summary>
    public int TimeoutSeconds { get; init; }

    /// <summary>Milliseconds left before the limit; null when always on or not running.</summary>
    public long? TimeoutRemainingMs { get; init; }

    /// <summary>Idle limit in seconds, 0 for none.</summary>
    public int IdleTimeoutSec { get; init; }

    /// <summary>True: no limit stops it.</summary>
    public bool AlwaysOn { get; init; }

    /// <summary>True: reaching a limit pauses it instead of destroying it.</summary>
    public bool Persistent { get; init; }

    /// <summary>What stands between it and the host: a value of <see cref="SandboxIsolation"/>.</summary>
    public string? Isolation { get; init; }

    /// <summary>Region name.</summary>
    public string? Region { get; init; }

    /// <summary>Command started after boot.</summary>
    public string? Entrypoint { get; init; }

    /// <summary>Default preview address, null while nothing is exposed.</summary>
    public string? PreviewUrl { get; init; }

    /// <summary>Domain preview hosts live under.</summary>
    public string? PreviewDomain { get; init; }

    /// <summary>How <see cref="PreviewUrl"/> may be used; null while nothing is exposed.</summary>
    public PreviewUrlInfo? UrlInfo { get; init; }

    /// <summary>Class of <see cref="PreviewUrl"/>, one of <see cref="PreviewUrlClasses"/>.</summary>
    public string? UrlClass { get; init; }

    /// <summary>Whether <see cref="PreviewUrl"/> may be stored.</summary>
    public bool? StableForEmbedding { get; init; }

    /// <summary>Hint for callers of <see cref="PreviewUrl"/>.</summary>
    public string? RecommendedNextAction { get; init; }

    /// <summary>How it was started: <c>cold</c>, <c>warm</c> (from the pool) or <c>snapshot</c>.</summary>
    public string? BootPath { get; init; }

    /// <summary>Start time in milliseconds.</summary>
    public int? BootMs { get; init; }

    /// <summary>Exit code of the entry point, if it ended.</summary>
    public int? ExitCode { get; init; }

    /// <summary>Seconds it has run.</summary>
    public int? TotalRuntimeSec { get; init; }

    /// <summary>Agent session bound to it.</summary>
    public string? AgentSessionId { get; init; }

    /// <summary>Why the state is <c>error</c>.</summary>
    public string? Error { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Same as <see cref="CreatedAt"/>.</summary>
    public DateTimeOffset InsertedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>When it started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it became ready.</summary>
    public DateTimeOffset? ReadyAt { get; init; }

    /// <summary>Last command, file or preview use.</summary>
    public DateTimeOffset? LastActivityAt { get; init; }

    /// <summary>When it was destroyed.</summary>
    public DateTimeOffset? DestroyedAt { get; init; }
}

/// <summary>A named shape.</summary>
public sealed record ResourceContract
{
    /// <summary>Shape id, such as <c>sandbox/small@v1</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Shape version.</summary>
    public string Version { get; init; } = "v1";

    /// <summary>Product the shape belongs to.</summary>
    public string Product { get; init; } = "sandbox";

    /// <summary>Named size.</summary>
    public required string Size { get; init; }

    /// <summary>Virtual CPUs.</summary>
    public int Vcpus { get; init; }

    /// <summary>Memory in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk in MiB.</summary>
    public int DiskSizeMb { get; init; }
}

/// <summary>What a new sandbox should be. Every field is optional; an absent one takes the server's default.</summary>
public sealed record CreateSandboxRequest
{
    /// <summary>Template or image; default <c>miosa-sandbox</c>.</summary>
    public string? TemplateId { get; init; }

    /// <summary>Display name, at most 255 characters, unique among the tenant's live sandboxes.</summary>
    public string? Name { get; init; }

    /// <summary>URL-safe name: lower-case letters, digits and hyphens, 1 to 63 characters.</summary>
    public string? Slug { get; init; }

    /// <summary>Named size: <c>xs</c>, <c>small</c>, <c>medium</c>, <c>large</c> or <c>xl</c>; default <c>small</c>.</summary>
    public string? Size { get; init; }

    /// <summary>Virtual CPUs, 1 to 64; overrides the size.</summary>
    public int? CpuCount { get; init; }

    /// <summary>Memory in MiB, at least 128; overrides the size.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>Disk in MiB, at least 512; overrides the size.</summary>
    public int? DiskSizeMb { get; init; }

    /// <summary>Life limit in seconds, 1 to 2,592,000; default 3600.</summary>
    public int? TimeoutSec { get; init; }

    /// <summary>Idle limit in seconds, 0 for none; default 0.</summary>
    public int? IdleTimeoutSec { get; init; }

    /// <summary>Ignore both limits; default false.</summary>
    public bool? AlwaysOn { get; init; }

    /// <summary>Pause instead of destroy at a limit; default false.</summary>
    public bool? Persistent { get; init; }

    /// <summary>
    /// What stands between it and the host: a value of <see cref="SandboxIsolation"/>. Default: the template's, else <see cref="SandboxIsolation.Namespace"/>.
    /// One that the server does not have is refused.
    /// </summary>
    public string? Isolation { get; init; }

    /// <summary>Environment variables for every command.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>What it may reach, from its first instruction on; default: everything public.</summary>
    public SandboxEgress? Egress { get; init; }

    /// <summary>Your own key-value data.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>Labels.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Command started after boot.</summary>
    public string? Entrypoint { get; init; }

    /// <summary>Region name.</summary>
    public string? Region { get; init; }

    /// <summary>Background services to start: objects with <c>name</c>, <c>command</c>, <c>port</c>, <c>env</c>.</summary>
    public IReadOnlyList<JsonObject>? Services { get; init; }

    /// <summary>Probe that decides readiness, such as <c>{"type":"tcp","port":3000}</c> or <c>{"type":"exec","command":"test -f /tmp/up"}</c>.</summary>
    public JsonObject? ReadinessProbe { get; init; }

    /// <summary>Repository cloned after boot.</summary>
    public string? GithubRepoUrl { get; init; }

    /// <summary>Branch to clone.</summary>
    public string? GithubBranch { get; init; }

    /// <summary>Where to clone.</summary>
    public string? GithubClonePath { get; init; }

    /// <summary>Owning workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Owning workspace by slug; made when missing.</summary>
    public string? WorkspaceSlug { get; init; }

    /// <summary>Name used when the workspace is made.</summary>
    public string? WorkspaceName { get; init; }

    /// <summary>Owning project.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Owning project by slug; made when missing.</summary>
    public string? ProjectSlug { get; init; }

    /// <summary>Name used when the project is made.</summary>
    public string? ProjectName { get; init; }

    /// <summary>Your own name for the user it serves.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your own name for the project it serves.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your own name for the workspace it serves.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>Give the token inside the sandbox the provision scope; default false.</summary>
    public bool? AllowProvision { get; init; }

    /// <summary>Agent profile; stored only.</summary>
    public string? AgentRuntimeProfileId { get; init; }

    /// <summary>Stored only.</summary>
    public bool? SkipAgentRuntimeProfile { get; init; }
}

/// <summary>Fields of a sandbox to change; a null field stays as it is.</summary>
public sealed record UpdateSandboxRequest
{
    /// <summary>Display name.</summary>
    public string? Name { get; init; }

    /// <summary>URL-safe name.</summary>
    public string? Slug { get; init; }

    /// <summary>Replaces all labels.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Replaces all metadata.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>A named size; also running it gets the vCPUs, memory and disk at once. The disk can only grow.</summary>
    public string? Size { get; init; }

    /// <summary>vCPUs, at once.</summary>
    public int? CpuCount { get; init; }

    /// <summary>Memory in MiB, at once; not less than it holds.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>Disk in MiB, at once; it can only grow.</summary>
    public int? DiskSizeMb { get; init; }

    /// <summary>Ignore both limits.</summary>
    public bool? AlwaysOn { get; init; }

    /// <summary>New life limit in seconds, counted from now.</summary>
    public int? TimeoutSec { get; init; }

    /// <summary>New idle limit in seconds, 0 for none.</summary>
    public int? IdleTimeoutSec { get; init; }

    /// <summary>Pause instead of destroy at a limit.</summary>
    public bool? Persistent { get; init; }

    /// <summary>Your own name for the user it serves.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your own name for the project it serves.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your own name for the workspace it serves.</summary>
    public string? ExternalWorkspaceId { get; init; }
}

/// <summary>A new limit; without one the present limit starts again from now.</summary>
public sealed record ExtendSandboxRequest
{
    /// <summary>New limit in seconds, 1 to 2,592,000.</summary>
    public int? TimeoutSec { get; init; }
}

/// <summary>All labels of a sandbox.</summary>
public sealed record SandboxTagsRequest
{
    /// <summary>Replaces the whole list.</summary>
    public required IReadOnlyList<string> Tags { get; init; }
}

/// <summary>How a sandbox is paused.</summary>
public sealed record PauseSandboxRequest
{
    /// <summary>True: memory goes to disk, holds no memory of the host and survives a restart of it. Only of persistent sandboxes with isolation <c>gvisor</c>. Default false.</summary>
    public bool? Memory { get; init; }
}

/// <summary>The values of <see cref="SandboxInfo.Isolation"/>.</summary>
public static class SandboxIsolation
{
    /// <summary>Namespaces, a system call filter and dropped powers on the host's kernel: the fastest.</summary>
    public const string Namespace = "namespace";

    /// <summary>A kernel of its own in user space (gVisor): slower, a stronger wall, and its memory can be kept.</summary>
    public const string Gvisor = "gvisor";
}
