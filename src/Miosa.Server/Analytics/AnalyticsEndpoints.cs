using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Analytics;

/// <summary>The group Analytics of the contract: counts and sums of the same tables that usage and lists are read from.</summary>
internal sealed class AnalyticsEndpoints(UsageView usage, WorkspaceSet workspaces, Database database)
{
    private const string Computers = "computers";
    private const string Sandboxes = "sandboxes";
    private const string Credits = "credits";

    private static readonly IReadOnlyList<string> Metrics = [Computers, Sandboxes, Credits];

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<AnalyticsEndpoints>();
        api.Map("GET", "/analytics/computers", context => Task.FromResult(it.Report(context, "7d", Computers, ValuesOfComputers))).Needs(Scopes.UsageRead);
        api.Map("GET", "/analytics/usage", context => Task.FromResult(it.Report(context, "30d", null, ValuesOfUsage))).Needs(Scopes.UsageRead);
        api.Map("GET", "/analytics/overview", context => Task.FromResult(it.Report(context, "7d", null, ValuesOfAll))).Needs(Scopes.Admin);
        api.Map("GET", "/analytics/timeseries", context => Task.FromResult(it.Series(context))).Needs(Scopes.Admin);
    }

    private IResult Series(HttpContext context)
    {
        var metric = Paging.Text(context.Request.Query, "metric") ?? Computers;
        return metric switch
        {
            Computers => Report(context, "7d", metric, ValuesOfComputers),
            Sandboxes => Report(context, "7d", metric, ValuesOfSandboxes),
            Credits => Report(context, "7d", metric, sum => new() { ["credits"] = UsageSum.CentsOf(sum.Cost) }),
            _ => Reply.Refuse(Refusal.Invalid("metric", $"must be one of {string.Join(", ", Metrics)}; got \"{(metric.Length <= 80 ? metric : metric[..80])}\"")),
        };
    }

    private IResult Report(HttpContext context, string standard, string? metric, Func<UsageSum, Dictionary<string, double>> values)
    {
        var query = context.Request.Query;
        var (period, refusal) = usage.PeriodOf(context, standard);
        var (granularity, fault) = Period.ReadGranularity(query);
        if (period is null || granularity is null)
            return Reply.Refuse(refusal ?? fault ?? Refusal.Internal());
        var tenant = context.Caller().TenantId;
        var named = Paging.Text(query, "workspace_id", "workspace");
        var workspace = workspaces.Find(tenant, named)?.Id ?? named;
        var bounds = period.Bounds(granularity);
        var parts = usage.Parts(new UsageFilter(tenant) { WorkspaceId = workspace }, bounds);
        var total = new UsageSum();
        foreach (var part in parts)
            total.Add(part);
        var subject = workspace is null ? new Subject(QuotaSubject.Tenant, tenant, "") : new Subject(QuotaSubject.Workspace, tenant, workspace);
        var totals = values(total);
        if (metric is null or Computers)
            AddNow(totals, metric is null ? "computers_" : "", subject, "computer");
        if (metric is null or Sandboxes or Computers)
            AddNow(totals, metric == Sandboxes ? "" : "sandboxes_", subject, "sandbox");
        return Reply.One(
            new AnalyticsReport
            {
                Metric = metric,
                Window = period.Label,
                Period = period.Label,
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                Totals = totals,
                Series = [.. parts.Select((part, at) => new AnalyticsPoint { Ts = bounds[at], Values = values(part) })],
            },
            WireJson.Default.AnalyticsReport);
    }

    /// <summary>What there is at this moment, whatever the window.</summary>
    private void AddNow(Dictionary<string, double> totals, string prefix, Subject subject, string kind)
    {
        var counts = database.ReadRows(transaction => MachineCounts.Of(transaction, subject, kind));
        totals[prefix + "running"] = counts[SandboxState.Running];
        // A computer is stopped where a sandbox is paused.
        var parked = MachineState.Paused.Wire(kind);
        totals[prefix + parked] = counts[parked];
        totals[prefix + "total"] = counts["total"];
    }

    private static Dictionary<string, double> ValuesOfComputers(UsageSum sum) => new()
    {
        ["created"] = sum.ComputersCreated,
        ["hours"] = UsageSum.HoursOf(sum.ComputerMs),
        ["sandboxes_created"] = sum.SandboxesCreated,
        ["sandboxes_hours"] = UsageSum.HoursOf(sum.SandboxMs),
    };

    private static Dictionary<string, double> ValuesOfSandboxes(UsageSum sum) =>
        new() { ["created"] = sum.SandboxesCreated, ["hours"] = UsageSum.HoursOf(sum.SandboxMs) };

    private static Dictionary<string, double> ValuesOfUsage(UsageSum sum) => new()
    {
        ["sandbox_seconds"] = UsageSum.SecondsOf(sum.SandboxMs),
        ["computer_seconds"] = UsageSum.SecondsOf(sum.ComputerMs),
        ["vcpu_seconds"] = UsageSum.SecondsOf(sum.SandboxVcpuMs + sum.ComputerVcpuMs),
        ["memory_gb_hours"] = sum.MemoryGbHours,
        ["storage_gb_hours"] = sum.StorageGbHours,
        ["credit_cents"] = UsageSum.CentsOf(sum.Cost),
    };

    private static Dictionary<string, double> ValuesOfAll(UsageSum sum) => new(ValuesOfUsage(sum))
    {
        ["computers_created"] = sum.ComputersCreated,
        ["sandboxes_created"] = sum.SandboxesCreated,
    };
}
