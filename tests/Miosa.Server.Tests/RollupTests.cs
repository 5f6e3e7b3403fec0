using System.Globalization;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Usage, credits and figures through HTTP, on a platform where a second of one virtual CPU costs one cent.</summary>
public sealed class RollupTests(MeteredPlatform metered) : IClassFixture<MeteredPlatform>
{
    private const string Small = "\"cpu_count\":1,\"memory_mb\":128,\"disk_size_mb\":512";

    [Fact]
    public async Task Usage_is_rolled_up_by_user_project_and_workspace()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var workspace = (await api.PostAsync("workspaces", """{"name":"w"}""")).Expect(201).Text("id");
        var one = await api.CreateAsync($$"""{"external_user_id":"usr_1","external_project_id":"p1","external_workspace_id":"e1","workspace_id":"{{workspace}}","cpu_count":2,"memory_mb":128,"disk_size_mb":512}""");
        var two = await api.CreateAsync($$"""{"external_user_id":"usr_2","external_project_id":"p1",{{Small}}}""");
        var three = await api.CreateAsync($$"""{{{Small}}}""");
        await UntilSpentAsync(api, 8);
        // The last one made ends first, so that each used more than the next, however slow the host is.
        foreach (var id in (string[])[three, two, one])
            (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);

        var byUser = (await api.GetAsync("usage?period=7d")).Expect(200).Json;
        Assert.Equal(("external_user_id", "usd"), (byUser.GetProperty("group_by").GetString(), byUser.GetProperty("currency").GetString()));
        var rows = byUser.GetProperty("results").EnumerateArray().ToList();
        // The most expensive first, and a row for what is nobody's; two CPUs cost twice as much.
        Assert.Equal(["usr_1", "usr_2", null], rows.Select(r => r.GetProperty("external_user_id").GetString()));
        Assert.All(rows, row => Assert.Equal(Math.Round(Exact(row, "vcpu_ms") / 1000.0, MidpointRounding.AwayFromZero), row.GetProperty("sandbox_seconds").GetInt64()));
        Assert.All(rows, row => Assert.Equal(row.GetProperty("sandbox_seconds").GetInt64(), row.GetProperty("credit_cents").GetInt64()));
        Assert.Equal(2 * Exact(rows[0], "running_ms"), Exact(rows[0], "vcpu_ms"));
        Assert.Equal(128 * Exact(rows[0], "running_ms"), Exact(rows[0], "memory_mb_ms"));
        Assert.False(rows[0].TryGetProperty("external_project_id", out var _));
        Assert.Equal(byUser.GetProperty("results").GetRawText(), byUser.GetProperty("data").GetProperty("results").GetRawText());

        var total = rows.Sum(row => Exact(row, "vcpu_ms"));
        foreach (var (query, key, keys) in ((string, string, string?[])[])
            [
                ("group_by=external_project_id", "external_project_id", ["p1", null]),
                ("group_by=external_workspace_id", "external_workspace_id", ["e1", null]),
                ("group_by=workspace_id", "workspace_id", [workspace, null]),
                ("group_by=external_user_id,external_project_id", "external_user_id", ["usr_1", "usr_2", null]),
            ])
        {
            var results = (await api.GetAsync("usage?" + query)).Expect(200).Json.GetProperty("results").EnumerateArray().ToList();
            Assert.Equal((query, string.Join(',', keys.Order())), (query, string.Join(',', results.Select(r => r.GetProperty(key).GetString()).Order())));
            Assert.Equal(total, results.Sum(row => Exact(row, "vcpu_ms")));
        }
        foreach (var filter in (string[])["external_user_id=usr_1", "external_workspace_id=e1", $"workspace_id={workspace}", "workspace_id=w"])
            Assert.Equal((filter, Exact(rows[0], "vcpu_ms")), (filter, Exact((await api.GetAsync("usage?" + filter)).Json.GetProperty("results")[0], "vcpu_ms")));
        Assert.Equal(Exact(rows[0], "vcpu_ms") + Exact(rows[1], "vcpu_ms"), Exact((await api.GetAsync("usage?group_by=external_project_id&external_project_id=p1")).Json.GetProperty("results")[0], "vcpu_ms"));
        var summary = (await api.GetAsync($"usage/summary?computer_id={one}")).Expect(200).Json;
        Assert.Equal(Exact(rows[0], "running_ms"), Exact(summary, "running_ms"));

