using System.Text.Json.Nodes;

namespace Miosa.Tests;

/// <summary>The calls about workspaces, quotas, usage, credits and figures.</summary>
public sealed partial class CallTests
{
    private const string Workspace = """{"id":"ws_1","name":"n","slug":"s","metadata":{"team":"core"},"settings":{},"created_at":"2026-05-26T10:14:23.000Z","updated_at":"2026-05-26T10:14:23.000Z"}""";
    private const string Point = """{"start":"2026-05-26T00:00:00Z","end":"2026-05-27T00:00:00Z","sandbox_seconds":7,"computer_seconds":0,"storage_gb_hours":0.5,"credit_cents":25}""";
    private const string Span = "\"period_start\":\"2026-05-26T00:00:00Z\",\"period_end\":\"2026-05-27T00:00:00Z\"";
    private const string QuotaBody = """{"external_user_id":"u","max_sandboxes":5,"limits":{"max_sandboxes":5},"usage":{"sandboxes":2},"current_sandboxes":2,"inherited":false,"updated_at":null}""";
    private const string DefaultQuotaBody = """{"limits":{"max_sandboxes":3},"inherited":false,"updated_at":"2026-05-26T10:14:23Z"}""";
    private const string Report = "{\"window\":\"7d\"," + Span + ",\"totals\":{\"created\":12,\"hours\":4.5},\"series\":[{\"ts\":\"2026-05-26T00:00:00Z\",\"values\":{\"created\":2}}]}";

    private static readonly DateTimeOffset Begin = new(2026, 5, 1, 2, 0, 0, TimeSpan.FromHours(2));
    private static readonly DateTimeOffset End = new(2026, 5, 2, 0, 0, 0, TimeSpan.Zero);

    private static readonly Type[] MeteringTypes = [typeof(Workspaces), typeof(Quotas), typeof(Usage), typeof(Credits), typeof(Analytics), typeof(Dashboard), typeof(Tenant)];

