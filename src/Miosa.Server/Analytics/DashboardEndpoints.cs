using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Credits;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Nodes;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Analytics;

/// <summary>The group Dashboard of the contract, and the tenant's plan: what there is at this moment.</summary>
internal sealed class DashboardEndpoints(
    Database database, MachineDirectory directory, QuotaSet quotas, RuntimeClient runtime, MeterClock clock, ServerSettings settings, TimeProvider time)
{
    private const int RecentEvents = 20;
    private const long NoLimit = -1;
    private const string Operational = "operational";
    private const string Outage = "outage";

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<DashboardEndpoints>();
        api.Map("GET", "/dashboard", it.DashboardAsync).NeedsAnyKey();
        api.Map("GET", "/overview", context => Task.FromResult(it.Overview())).OpenToAll();
        api.Map("GET", "/tenant/plan", it.PlanAsync).Needs(Scopes.TenantRead);
    }

    private async Task<IResult> DashboardAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        var subject = new Subject(QuotaSubject.Tenant, tenant, "");
        var (computers, sandboxes, balance, workspaces) = database.ReadRows(transaction => (
            MachineCounts.Of(transaction, subject, "computer"),
            MachineCounts.Of(transaction, subject, "sandbox"),
            Ledger.BalanceOf(transaction, tenant, clock.NowMs),
            WorkspaceSet.CountOf(transaction, tenant)));
        await using var db = database.Read();
        var builds = await db.Builds.CountAsync(b => b.TenantId == tenant && (b.Status == BuildStatus.Queued || b.Status == BuildStatus.Building || b.Status == BuildStatus.Snapshotting), context.RequestAborted);
        var events = await db.Events.Where(e => e.TenantId == tenant).OrderByDescending(e => e.Sequence).Take(RecentEvents).ToListAsync(context.RequestAborted);
        return Reply.One(
            new DashboardSummary
            {
                Computers = computers["total"],
                Sandboxes = sandboxes["total"],
                Credits = Ledger.CreditsOf(balance),
                ActiveJobs = builds + directory.All.Count(resident => resident.Row.TenantId == tenant && resident.IsBusy),
                Workspaces = workspaces,
                ComputersByStatus = ByState(computers),
                SandboxesByState = ByState(sandboxes),
                RecentEvents = [.. events.Select(row => JsonSerializer.SerializeToNode(EventFrame.Of(row, row.Type), WireJson.Default.TenantEvent) as JsonObject ?? [])],
            },
            WireJson.Default.DashboardSummary);
    }

    private IResult Overview()
    {
        var databaseIsUp = DatabaseIsUp();
        var components = new Dictionary<string, string>
        {
            ["api"] = Operational,
            ["database"] = databaseIsUp ? Operational : Outage,
            ["sandboxes"] = runtime.IsUp ? Operational : Outage,
        };
        var incidents = components.Values.Count(state => state != Operational);
        return Reply.One(
            new PlatformOverview
            {
                Status = incidents == 0 ? Operational : databaseIsUp ? "degraded" : Outage,
                // One node, and so one region.
                Regions = 1,
                Incidents = incidents,
                UpdatedAt = time.GetUtcNow(),
                Components = components,
            },
            WireJson.Default.PlatformOverview);
    }

    private async Task<IResult> PlanAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        await using var db = database.Read();
        if (await db.Tenants.FirstOrDefaultAsync(t => t.Id == tenant, context.RequestAborted) is not { } row)
            return Reply.Refuse(Refusal.NotFound("tenant"));
        return Reply.One(
            database.ReadRows(transaction => new TenantPlan
            {
                Id = row.Id,
                Name = row.Name,
                Slug = WorkspaceSet.SlugOf(row.Name),
                Plan = CreditEndpoints.Plan,
                Status = "active",
                Limits = LimitsOf(transaction, tenant),
                Usage = UsageOf(transaction, tenant),
                CreatedAt = row.CreatedAt,
                UpdatedAt = row.CreatedAt,
            }),
            WireJson.Default.TenantPlan);
    }

    private Dictionary<string, long> LimitsOf(SqliteTransaction transaction, string tenant)
    {
        var caps = quotas.CapsOf(transaction, tenant, externalUser: null);
        return new()
        {
            [Caps.Sandboxes] = caps.MaxSandboxes ?? NoLimit,
            [Caps.Concurrent] = caps.MaxConcurrent ?? NoLimit,
            [Caps.StorageGb] = caps.MaxStorageGb ?? NoLimit,
            [Caps.CreditCents] = caps.MaxCreditCents ?? NoLimit,
            ["max_workspaces"] = settings.MaxWorkspaces,
            ["max_snapshots"] = settings.MaxSnapshots,
            ["max_templates"] = settings.MaxTemplates,
        };
    }

    // Whole numbers alone: Go reads a map of integers.
    private Dictionary<string, long> UsageOf(SqliteTransaction transaction, string tenant)
    {
        var subject = new Subject(QuotaSubject.Tenant, tenant, "");
        return new()
        {
            ["sandboxes"] = MachineCounts.Of(transaction, subject, "sandbox")["total"],
            ["computers"] = MachineCounts.Of(transaction, subject, "computer")["total"],
            ["concurrent"] = QuotaSet.Running(transaction, subject),
            ["workspaces"] = WorkspaceSet.CountOf(transaction, tenant),
            ["storage_gb"] = (long)Math.Round(QuotaSet.Gib(QuotaSet.StorageBytes(transaction, subject))),
            ["credit_cents"] = UsageSum.CentsOf(QuotaSet.Spent(transaction, subject, clock.NowMs)),
        };
    }

    private bool DatabaseIsUp()
    {
        try
        {
            return database.ReadRows(transaction => transaction.One("SELECT 1", row => true));
        }
        catch (SqliteException)
        {
            return false;
        }
    }

    private static Dictionary<string, int> ByState(Dictionary<string, int> counts) => counts.Where(pair => pair.Key != "total").ToDictionary();
}
