using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>States of a computer. A client should treat an unknown value as "not running".</summary>
public static class ComputerStatus
{
    /// <summary>Accepted; its disk is being made. It moves on by itself.</summary>
    public const string Creating = "creating";

    /// <summary>Booting, and its desktop with it.</summary>
    public const string Starting = "starting";

    /// <summary>Commands, files and the desktop work.</summary>
    public const string Running = "running";

    /// <summary>Shutting down.</summary>
    public const string Stopping = "stopping";

    /// <summary>Halted; its disk is kept.</summary>
    public const string Stopped = "stopped";

    /// <summary>Failed; <see cref="ComputerInfo.Error"/> says why. A start tries again.</summary>
    public const string Error = "error";
}

/// <summary>Who may open the published ports of a computer that name nobody else.</summary>
public static class ComputerVisibility
{
    /// <summary>Anybody who has the address.</summary>
    public const string Public = "public";

    /// <summary>Holders of an API key of the tenant.</summary>
    public const string Tenant = "tenant";

    /// <summary>Holders of an API key of the tenant; the same as <see cref="Tenant"/> on a server where users are API keys.</summary>
    public const string Key = "key";
}

/// <summary>What the server tells of a computer: a persistent machine, with a desktop unless its image has none.</summary>
public sealed record ComputerInfo
{
    /// <summary>Opaque id, prefix <c>cmp_</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Always <c>computer</c>.</summary>
    public string Object { get; init; } = "computer";

    /// <summary>Display name; made by the server when none was given.</summary>
    public required string Name { get; init; }

    /// <summary>URL-safe name used in preview hosts.</summary>
    public required string Slug { get; init; }

    /// <summary>One of <see cref="ComputerStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Same as <see cref="Status"/>.</summary>
    public string? State { get; init; }

    /// <summary>One of <see cref="ComputerVisibility"/>.</summary>
    public required string Visibility { get; init; }

    /// <summary>The image it was made from.</summary>
    public required string TemplateType { get; init; }

    /// <summary>Same as <see cref="TemplateType"/>.</summary>
    public string? TemplateId { get; init; }

    /// <summary>Named size (xs, small, medium, large, xl), null for a free shape.</summary>
    public string? Size { get; init; }

    /// <summary>Virtual processors.</summary>
    public int Vcpus { get; init; }

    /// <summary>Same as <see cref="Vcpus"/>.</summary>
    public int CpuCount { get; init; }

