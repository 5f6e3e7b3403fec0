using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>By what usage is grouped.</summary>
public static class UsageGrouping
{
    /// <summary>Your users.</summary>
    public const string ExternalUser = "external_user_id";

    /// <summary>Your projects.</summary>
    public const string ExternalProject = "external_project_id";

    /// <summary>Your workspaces.</summary>
    public const string ExternalWorkspace = "external_workspace_id";

    /// <summary>Workspaces of the platform.</summary>
    public const string Workspace = "workspace_id";
}

/// <summary>
/// Usage as whole numbers. Times and products are exact: over any division of a period into parts the parts add up to the whole. The cost is
/// made of them in whole numbers too and cut once at its end, so that a sum of parts may miss less than a millionth of a cent for each part.
/// </summary>
public sealed record UsageExact
{
    /// <summary>Milliseconds that machines ran.</summary>
    public long RunningMs { get; init; }

    /// <summary>Running milliseconds times virtual CPUs.</summary>
    public long VcpuMs { get; init; }

    /// <summary>Running milliseconds times memory in MiB.</summary>
    public long MemoryMbMs { get; init; }

    /// <summary>Milliseconds of existence, running or paused, times disk in MiB.</summary>
    public long DiskMbMs { get; init; }

    /// <summary>Tokens that language models read.</summary>
    public long TokensIn { get; init; }

    /// <summary>Tokens that language models wrote.</summary>
    public long TokensOut { get; init; }

    /// <summary>Cost in millionths of a cent, cut off after the last whole one.</summary>
    public long CostMicroCents { get; init; }
}

/// <summary>Usage of a period by user, project or workspace.</summary>
public sealed record UsageRollup
{
    /// <summary>Start, inclusive.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>One of <see cref="UsageGrouping"/>.</summary>
    public string? GroupBy { get; init; }

    /// <summary>Currency of the cents.</summary>
    public string? Currency { get; init; }

    /// <summary>One row for each group that used something, the most expensive first.</summary>
    public required IReadOnlyList<UsageRollupRow> Results { get; init; }
}

/// <summary>Usage of one group. Only the key of the grouping is set, and none for what belongs to no group.</summary>
public sealed record UsageRollupRow
{
    /// <summary>The name of the group, whatever it is grouped by.</summary>
    [JsonIgnore]
    public string? Key => ExternalUserId ?? ExternalProjectId ?? ExternalWorkspaceId ?? WorkspaceId;

    /// <summary>Your user.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ExternalUserId { get; init; }

    /// <summary>Your project.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ExternalProjectId { get; init; }

    /// <summary>Your workspace.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The platform's workspace.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? WorkspaceId { get; init; }

    /// <summary>Seconds that sandboxes ran, times their virtual CPUs.</summary>
    public required long SandboxSeconds { get; init; }

    /// <summary>The same of computers.</summary>
    public required long ComputerSeconds { get; init; }

    /// <summary>Disk in GiB times hours.</summary>
    public required double StorageGbHours { get; init; }

    /// <summary>Tokens of language models, read and written.</summary>
    public long AiTokens { get; init; }

    /// <summary>Cost in cents, rounded to the nearest.</summary>
    public required long CreditCents { get; init; }

    /// <summary>The exact figures.</summary>
    public UsageExact? Exact { get; init; }
}

/// <summary>Totals of a period.</summary>
public sealed record UsageSummary
{
    /// <summary>Start, inclusive.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>Hours that machines ran.</summary>
    public double ComputeHours { get; init; }

    /// <summary>GiB written to the disks of the machines that are there now, as last measured.</summary>
    public double StorageGb { get; init; }

    /// <summary>Always null: what machines send is not kept over time.</summary>
    public double? BandwidthGb { get; init; }

    /// <summary>Tokens of language models, read and written.</summary>
    public long AiTokens { get; init; }

    /// <summary>Credits used; one credit is one cent.</summary>
    public required long TotalCredits { get; init; }

    /// <summary>Seconds that sandboxes ran.</summary>
    public long SandboxSeconds { get; init; }