    private static Case[] MeteringCases() =>
    [
        new("Workspaces.List", "GET /workspaces?page=2&per_page=10&external_workspace_id=a%2Fb", "",
            $$"""{"data":[{{Workspace}}],"workspaces":[{{Workspace}}],"total":11,"meta":{"total":11,"page":2,"per_page":10},"has_next":false,"next_cursor":null}""", "ws_1 11",
            (_, c) => Told(c.Workspaces.List(2, 10, "a/b")), async (_, c) => Told(await c.Workspaces.ListAsync(2, 10, "a/b"))),
        new("Workspaces.Create", "POST /workspaces", """{"name":"n","slug":"s","description":"d","metadata":{"team":"core"},"external_workspace_id":"e"}""", Wire.Merged(Workspace), "core",
            (_, c) => c.Workspaces.Create("n", "d", "s", new Dictionary<string, string> { ["team"] = "core" }, "e").Metadata["team"],
            async (_, c) => (await c.Workspaces.CreateAsync("n", "d", "s", new Dictionary<string, string> { ["team"] = "core" }, "e")).Metadata["team"]),
        new("Workspaces.Get", "GET /workspaces/ws_1", "", Wire.Merged(Workspace), "s", (_, c) => c.Workspaces.Get("ws_1").Slug, async (_, c) => (await c.Workspaces.GetAsync("ws_1")).Slug),
        new("Workspaces.Update", "PATCH /workspaces/ws_1", """{"name":"new"}""", Wire.Merged(Workspace), "n",
            (_, c) => c.Workspaces.Update("ws_1", new() { Name = "new" }).Name, async (_, c) => (await c.Workspaces.UpdateAsync("ws_1", new() { Name = "new" })).Name),
        new("Workspaces.Delete", "DELETE /workspaces/ws_1", "", "", null, (_, c) => Null(() => c.Workspaces.Delete("ws_1")), (_, c) => Null(c.Workspaces.DeleteAsync("ws_1"))),
        new("Workspaces.UpdateSettings", "PUT /workspaces/ws_1/settings", """{"limits":{"max_sandboxes":2}}""", Wire.Merged(Workspace), "ws_1",
            (_, c) => c.Workspaces.UpdateSettings("ws_1", Settings()).Id, async (_, c) => (await c.Workspaces.UpdateSettingsAsync("ws_1", Settings())).Id),
        new("Workspaces.Stats", "GET /workspaces/ws_1/stats", "",
            Wire.Merged("""{"workspace_id":"ws_1","computers":{"total":0},"sandboxes":{"total":4,"running":1},"resources":{"vcpus":3,"memory_mb":6144,"disk_gb":40},"storage_gb":12.5}"""), 4,
            (_, c) => c.Workspaces.Stats("ws_1").Sandboxes["total"], async (_, c) => (await c.Workspaces.StatsAsync("ws_1")).Sandboxes["total"]),
        new("Workspaces.Usage", "GET /workspaces/ws_1/usage?window=7d&granularity=hour", "",
            Wire.Merged($$"""{"workspace_id":"ws_1","window":"7d","granularity":"hour",{{Span}},"totals":{{Point}},"series":[{{Point}}]}"""), 25L,
            (_, c) => c.Workspaces.Usage("ws_1", "7d", "hour").Series[0].CreditCents, async (_, c) => (await c.Workspaces.UsageAsync("ws_1", "7d", "hour")).Series[0].CreditCents),
        new("Workspaces.ListSandboxes", "GET /workspaces/ws_1/sandboxes?page=1&per_page=20", "", List(false), "sbx_1",
            (_, c) => c.Workspaces.ListSandboxes("ws_1").Data[0].Id, async (_, c) => (await c.Workspaces.ListSandboxesAsync("ws_1")).Data[0].Id),

        new("Quotas.Get", "GET /quotas/external/team%2F7%2Fdr.smith%40a", "", Wire.Merged(QuotaBody), 5,
            (_, c) => c.Quotas.Get("team/7/dr.smith@a").MaxSandboxes, async (_, c) => (await c.Quotas.GetAsync("team/7/dr.smith@a")).MaxSandboxes),
        new("Quotas.Set", "PUT /quotas/external/u", """{"max_sandboxes":5,"max_credit_cents":10000}""", Wire.Merged(QuotaBody), 2,
            (_, c) => c.Quotas.Set("u", maxSandboxes: 5, maxCreditCents: 10_000).Usage.Sandboxes,
            async (_, c) => (await c.Quotas.SetAsync("u", maxSandboxes: 5, maxCreditCents: 10_000)).Usage.Sandboxes),
        new("Quotas.Delete", "DELETE /quotas/external/u", "", "", null, (_, c) => Null(() => c.Quotas.Delete("u")), (_, c) => Null(c.Quotas.DeleteAsync("u"))),
        new("Quotas.GetDefault", "GET /quotas/default", "", Wire.Merged(DefaultQuotaBody), 3,
            (_, c) => c.Quotas.GetDefault().Limits.MaxSandboxes, async (_, c) => (await c.Quotas.GetDefaultAsync()).Limits.MaxSandboxes),
        new("Quotas.SetDefault", "PUT /quotas/default", """{"max_sandboxes":3}""", Wire.Merged(DefaultQuotaBody), false,
            (_, c) => c.Quotas.SetDefault(new() { MaxSandboxes = 3 }).Inherited, async (_, c) => (await c.Quotas.SetDefaultAsync(new() { MaxSandboxes = 3 })).Inherited),
        new("Quotas.DeleteDefault", "DELETE /quotas/default", "", "", null, (_, c) => Null(() => c.Quotas.DeleteDefault()), (_, c) => Null(c.Quotas.DeleteDefaultAsync())),

        new("Usage.Get", "GET /usage?group_by=external_project_id&period=30d&external_user_id=usr_1", "",
            Wire.Merged($$"""{{{Span}},"group_by":"external_project_id","currency":"usd","results":[{"external_project_id":"p","sandbox_seconds":14400,"computer_seconds":0,"storage_gb_hours":2.5,"credit_cents":312}]}"""), "p",
            (_, c) => c.Usage.Get(UsageGrouping.ExternalProject, "30d", externalUserId: "usr_1").Results[0].Key,
            async (_, c) => (await c.Usage.GetAsync(UsageGrouping.ExternalProject, "30d", externalUserId: "usr_1")).Results[0].Key),
        new("Usage.Get times", "GET /usage?start=2026-05-01T00%3A00%3A00.000Z&end=2026-05-02T00%3A00%3A00.000Z", "", Wire.Merged($$"""{{{Span}},"results":[]}"""), 0,
            (_, c) => c.Usage.Get(start: Begin, end: End).Results.Count, async (_, c) => (await c.Usage.GetAsync(start: Begin, end: End)).Results.Count),
        new("Usage.Current", "GET /usage/summary?period_start=2026-05-01T00%3A00%3A00.000Z&computer_id=sbx_1", "",
            Wire.Merged($$"""{{{Span}},"compute_hours":4.5,"bandwidth_gb":null,"total_credits":31,"exact":{"running_ms":9000000000000} }"""), 9_000_000_000_000L,
            (_, c) => c.Usage.Current(Begin, machineId: "sbx_1").Exact?.RunningMs, async (_, c) => (await c.Usage.CurrentAsync(Begin, machineId: "sbx_1")).Exact?.RunningMs),
        new("Usage.Credits", "GET /usage/credits?window=30d", "", Wire.Merged($$"""{"window":"30d",{{Span}},"total_credits":31,"balance":850,"series":[{{Point}}]}"""), 850L,
            (_, c) => c.Usage.Credits("30d").Balance, async (_, c) => (await c.Usage.CreditsAsync("30d")).Balance),
        new("Usage.Compute", "GET /usage/compute", "", Wire.Merged($$"""{"window":"30d",{{Span}},"compute_hours":4.5,"vcpu_seconds":16200,"series":[{{Point}}]}"""), 4.5,
            (_, c) => c.Usage.Compute().ComputeHours, async (_, c) => (await c.Usage.ComputeAsync()).ComputeHours),
        new("Usage.Sessions", "GET /usage/sessions?page=1&per_page=50&computer_id=sbx_1&external_user_id=u&since=2026-05-01T00%3A00%3A00.000Z&until=2026-05-02T00%3A00%3A00.000Z", "",
            """{"data":[{"id":"us_1","sandbox_id":"sbx_1","started_at":"2026-05-26T10:14:23Z","ended_at":null,"duration_sec":60,"credit_cost":0.123456}],"total":1,"meta":{"total":1,"page":1,"per_page":50}}""", 0.123456m,
            (_, c) => c.Usage.Sessions(machineId: "sbx_1", externalUserId: "u", since: Begin, until: End).Data[0].CreditCost,
            async (_, c) => (await c.Usage.SessionsAsync(machineId: "sbx_1", externalUserId: "u", since: Begin, until: End)).Data[0].CreditCost),

        new("Credits.Balance", "GET /credits/balance", "", Wire.Merged("""{"balance":850,"balance_credits":850,"lifetime_earned":1000,"lifetime_spent":150}"""), 850L,
            (_, c) => c.Credits.Balance().Balance, async (_, c) => (await c.Credits.BalanceAsync()).Balance),
        new("Credits.Transactions", "GET /credits/transactions?page=2&per_page=5&type=debit", "",
            """{"data":[{"id":"tx_1","amount":-5,"type":"debit","kind":"spend","created_at":"2026-05-26T10:14:23Z"}],"meta":{"total":6,"page":2,"per_page":5}}""", -5L,
            (_, c) => c.Credits.Transactions("debit", 2, 5).Data[0].Amount, async (_, c) => (await c.Credits.TransactionsAsync("debit", 2, 5)).Data[0].Amount),
        new("Credits.Usage", "GET /credits/usage?period=7d", "", Wire.Merged($$"""{{{Span}},"compute_credits":20,"total_credits":31,"compute":20,"ai":0,"storage":11,"total":31}"""), 31L,
            (_, c) => c.Credits.Usage("7d").TotalCredits, async (_, c) => (await c.Credits.UsageAsync("7d")).TotalCredits),

        new("Analytics.Computers", "GET /analytics/computers?window=7d", "", Wire.Merged(Report), 4.5,
            (_, c) => c.Analytics.Computers("7d").Totals["hours"], async (_, c) => (await c.Analytics.ComputersAsync("7d")).Totals["hours"]),
        new("Analytics.Usage", "GET /analytics/usage?window=30d&granularity=week&workspace_id=ws_1", "", Wire.Merged(Report), 2d,
            (_, c) => c.Analytics.Usage("30d", "week", "ws_1").Series[0].Values["created"], async (_, c) => (await c.Analytics.UsageAsync("30d", "week", "ws_1")).Series[0].Values["created"]),
        new("Analytics.Overview", "GET /analytics/overview", "", Wire.Merged(Report), "7d", (_, c) => c.Analytics.Overview().Window, async (_, c) => (await c.Analytics.OverviewAsync()).Window),
        new("Analytics.Timeseries", "GET /analytics/timeseries?metric=credits&window=24h&granularity=hour", "", Wire.Merged(Report), 12d,
            (_, c) => c.Analytics.Timeseries("credits", "24h", "hour").Totals["created"], async (_, c) => (await c.Analytics.TimeseriesAsync("credits", "24h", "hour")).Totals["created"]),

        new("Dashboard.Get", "GET /dashboard", "", Wire.Merged("""{"computers":0,"sandboxes":4,"credits":850,"active_jobs":1,"sandboxes_by_state":{"running":1},"recent_events":[{"type":"sandbox.ready"}]}"""), "4 sandbox.ready",
            (_, c) => Told(c.Dashboard.Get()), async (_, c) => Told(await c.Dashboard.GetAsync())),
        new("Dashboard.Overview", "GET /overview", "", Wire.Merged("""{"status":"operational","regions":1,"incidents":0,"updated_at":"2026-05-26T10:14:23Z","components":{"api":"operational"}}"""), "operational",
            (_, c) => c.Dashboard.Overview().Components["api"], async (_, c) => (await c.Dashboard.OverviewAsync()).Components["api"]),
        new("Tenant.Current", "GET /tenant/plan", "", Wire.Merged("""{"id":"ten_1","name":"Acme","plan":"self_hosted","limits":{"max_sandboxes":100},"usage":{"sandboxes":4},"metadata":{}}"""), 100L,
            (_, c) => c.Tenant.Current().Limits["max_sandboxes"], async (_, c) => (await c.Tenant.CurrentAsync()).Limits["max_sandboxes"]),
    ];

    private static string Told(Page<Workspace> page) => $"{page.Data.Single().Id} {page.Total}";

    private static string Told(DashboardSummary board) => $"{board.Sandboxes} {board.RecentEvents[0]["type"]}";

    private static JsonObject Settings() => new() { ["limits"] = new JsonObject { ["max_sandboxes"] = 2 } };
}