    /// <summary>Memory limit in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk limit in MiB.</summary>
    public int DiskSizeMb { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>User that created it; null on a server where users are API keys.</summary>
    public string? OwnerUserId { get; init; }

    /// <summary>The API key that made it.</summary>
    public string? OwnerId { get; init; }

    /// <summary>The workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Slug of the workspace.</summary>
    public string? WorkspaceSlug { get; init; }

    /// <summary>Name of the workspace.</summary>
    public string? WorkspaceName { get; init; }

    /// <summary>The project.</summary>
    public string? ProjectId { get; init; }

    /// <summary>The integrator's workspace.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The integrator's user.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>The integrator's project.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Agent session last attached by an update.</summary>
    public string? AgentSessionId { get; init; }

    /// <summary>Region of the server it runs in.</summary>
    public string? Region { get; init; }

    /// <summary>Always null: machines are reached through the server alone.</summary>
    public string? IpAddress { get; init; }

    /// <summary>Base domain of preview addresses.</summary>
    public required string PreviewDomain { get; init; }

    /// <summary>Address of the first published port; null while none is.</summary>
    public string? SandboxUrl { get; init; }

    /// <summary>Same as <see cref="SandboxUrl"/>.</summary>
    public string? PublicUrl { get; init; }

    /// <summary>Page that shows and controls the desktop; null for an image without one. It needs a stream token.</summary>
    public string? DesktopUrl { get; init; }

    /// <summary>Same as <see cref="DesktopUrl"/>.</summary>
    public string? VncUrl { get; init; }

    /// <summary>Width of the screen in pixels; null for an image without desktop.</summary>
    public int? ScreenWidth { get; init; }

    /// <summary>Height of the screen in pixels; null for an image without desktop.</summary>
    public int? ScreenHeight { get; init; }

    /// <summary>Applications asked for at creation.</summary>
    public IReadOnlyList<string> SelectedApps { get; init; } = [];

    /// <summary>Idle seconds after which it is stopped; 0 = never.</summary>
    public int AutoStopSeconds { get; init; }

    /// <summary>Free key/value map.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>Why it is in status error, or what of its desktop failed last; null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>Milliseconds of its last boot up to the first screenshot; null until it ran.</summary>
    public int? BootMs { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>When it last began to run.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it was last used.</summary>
    public DateTimeOffset? LastActivityAt { get; init; }
}

/// <summary>What a computer is made of. Everything is optional.</summary>
public sealed record CreateComputerRequest
{
    /// <summary>Display name of at most 255 characters; made by the server when absent.</summary>
    public string? Name { get; init; }

    /// <summary>Image: <c>miosa-desktop</c> (the default), <c>miosa-sandbox</c> for a machine without desktop, a template of the tenant or another image.</summary>
    public string? TemplateType { get; init; }

    /// <summary>xs, small, medium, large or xl. Default: the tenant's, else small.</summary>
    public string? Size { get; init; }

    /// <summary>Applications to install, by the names that a refusal lists.</summary>
    public IReadOnlyList<string>? SelectedApps { get; init; }

    /// <summary>Width of the screen in pixels, 320 to 3840. Default: 1280.</summary>
    public int? ScreenWidth { get; init; }

    /// <summary>Height of the screen in pixels, 240 to 2160. Default: 720.</summary>
    public int? ScreenHeight { get; init; }

    /// <summary>Idle seconds after which it is stopped; 0 = never. Default: the tenant's, else never.</summary>
    public int? AutoStopSeconds { get; init; }

    /// <summary>The workspace it goes into. Default: the tenant's default workspace.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>The same by slug; made when there is none.</summary>
    public string? WorkspaceSlug { get; init; }

    /// <summary>Name of a workspace made so.</summary>
    public string? WorkspaceName { get; init; }

    /// <summary>The project.</summary>
    public string? ProjectId { get; init; }

    /// <summary>Slug of the project.</summary>
    public string? ProjectSlug { get; init; }

    /// <summary>Name of the project.</summary>
    public string? ProjectName { get; init; }

    /// <summary>The integrator's workspace.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The integrator's user.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>The integrator's project.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>One of <see cref="ComputerVisibility"/>. Default: public.</summary>
    public string? Visibility { get; init; }

    /// <summary>Free key/value map.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>Environment of later commands.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>Region; it must be the server's.</summary>
    public string? Region { get; init; }
}

/// <summary>What to change of a computer; absent fields stay.</summary>
public sealed record UpdateComputerRequest
{
    /// <summary>New display name.</summary>
    public string? Name { get; init; }

    /// <summary>New slug: 1 to 63 lower-case letters, digits and inner hyphens.</summary>
    public string? Slug { get; init; }

    /// <summary>One of <see cref="ComputerVisibility"/>.</summary>
    public string? Visibility { get; init; }

    /// <summary>Replaces the whole map.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>Agent session to attach.</summary>
    public string? AgentSessionId { get; init; }

    /// <summary>The integrator's workspace.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The integrator's project.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>The integrator's user.</summary>
    public string? ExternalUserId { get; init; }
}

/// <summary>What the copy of a computer has of its own.</summary>
public sealed record CloneComputerRequest
{
    /// <summary>Name; that of the source with <c>-clone</c> when absent.</summary>
    public string? Name { get; init; }

    /// <summary>Size; that of the source when absent.</summary>
    public string? Size { get; init; }

    /// <summary>Workspace; that of the source when absent.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Metadata; that of the source when absent.</summary>
    public JsonObject? Metadata { get; init; }
}

/// <summary>The new hardware of a computer: a size, or single figures.</summary>
public sealed record ResizeComputerRequest
{
    /// <summary>xs, small, medium, large or xl.</summary>
    public string? Size { get; init; }

    /// <summary>Virtual processors.</summary>
    public int? Vcpus { get; init; }

    /// <summary>Memory in MiB.</summary>
    public int? MemoryMb { get; init; }

    /// <summary>Disk in MiB; it can only grow.</summary>
    public int? DiskSizeMb { get; init; }
}

/// <summary>Where a computer is to go.</summary>
public sealed record MoveComputerRequest
{
    /// <summary>Region.</summary>
    public string? Region { get; init; }

    /// <summary>Host.</summary>
    public string? HostId { get; init; }
}

/// <summary>Outcome of an action that returns no resource.</summary>
public sealed record ComputerActionResult
{
    /// <summary>Always true on success.</summary>
    public bool Success { get; init; } = true;

    /// <summary>Same as <see cref="Success"/>.</summary>
    public bool Ok { get; init; } = true;

    /// <summary>Remark.</summary>
    public string? Message { get; init; }

    /// <summary>Resulting state.</summary>
    public string? Status { get; init; }

    /// <summary>What was acted upon.</summary>
    public string? Id { get; init; }
}

/// <summary>One public address of a computer.</summary>
public sealed record ComputerUrl
{
    /// <summary>Role: <c>desktop</c>, or <c>port-N</c> for a published port.</summary>
    public required string Name { get; init; }

    /// <summary>The address.</summary>
    public required string Url { get; init; }

    /// <summary>Port inside the machine.</summary>
    public int? Port { get; init; }

    /// <summary>Who may open it.</summary>
    public string? Visibility { get; init; }
}

/// <summary>Public addresses of a computer.</summary>
public sealed record ComputerUrls
{
    /// <summary>The list, never null.</summary>
    public required IReadOnlyList<ComputerUrl> Data { get; init; }

    /// <summary>Address of the first published port.</summary>
    public string? SandboxUrl { get; init; }

    /// <summary>Same as <see cref="SandboxUrl"/>.</summary>
    public string? PreviewUrl { get; init; }

    /// <summary>Viewer page of the desktop.</summary>
    public string? DesktopUrl { get; init; }

    /// <summary>Same as <see cref="DesktopUrl"/>.</summary>
    public string? VncUrl { get; init; }
}

/// <summary>An application of a computer.</summary>
public sealed record ComputerApp
{
    /// <summary>Short name that launch takes.</summary>
    public required string Id { get; init; }

    /// <summary>Display name.</summary>
    public required string Name { get; init; }

    /// <summary>Version; null when the machine does not tell.</summary>
    public string? Version { get; init; }

    /// <summary>Command that starts it.</summary>
    public string? Command { get; init; }

    /// <summary><c>installed</c>, <c>installing</c> or <c>failed</c>.</summary>
    public string? Status { get; init; }

    /// <summary>Why it is <c>failed</c>.</summary>
    public string? Error { get; init; }

    /// <summary>Icon; null when there is none to show.</summary>
    public string? IconUrl { get; init; }
}

/// <summary>Applications of a computer.</summary>
public sealed record ComputerAppList
{
    /// <summary>The list, never null.</summary>
    public required IReadOnlyList<ComputerApp> Data { get; init; }

    /// <summary>Their number.</summary>
    public int Total { get; init; }
}

/// <summary>When an idle computer is stopped.</summary>
public sealed record ComputerAutoStop
{
    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>False when it is never stopped.</summary>
    public required bool Enabled { get; init; }

    /// <summary>Idle seconds before the stop; 0 = never.</summary>
    public required int Seconds { get; init; }

    /// <summary>Same as <see cref="Seconds"/>.</summary>
    public required int AutoStopSeconds { get; init; }

    /// <summary>When it was last used.</summary>
    public DateTimeOffset? LastActivityAt { get; init; }

    /// <summary>When it would be stopped if nobody used it until then; null when it would not, or does not run.</summary>
    public DateTimeOffset? StopsAt { get; init; }
}

/// <summary>A new idle policy.</summary>
public sealed record ComputerAutoStopRequest
{
    /// <summary>Idle seconds; 0 switches it off.</summary>
    public required int Seconds { get; init; }
}

/// <summary>One sample.</summary>
public sealed record ComputerMetricPoint
{
    /// <summary>When it was taken.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>The value.</summary>
    public required double Value { get; init; }
}

/// <summary>What a computer used over a window.</summary>
public sealed record ComputerMetrics
{
    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>The window served, such as <c>1h</c>.</summary>
    public required string Window { get; init; }

    /// <summary>Its start.</summary>
    public DateTimeOffset? PeriodStart { get; init; }

    /// <summary>Its end.</summary>
    public DateTimeOffset? PeriodEnd { get; init; }

    /// <summary>Distance of samples in seconds.</summary>
    public int StepSeconds { get; init; }

    /// <summary>Figures of this moment by series name; empty when it does not run.</summary>
    public IReadOnlyDictionary<string, double> Current { get; init; } = new Dictionary<string, double>();

    /// <summary>
    /// Samples by name: cpu_percent (100 = all its vCPUs), memory_used_mb, disk_used_mb, network_rx_bytes and network_tx_bytes (since its start). The server
    /// keeps them in memory: after its restart they begin anew.
    /// </summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<ComputerMetricPoint>> Series { get; init; }
}

/// <summary>One environment variable of a computer.</summary>
public sealed record ComputerEnvVar
{
    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Same as <see cref="Name"/>.</summary>
    public string? Key { get; init; }

    /// <summary>Value; null when it is <see cref="Masked"/>.</summary>
    public string? Value { get; init; }

    /// <summary>True when the value is not told again.</summary>
    public bool Masked { get; init; }

    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>When it was set.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it was last set.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>Variables of a computer.</summary>
public sealed record ComputerEnvVarList
{
    /// <summary>The list, by name; never null.</summary>
    public required IReadOnlyList<ComputerEnvVar> Data { get; init; }

    /// <summary>Their number.</summary>
    public int Total { get; init; }
}

/// <summary>A variable to set.</summary>
public sealed record ComputerEnvVarRequest
{
    /// <summary>Name; left out where the address names it.</summary>
    public string? Name { get; init; }

    /// <summary>Value.</summary>
    public required string Value { get; init; }
}

/// <summary>One exposed port of a computer.</summary>
public sealed record ComputerPort
{
    /// <summary>Port inside the machine.</summary>
    public required int Port { get; init; }

    /// <summary><c>public</c>: anybody; <c>private</c>, <c>tenant</c> and <c>key</c>: holders of an API key of the tenant.</summary>
    public required string Visibility { get; init; }

    /// <summary>Always <c>http</c>.</summary>
    public string Protocol { get; init; } = "http";

    /// <summary>Address it is reached at.</summary>
    public string? Url { get; init; }

    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>Free label.</summary>
    public string? Label { get; init; }

    /// <summary>When it was exposed.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }
}

/// <summary>Exposed ports of a computer.</summary>
public sealed record ComputerPortList
{
    /// <summary>The list, by port; never null.</summary>
    public required IReadOnlyList<ComputerPort> Data { get; init; }

    /// <summary>Their number.</summary>
    public int Total { get; init; }
}

/// <summary>A port to expose, or its change.</summary>
public sealed record ComputerPortRequest
{
    /// <summary>Port, 1 to 65535; left out where the address names it.</summary>
    public int? Port { get; init; }

    /// <summary>public, private, tenant or key. Default: the visibility of the computer.</summary>
    public string? Visibility { get; init; }

    /// <summary><c>http</c>.</summary>
    public string? Protocol { get; init; }

    /// <summary>Free label.</summary>
    public string? Label { get; init; }
}