    /// <summary>Seconds that computers ran.</summary>
    public long ComputerSeconds { get; init; }

    /// <summary>Cost in cents, rounded to the nearest.</summary>
    public long CreditCents { get; init; }

    /// <summary>The exact figures.</summary>
    public UsageExact? Exact { get; init; }
}

/// <summary>Credits spent over a window.</summary>
public sealed record UsageCredits
{
    /// <summary>The window that was asked for.</summary>
    public string? Window { get; init; }

    /// <summary>Start, inclusive.</summary>
    public DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public DateTimeOffset PeriodEnd { get; init; }

    /// <summary>Credits spent; one credit is one cent.</summary>
    public required long TotalCredits { get; init; }

    /// <summary>Of them for CPUs and memory.</summary>
    public long ComputeCredits { get; init; }

    /// <summary>Of them for language models.</summary>
    public long AiCredits { get; init; }

    /// <summary>Of them for disks.</summary>
    public long StorageCredits { get; init; }

    /// <summary>The total in cents.</summary>
    public long CreditCents { get; init; }

    /// <summary>Credits left now.</summary>
    public long Balance { get; init; }

    /// <summary>Days in order; their whole numbers add up to the total.</summary>
    public IReadOnlyList<UsagePoint> Series { get; init; } = [];
}

/// <summary>Machine time over a window.</summary>
public sealed record UsageCompute
{
    /// <summary>The window that was asked for.</summary>
    public string? Window { get; init; }

    /// <summary>Start, inclusive.</summary>
    public DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public DateTimeOffset PeriodEnd { get; init; }

    /// <summary>Hours that machines ran.</summary>
    public required double ComputeHours { get; init; }

    /// <summary>Seconds that sandboxes ran.</summary>
    public long SandboxSeconds { get; init; }

    /// <summary>Seconds that computers ran.</summary>
    public long ComputerSeconds { get; init; }

    /// <summary>Seconds that machines ran, times their virtual CPUs.</summary>
    public long VcpuSeconds { get; init; }

    /// <summary>Memory in GiB times hours run.</summary>
    public double MemoryGbHours { get; init; }

    /// <summary>Disk in GiB times hours of existence.</summary>
    public double StorageGbHours { get; init; }

    /// <summary>Days in order.</summary>
    public IReadOnlyList<UsagePoint> Series { get; init; } = [];

    /// <summary>The exact figures.</summary>
    public UsageExact? Exact { get; init; }
}

/// <summary>One bucket of a series.</summary>
public sealed record UsagePoint
{
    /// <summary>Start, inclusive.</summary>
    public required DateTimeOffset Start { get; init; }

    /// <summary>End, exclusive.</summary>
    public required DateTimeOffset End { get; init; }

    /// <summary>Seconds that sandboxes ran.</summary>
    public long SandboxSeconds { get; init; }

    /// <summary>Seconds that computers ran.</summary>
    public long ComputerSeconds { get; init; }

    /// <summary>Disk in GiB times hours.</summary>
    public double StorageGbHours { get; init; }

    /// <summary>Cost in cents.</summary>
    public long CreditCents { get; init; }

    /// <summary>The exact figures.</summary>
    public UsageExact? Exact { get; init; }
}

/// <summary>One metered run of a machine: from a start, resume or change of its size to the next stop or change.</summary>
public sealed record UsageSession
{
    /// <summary>Id of the run.</summary>
    public required string Id { get; init; }

    /// <summary>The computer; null for a sandbox.</summary>
    public string? ComputerId { get; init; }

    /// <summary>The sandbox; null for a computer.</summary>
    public string? SandboxId { get; init; }

    /// <summary>Start.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>End; null while it runs.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whole seconds.</summary>
    public required long DurationSec { get; init; }

    /// <summary>What it cost, in credits.</summary>
    public decimal CreditCost { get; init; }

    /// <summary>The same as <see cref="CreditCost"/>.</summary>
    public decimal CreditsUsed { get; init; }

    /// <summary>The workspace it belonged to.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>Your user it served.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your project it served.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your workspace it served.</summary>
    public string? ExternalWorkspaceId { get; init; }
}
