using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>A named group of machines inside a tenant.</summary>
public sealed record Workspace
{
    /// <summary>Id, <c>ws_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Display name.</summary>
    public required string Name { get; init; }

    /// <summary>URL-safe name, unique in the tenant.</summary>
    public string? Slug { get; init; }

    /// <summary>The tenant it belongs to.</summary>
    public string? TenantId { get; init; }

    /// <summary>What it is for.</summary>
    public string? Description { get; init; }

    /// <summary>Your own key-value data; empty when there is none. Numbers and truth values that were sent come back as text.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Limits of the workspace and defaults of its new machines, as they were stored; see <c>docs/workspaces.md</c>.</summary>
    public JsonObject? Settings { get; init; }

    /// <summary>Your own name for it.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>One page of workspaces, newest first. The items stand in it twice: older Python clients find them nowhere else.</summary>
public sealed record WorkspaceList
{
    /// <summary>The workspaces.</summary>
    public required IReadOnlyList<Workspace> Data { get; init; }

    /// <summary>The same workspaces.</summary>
    [System.ComponentModel.EditorBrowsable(System.ComponentModel.EditorBrowsableState.Never)]
    public IReadOnlyList<Workspace>? Workspaces { get; init; }

    /// <summary>Matching workspaces over all pages.</summary>
    public int Total { get; init; }

    /// <summary>Paging figures.</summary>
    public PageMeta? Meta { get; init; }

    /// <summary>The same figures under the names of the public REST pages.</summary>
    [JsonPropertyName("page")]
    [System.ComponentModel.EditorBrowsable(System.ComponentModel.EditorBrowsableState.Never)]
    public PageFigures? Figures { get; init; }

    /// <summary>True when a later page exists.</summary>
    public bool HasNext { get; init; }

    /// <summary>Stands for the next page; null on the last one.</summary>
    public string? NextCursor { get; init; }
}

/// <summary>What a new workspace should be.</summary>
public sealed record CreateWorkspaceRequest
{
    /// <summary>Display name, 1 to 255 characters.</summary>
    public required string Name { get; init; }

    /// <summary>URL-safe name: lower-case letters, digits and inner hyphens, 1 to 63 characters, unique in the tenant. Default: made of the name.</summary>
    public string? Slug { get; init; }

    /// <summary>What it is for, at most 4096 characters.</summary>
    public string? Description { get; init; }

    /// <summary>Your own key-value data.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Your own name for it, at most 255 characters.</summary>
    public string? ExternalWorkspaceId { get; init; }
}

/// <summary>Changes of a workspace; what is null stays.</summary>
public sealed record UpdateWorkspaceRequest
{
    /// <summary>Display name, 1 to 255 characters.</summary>
    public string? Name { get; init; }

    /// <summary>URL-safe name, unique in the tenant.</summary>
    public string? Slug { get; init; }

    /// <summary>What it is for; empty for nothing.</summary>
    public string? Description { get; init; }

    /// <summary>Replaces the stored data.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Your own name for it.</summary>
    public string? ExternalWorkspaceId { get; init; }
}

/// <summary>Counts and reserved resources of a workspace.</summary>
public sealed record WorkspaceStats
{
    /// <summary>The workspace.</summary>
    public required string WorkspaceId { get; init; }

    /// <summary>Number of computers by state, and <c>total</c>.</summary>
    public required IReadOnlyDictionary<string, int> Computers { get; init; }

    /// <summary>Number of sandboxes by state, and <c>total</c>; destroyed ones are not counted.</summary>
    public required IReadOnlyDictionary<string, int> Sandboxes { get; init; }

    /// <summary>What its running machines have been given.</summary>
    public required WorkspaceResources Resources { get; init; }

    /// <summary>GiB that its machines have written to their disks, as last measured.</summary>
    public double StorageGb { get; init; }

    /// <summary>When it was counted.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Sums over the running machines of a workspace.</summary>
public sealed record WorkspaceResources
{
    /// <summary>Virtual CPUs.</summary>
    public int Vcpus { get; init; }

    /// <summary>Memory in MiB.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk in GiB.</summary>
    public double DiskGb { get; init; }
}

/// <summary>What a workspace used over a window.</summary>
public sealed record WorkspaceUsage
{
    /// <summary>The workspace.</summary>
    public required string WorkspaceId { get; init; }

    /// <summary>The window that was asked for.</summary>
    public required string Window { get; init; }

    /// <summary>Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>.</summary>
    public required string Granularity { get; init; }

    /// <summary>Start, inclusive.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>The whole window.</summary>
    public required UsagePoint Totals { get; init; }

    /// <summary>Its buckets in order, empty ones too; their whole numbers add up to those of <see cref="Totals"/>.</summary>
    public required IReadOnlyList<UsagePoint> Series { get; init; }
}
