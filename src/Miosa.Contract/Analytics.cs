using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>Counters and a series over a window.</summary>
public sealed record AnalyticsReport
{
    /// <summary>The metric that was asked for; null for a report of several.</summary>
    public string? Metric { get; init; }

    /// <summary>The window.</summary>
    public required string Window { get; init; }

    /// <summary>The same as <see cref="Window"/>.</summary>
    public string? Period { get; init; }

    /// <summary>Start, inclusive.</summary>
    public required DateTimeOffset PeriodStart { get; init; }

    /// <summary>End, exclusive.</summary>
    public required DateTimeOffset PeriodEnd { get; init; }

    /// <summary>Name of a figure to its value over the window; <c>running</c> and the like are of this moment.</summary>
    public required IReadOnlyDictionary<string, double> Totals { get; init; }

    /// <summary>Buckets in order, empty ones too.</summary>
    public required IReadOnlyList<AnalyticsPoint> Series { get; init; }
}

/// <summary>One bucket of a report.</summary>
public sealed record AnalyticsPoint
{
    /// <summary>Start of the bucket.</summary>
    public required DateTimeOffset Ts { get; init; }

    /// <summary>Name of a figure to its value.</summary>
    public required IReadOnlyDictionary<string, double> Values { get; init; }
}

/// <summary>Numbers for a start page.</summary>
public sealed record DashboardSummary
{
    /// <summary>Computers that are not destroyed.</summary>
    public required int Computers { get; init; }

    /// <summary>Sandboxes that are not destroyed.</summary>
    public required int Sandboxes { get; init; }

    /// <summary>Whole credits left.</summary>
    public required long Credits { get; init; }

    /// <summary>Builds of templates under way, and machines that a call is using at this moment.</summary>
    public required int ActiveJobs { get; init; }

    /// <summary>Workspaces.</summary>
    public int Workspaces { get; init; }

    /// <summary>State to number of computers.</summary>
    public IReadOnlyDictionary<string, int> ComputersByStatus { get; init; } = new Dictionary<string, int>();

    /// <summary>State to number of sandboxes.</summary>
    public IReadOnlyDictionary<string, int> SandboxesByState { get; init; } = new Dictionary<string, int>();

    /// <summary>The latest events of the tenant, newest first, at most 20.</summary>
    public IReadOnlyList<JsonObject> RecentEvents { get; init; } = [];
}

/// <summary>Health of the installation, for everybody.</summary>
public sealed record PlatformOverview
{
    /// <summary><c>operational</c>, <c>degraded</c> or <c>outage</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Number of regions.</summary>
    public required int Regions { get; init; }

    /// <summary>Components that do not work now.</summary>
    public required int Incidents { get; init; }

    /// <summary>When it was looked at.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Component to state.</summary>
    public IReadOnlyDictionary<string, string> Components { get; init; } = new Dictionary<string, string>();
}

/// <summary>The tenant with its limits and counters.</summary>
public sealed record TenantPlan
{
    /// <summary>Id, <c>ten_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>URL-safe name.</summary>
    public string? Slug { get; init; }

    /// <summary>Name of the plan.</summary>
    public required string Plan { get; init; }

    /// <summary><c>active</c>.</summary>
    public string? Status { get; init; }

    /// <summary>Name of a limit to its value; -1: no limit.</summary>
    public required IReadOnlyDictionary<string, long> Limits { get; init; }

    /// <summary>Name of a counter to its value.</summary>
    public required IReadOnlyDictionary<string, long> Usage { get; init; }

    /// <summary>Key-value data.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>When the tenant was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}