        var sessions = (await api.GetAsync("usage/sessions?per_page=2")).Expect(200).Json;
        Assert.Equal((3, true), (sessions.GetProperty("total").GetInt32(), sessions.GetProperty("has_next").GetBoolean()));
        var newest = sessions.GetProperty("data")[0];
        Assert.Equal((three, JsonValueKind.Null), (newest.GetProperty("sandbox_id").GetString(), newest.GetProperty("computer_id").ValueKind));
        Assert.True(newest.GetProperty("ended_at").GetDateTimeOffset() > newest.GetProperty("started_at").GetDateTimeOffset());
        var first = (await api.GetAsync($"usage/sessions?computer_id={one}")).Json.GetProperty("data")[0];
        Assert.Equal(Exact(rows[0], "vcpu_ms") / 1000m, first.GetProperty("credit_cost").GetDecimal());
    }

    [Fact]
    public async Task The_parts_of_a_period_add_up_to_the_whole_over_a_kill_of_the_server_too()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var begun = DateTimeOffset.UtcNow.AddSeconds(-1);
        var id = await api.CreateAsync($$"""{"external_user_id":"u","persistent":true,{{Small}}}""");
        await UntilSpentAsync(api, 1);
        (await api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        await metered.Platform.KillServerAsync();
        await metered.Platform.StartServerAsync();
        (await api.PostAsync($"sandboxes/{id}/resume")).Expect(200);
        await metered.Platform.KillServerAsync();
        await metered.Platform.StartServerAsync();
        await UntilSpentAsync(api, 4);
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        var ended = DateTimeOffset.UtcNow.AddSeconds(1);

        var whole = (await api.GetAsync($"usage/summary?period_start={Text(begun)}&period_end={Text(ended)}")).Expect(200).Json;
        var cuts = Enumerable.Range(0, 8).Select(i => begun + ((ended - begun) * i / 7)).ToList();
        foreach (var field in (string[])["running_ms", "vcpu_ms", "memory_mb_ms", "disk_mb_ms"])
        {
            var parts = 0L;
            foreach (var (from, to) in cuts.Zip(cuts.Skip(1)))
                parts += Exact((await api.GetAsync($"usage/summary?period_start={Text(from)}&period_end={Text(to)}")).Expect(200).Json, field);
            Assert.Equal((field, Exact(whole, field)), (field, parts));
        }
        // While the server was away the machine ran on, and its disk was there while it was paused.
        var ran = (await api.GetAsync($"sandboxes/{id}/usage")).Json;
        Assert.InRange(Exact(whole, "running_ms"), (ran.GetProperty("runtime_sec").GetInt64() * 1000L) - 2000, (ran.GetProperty("runtime_sec").GetInt64() * 1000L) + 3000);
        Assert.True(Exact(whole, "disk_mb_ms") > 512 * Exact(whole, "running_ms"));
        Assert.Equal(Exact(whole, "cost_micro_cents") / 1_000_000, ran.GetProperty("estimated_cost_cents").GetInt64(), 1.0);
    }

    [Fact]
    public async Task A_resize_and_a_new_owner_count_from_their_moment_on()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var id = await api.CreateAsync($$"""{"external_user_id":"before",{{Small}}}""");
        await UntilSpentAsync(api, 1);
        (await api.PatchAsync($"sandboxes/{id}", """{"cpu_count":2}""")).Expect(200);
        await UntilSpentAsync(api, 3);
        (await api.PatchAsync($"sandboxes/{id}", """{"external_user_id":"after"}""")).Expect(200);
        await UntilSpentAsync(api, 5);
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);

        var rows = (await api.GetAsync("usage")).Json.GetProperty("results").EnumerateArray().ToDictionary(r => r.GetProperty("external_user_id").GetString() ?? "");
        Assert.Equal(2 * Exact(rows["after"], "running_ms"), Exact(rows["after"], "vcpu_ms"));
        Assert.InRange(Exact(rows["before"], "vcpu_ms"), Exact(rows["before"], "running_ms") + 1, (2 * Exact(rows["before"], "running_ms")) - 1);
        Assert.Equal(3, (await api.GetAsync("usage/sessions")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task Series_have_a_bucket_for_every_hour_and_day_and_add_up()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var workspace = (await api.PostAsync("workspaces", """{"name":"series"}""")).Expect(201).Text("id");
        var id = await api.CreateAsync($$"""{"workspace_id":"{{workspace}}",{{Small}}}""");
        await UntilSpentAsync(api, 2);
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);

        var days = (await api.GetAsync($"workspaces/{workspace}/usage?window=7d&granularity=day")).Expect(200).Json;
        var series = days.GetProperty("series").EnumerateArray().ToList();
        Assert.InRange(series.Count, 7, 8);
        Assert.Equal(("7d", "day", workspace), (days.GetProperty("window").GetString(), days.GetProperty("granularity").GetString(), days.GetProperty("workspace_id").GetString()));
        Assert.Equal(days.GetProperty("totals").GetProperty("sandbox_seconds").GetInt64(), series.Sum(p => p.GetProperty("sandbox_seconds").GetInt64()));
        Assert.Equal(days.GetProperty("totals").GetProperty("credit_cents").GetInt64(), series.Sum(p => p.GetProperty("credit_cents").GetInt64()));
        Assert.All(series.Zip(series.Skip(1)), pair => Assert.Equal(pair.First.GetProperty("end").GetString(), pair.Second.GetProperty("start").GetString()));
        Assert.All(series.Skip(1), point => Assert.EndsWith("T00:00:00.000Z", point.GetProperty("start").GetString(), StringComparison.Ordinal));
        Assert.True(series[^1].GetProperty("sandbox_seconds").GetInt64() >= 2);

        Assert.InRange((await api.GetAsync($"workspaces/{workspace}/usage?window=48h&granularity=hour")).Json.GetProperty("series").GetArrayLength(), 48, 49);
        Assert.InRange((await api.GetAsync($"workspaces/{workspace}/usage?start=2026-01-01T00:00:00Z&end=2026-03-01T00:00:00Z&granularity=month")).Json.GetProperty("series").GetArrayLength(), 2, 2);
        var compute = (await api.GetAsync("usage/compute?window=30d")).Expect(200).Json;
        Assert.Equal(compute.GetProperty("vcpu_seconds").GetInt64(), compute.GetProperty("sandbox_seconds").GetInt64());
        Assert.InRange(compute.GetProperty("series").GetArrayLength(), 30, 31);
        var credits = (await api.GetAsync("usage/credits?window=month-to-date")).Expect(200).Json;
        Assert.Equal(credits.GetProperty("total_credits").GetInt64(), credits.GetProperty("compute_credits").GetInt64() + credits.GetProperty("storage_credits").GetInt64());
        Assert.Equal(100_000 - credits.GetProperty("total_credits").GetInt64(), credits.GetProperty("balance").GetInt64(), 1.0);
    }

    [Theory]
    [InlineData("usage?period=abc", "period")]
    [InlineData("usage?window=abc", "window")]
    [InlineData("usage?window=0d", "window")]
    [InlineData("usage?window=-7d", "window")]
    [InlineData("usage?window=99999999999999999999d", "window")]
    [InlineData("usage?window=5200w", "window")]
    [InlineData("usage?period=2026-13", "period")]
    [InlineData("usage?period=custom", "start")]
    [InlineData("usage?start=2026-05-02T00:00:00Z&end=2026-05-01T00:00:00Z", "start")]
    [InlineData("usage?start=2026-05-01T00:00:00Z&end=2026-05-01T00:00:00Z", "start")]
    [InlineData("usage?start=1926-05-01T00:00:00Z&end=2026-05-01T00:00:00Z", "start")]
    [InlineData("usage?start=yesterday", "start")]
    [InlineData("usage?start=9999-12-31T00:00:00Z&end=9999-12-31T23:00:00Z", "start")]
    [InlineData("usage?start=0001-01-01&end=0001-01-02", "start")]
    [InlineData("usage?period=9999-12", "period")]
    [InlineData("usage?start=2026-02-30T00:00:00Z", "start")]
    [InlineData("usage?end=1", "end")]
    [InlineData("usage?period_start=x", "period_start")]
    [InlineData("usage?group_by=colour", "group_by")]
    [InlineData("usage/sessions?page=0", "page")]
    [InlineData("usage/sessions?per_page=1000000000", "per_page")]
    [InlineData("usage/sessions?since=soon", "since")]
    [InlineData("credits/transactions?offset=-1", "offset")]
    [InlineData("credits/transactions?type=gift", "type")]
    [InlineData("credits/transactions?limit=1001", "limit")]
    [InlineData("credits/usage?from=then", "from")]
    [InlineData("analytics/usage?window=abc", "window")]
    [InlineData("analytics/usage?window=90d&granularity=minute", "granularity")]
    [InlineData("analytics/timeseries?metric=colours", "metric")]
    public async Task What_cannot_be_asked_is_422_and_named(string path, string field)
    {
        var api = metered.Shared;
        var answer = await api.GetAsync(path);
        Assert.Equal((path, 422, "VALIDATION_ERROR"), (path, answer.Status, answer.Code));
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
    }

    [Theory]
    [InlineData("period=mtd")]
    [InlineData("period=month-to-date")]
    [InlineData("period=24h")]
    [InlineData("period=4w")]
    [InlineData("period=366d")]
    [InlineData("period=2026-05")]
    [InlineData("period=custom&start=2026-05-01")]
    [InlineData("start=2026-05-01T00:00:00%2B02:00&end=2026-05-02T00:00:00.123456Z")]
    [InlineData("start=2026-05-01T00:00:00+02:00&end=2026-06-01")]
    [InlineData("end=2126-05-01T00:00:00Z&start=2125-06-01T00:00:00Z")]
    public async Task Every_way_to_name_a_period_is_taken(string query)
    {
        var api = metered.Shared;
        var rollup = (await api.GetAsync("usage?" + query)).Expect(200).Json;
        Assert.True(rollup.GetProperty("period_start").GetDateTimeOffset() < rollup.GetProperty("period_end").GetDateTimeOffset());
        if (query.Contains("+02", StringComparison.Ordinal) || query.Contains("%2B", StringComparison.Ordinal))
            Assert.Equal("2026-04-30T22:00:00.000Z", rollup.GetProperty("period_start").GetString());
        if (query == "period=2026-05")
            Assert.Equal(("2026-05-01T00:00:00.000Z", "2026-06-01T00:00:00.000Z"), (rollup.GetProperty("period_start").GetString(), rollup.GetProperty("period_end").GetString()));
    }

    [Fact]
    public async Task Usage_is_charged_to_the_ledger_and_without_credits_nothing_is_created_or_resumed()
    {
        var (api, tenant) = await metered.NewTenantAsync(credits: 0);
        using var _1 = api;
        var broke = await api.PostAsync("sandboxes", $$"""{{{Small}}}""");
        Assert.Equal((402, "INSUFFICIENT_CREDITS"), (broke.Status, broke.Code));
        Assert.Equal("3", await metered.Platform.AdminAsync("credits", "grant", "3", "--tenant", tenant, "--reason", "a present"));
        var id = await api.CreateAsync($$"""{"persistent":true,{{Small}}}""");
        await Miosa.Platform.Platform.UntilAsync("the credits are used up", async () => Get((await api.GetAsync("credits/balance")).Json, "balance") <= -1);

        Assert.Equal(402, (await api.PostAsync("sandboxes", $$"""{{{Small}}}""")).Status);
        Assert.Equal("ok\n", await api.RunAsync(id, "echo ok"));
        (await api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        Assert.Equal((402, "INSUFFICIENT_CREDITS"), await StatusOf(api.PostAsync($"sandboxes/{id}/resume")));
        Assert.Equal(402, (await api.PostAsync($"sandboxes/{id}/exec", """{"command":"true"}""")).Status);
        Assert.Equal("frozen", (await metered.Platform.MachinesAsync())[id]);

        // Paused it costs nothing here, so that the ledger comes to rest.
        var entries = new List<JsonElement>();
        await Miosa.Platform.Platform.UntilAsync("all is charged", async () =>
        {
            entries = [.. (await api.GetAsync("credits/transactions?per_page=100")).Expect(200).Json.GetProperty("data").EnumerateArray()];
            var cost = Exact((await api.GetAsync("usage/summary")).Json, "cost_micro_cents");
            return -cost == entries.Where(e => e.GetProperty("type").GetString() == "debit").Sum(e => e.GetProperty("amount_micro_cents").GetInt64());
        });
        var balance = (await api.GetAsync("credits/balance")).Expect(200).Json;
        Assert.Equal(Get(balance, "balance"), entries.Sum(e => Get(e, "amount")));
        Assert.Equal((Get(balance, "balance"), 3), (Get(balance, "balance_credits"), Get(balance, "lifetime_earned")));
        Assert.Equal(Get(balance, "lifetime_earned") - Get(balance, "balance"), Get(balance, "lifetime_spent"));
        var grant = Assert.Single(entries, e => e.GetProperty("type").GetString() == "credit");
        Assert.Equal((3, "earn", "a present"), (Get(grant, "amount"), grant.GetProperty("kind").GetString(), grant.GetProperty("description").GetString()));
        Assert.Equal(entries.Count - 1, (await api.GetAsync("credits/transactions?type=debit")).Json.GetProperty("total").GetInt32());
        Assert.Equal(entries[1].GetProperty("id").GetString(), (await api.GetAsync("credits/transactions?limit=1&offset=1")).Json.GetProperty("data")[0].GetProperty("id").GetString());
        var used = (await api.GetAsync("credits/usage")).Expect(200).Json;
        Assert.Equal(Get(used, "total_credits"), Get(used, "compute_credits") + Get(used, "storage_credits"));

        await metered.Platform.AdminAsync("credits", "grant", "100", "--tenant", tenant, "--promo");
        await metered.Platform.AdminAsync("credits", "take", "5", "--tenant", tenant, "--reason", "mistake");
        Assert.Equal((1, 1), ((await api.GetAsync("credits/transactions?type=promo")).Json.GetProperty("total").GetInt32(),
            (await api.GetAsync("credits/transactions?per_page=100")).Json.GetProperty("data").EnumerateArray().Count(e => e.GetProperty("description").GetString() == "mistake")));
        (await api.PostAsync($"sandboxes/{id}/resume")).Expect(200);
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        await Assert.ThrowsAsync<InvalidOperationException>(() => metered.Platform.AdminAsync("credits", "grant", "0", "--tenant", tenant));
        await Assert.ThrowsAsync<InvalidOperationException>(() => metered.Platform.AdminAsync("credits", "grant", "5", "--tenant", "nobody"));
    }

    [Fact]
    public async Task A_users_spending_is_limited_and_the_warning_comes_first()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        (await api.PutAsync("quotas/external/u", """{"max_credit_cents":5}""")).Expect(200);
        var id = await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""");
        await Miosa.Platform.Platform.UntilAsync("five cents are spent", async () => Get((await api.GetAsync("usage/summary")).Json.GetProperty("exact"), "vcpu_ms") >= 5000);
        var refused = await api.PostAsync("sandboxes", $$"""{"external_user_id":"u",{{Small}}}""");
        Assert.Equal((402, "INSUFFICIENT_CREDITS", "max_credit_cents"), (refused.Status, refused.Code, refused.Json.GetProperty("details").GetProperty("what").GetString()));
        await Miosa.Platform.Platform.UntilAsync("a warning is told", async () => (await MeteredPlatform.EventsAsync(api, "quota.warning")).Count == 1);
        var other = await api.CreateAsync($$"""{"external_user_id":"v",{{Small}}}""");
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        (await api.DeleteAsync($"sandboxes/{other}")).Expect(200);
        Assert.Single(await MeteredPlatform.EventsAsync(api, "quota.warning"));
    }

    [Fact]
    public async Task Dashboard_plan_and_analytics_count_what_is_there()
    {
        var (api, tenant) = await metered.NewTenantAsync();
        using var _1 = api;
        await api.PostAsync("workspaces", """{"name":"one"}""");
        var running = await api.CreateAsync($$"""{{{Small}}}""");
        var paused = await api.CreateAsync($$"""{{{Small}}}""");
        (await api.PostAsync($"sandboxes/{paused}/pause")).Expect(200);
        var gone = await api.CreateAsync($$"""{{{Small}}}""");
        (await api.DeleteAsync($"sandboxes/{gone}")).Expect(200);
        await UntilSpentAsync(api, 2);

        var board = (await api.GetAsync("dashboard")).Expect(200).Json;
        Assert.Equal((0, 2, 1, 0), (Get(board, "computers"), Get(board, "sandboxes"), Get(board, "workspaces"), Get(board, "active_jobs")));
        Assert.Equal((1, 1), (Get(board.GetProperty("sandboxes_by_state"), "running"), Get(board.GetProperty("sandboxes_by_state"), "paused")));
        Assert.InRange(Get(board, "credits"), 99_000, 99_999);
        Assert.Equal("sandbox.destroyed", board.GetProperty("recent_events")[0].GetProperty("type").GetString());
        using var slow = api.PostAsync($"sandboxes/{running}/exec", """{"command":"while [ ! -e /tmp/stop ]; do sleep 0.1; done"}""");
        await Miosa.Platform.Platform.UntilAsync("a command under way is a job", async () => Get((await api.GetAsync("dashboard")).Json, "active_jobs") == 1);
        (await api.PutAsync($"sandboxes/{running}/files/tmp/stop", "x")).Expect(200);
        (await slow).Expect(200);

        var plan = (await api.GetAsync("tenant/plan")).Expect(200).Json;
        Assert.Equal((tenant, "self_hosted", "active"), (plan.GetProperty("id").GetString(), plan.GetProperty("plan").GetString(), plan.GetProperty("status").GetString()));
        var usage = plan.GetProperty("usage");
        Assert.Equal((2, 1, 0, 1), (Get(usage, "sandboxes"), Get(usage, "concurrent"), Get(usage, "computers"), Get(usage, "workspaces")));
        Assert.True(Get(usage, "credit_cents") >= 2);
        Assert.All(plan.GetProperty("limits").EnumerateObject().Concat(usage.EnumerateObject()), pair => pair.Value.GetInt64());

        var computers = (await api.GetAsync("analytics/computers?window=7d")).Expect(200).Json;
        Assert.Equal((0, 3, 1), (Get(computers.GetProperty("totals"), "created"), Get(computers.GetProperty("totals"), "sandboxes_created"), Get(computers.GetProperty("totals"), "sandboxes_running")));
        Assert.Equal(3, computers.GetProperty("series").EnumerateArray().Sum(p => Get(p.GetProperty("values"), "sandboxes_created")));
        var used = (await api.GetAsync("analytics/usage?window=30d")).Expect(200).Json;
        Assert.True(used.GetProperty("totals").GetProperty("vcpu_seconds").GetDouble() >= 2);
        Assert.Equal("30d", used.GetProperty("window").GetString());
        Assert.Equal(3, Get((await api.GetAsync("analytics/overview?period=24h&region=unknown")).Expect(200).Json.GetProperty("totals"), "sandboxes_created"));
        Assert.Equal(("sandboxes", 2), await TotalsOf(api, "analytics/timeseries?metric=sandboxes", "total"));
        Assert.True((await TotalsOf(api, "analytics/timeseries?metric=credits&window=48h", "credits")).Value >= 2);
        foreach (var id in (string[])[running, paused])
            (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);

        using var reader = metered.Platform.Api(await metered.Platform.NewKeyAsync(tenant, ["usage:read"]));
        (await reader.GetAsync("analytics/usage")).Expect(200);
        Assert.Equal((403, "insufficient_scope"), await StatusOf(reader.GetAsync("analytics/overview")));
        Assert.Equal((403, "insufficient_scope"), await StatusOf(reader.GetAsync("tenant/plan")));
        // Every valid key may see the balance: clients prove it so.
        using var other = metered.Platform.Api(await metered.Platform.NewKeyAsync(tenant, ["sandboxes:read"]));
        (await other.GetAsync("credits/balance")).Expect(200);
        Assert.Equal((403, "insufficient_scope"), await StatusOf(other.GetAsync("credits/transactions")));
    }

    [Fact]
    public async Task Prices_are_told_as_they_are_charged_and_the_overview_is_for_everybody()
    {
        var api = metered.Shared;
        var pricing = (await api.GetAsync("compute/pricing")).Expect(200).Json.GetProperty("data");
        Assert.Equal(("usd", 36m, 3_600_000_000L), (pricing.GetProperty("currency").GetString(), pricing.GetProperty("vcpu_hour").GetDecimal(), pricing.GetProperty("micro_cents").GetProperty("vcpu_hour").GetInt64()));
        var sizes = (await api.GetAsync("settings/compute-pricing")).Expect(200).Json;
        Assert.Equal((72m, 0m), (sizes.GetProperty("small").GetProperty("price_hour").GetDecimal(), sizes.GetProperty("data").GetProperty("small").GetProperty("price_hour_paused").GetDecimal()));
        Assert.Equal("""{"data":{}}""", (await api.GetAsync("settings/gpu-pricing")).Expect(200).Body);

        using var nobody = metered.Platform.Api(null);
        var overview = (await nobody.GetAsync("overview")).Expect(200).Json;
        Assert.Equal(("operational", 1, 0), (overview.GetProperty("status").GetString(), Get(overview, "regions"), Get(overview, "incidents")));
        Assert.Equal("operational", overview.GetProperty("components").GetProperty("database").GetString());
    }

    private static async Task<(string? Metric, int Value)> TotalsOf(Api api, string path, string name)
    {
        var report = (await api.GetAsync(path)).Expect(200).Json;
        return (report.GetProperty("metric").GetString(), Get(report.GetProperty("totals"), name));
    }

    private static Task UntilSpentAsync(Api api, int cents) => Miosa.Platform.Platform.UntilAsync(
        $"{cents} cents are spent", async () => (await api.GetAsync("usage/summary")).Expect(200).Json.GetProperty("credit_cents").GetInt64() >= cents);

    private static async Task<(int, string)> StatusOf(Task<Answer> call) => await call is var answer ? (answer.Status, answer.Code) : default;

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static long Exact(JsonElement body, string name) => body.GetProperty("exact").GetProperty(name).GetInt64();

    private static int Get(JsonElement body, string name) => (int)body.GetProperty(name).GetDouble();
}
