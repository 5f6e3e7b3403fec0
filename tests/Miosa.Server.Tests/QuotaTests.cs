using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class QuotaTests(MeteredPlatform metered, ServerPlatform plain) : IClassFixture<MeteredPlatform>
{
    private const string Small = "\"cpu_count\":1,\"memory_mb\":128,\"disk_size_mb\":512";

    [Fact]
    public async Task Fifty_creations_at_once_against_a_limit_of_five_make_five_and_launch_nothing_else()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        await metered.UntilWarmAsync(2);
        (await api.PutAsync("quotas/external/usr_1", """{"max_sandboxes":5}""")).Expect(200);

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => api.PostAsync("sandboxes", $$"""{"external_user_id":"usr_1",{{Small}}}""")));

        Assert.Equal(5, answers.Count(a => a.Status == 201));
        Assert.Equal(45, answers.Count(a => a is { Status: 403, Code: "QUOTA_EXCEEDED" }));
        Assert.Equal(("max_sandboxes", 5, 5, "usr_1"), Details(answers.First(a => a.Status == 403)));
        var mine = answers.Where(a => a.Status == 201).Select(a => a.Text("id")).ToHashSet();
        // Of the machines of the runtime these five are somebody's; the others wait in the pool.
        using var nobody = metered.Platform.Api(null);
        await Miosa.Platform.Platform.UntilAsync("every other machine is the pool's", async () =>
        {
            var others = (await metered.Platform.MachinesAsync()).Keys.Count(id => !mine.Contains(id));
            return others == (await nobody.GetAsync("health")).Json.GetProperty("checks").GetProperty("warm_machines").GetInt32();
        });
        Assert.Equal(5, (await api.GetAsync("sandboxes?external_user_id=usr_1")).Json.GetProperty("total").GetInt32());
        await DestroyAsync(api);
    }

    [Fact]
    public async Task Without_a_pool_the_runtime_is_never_asked_for_a_sixth_machine()
    {
        using var api = await plain.Platform.NewApiAsync();
        var before = (await plain.Platform.MachinesAsync()).Count;
        (await api.PutAsync("quotas/external/usr_1", """{"max_concurrent":5}""")).Expect(200);

        var creations = Task.WhenAll(Enumerable.Range(0, 50).Select(_ => api.PostAsync("sandboxes", $$"""{"external_user_id":"usr_1",{{Small}}}""")));
        var most = 0;
        while (!creations.IsCompleted)
            most = Math.Max(most, (await plain.Platform.MachinesAsync()).Count - before);

        Assert.Equal((5, 45), ((await creations).Count(a => a.Status == 201), (await creations).Count(a => a is { Status: 403, Code: "QUOTA_EXCEEDED" })));
        Assert.InRange(most, 1, 5);
        // Nothing of the refused ones was ever written either.
        Assert.Equal(5, (await api.GetAsync("sandboxes?state=all")).Json.GetProperty("total").GetInt32());
        await DestroyAsync(api);
    }

    [Fact]
    public async Task Running_ones_are_counted_at_creation_resume_and_first_use_and_a_refused_resume_leaves_it_paused()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var first = await api.CreateAsync($$"""{"external_user_id":"usr_1","persistent":true,{{Small}}}""");
        (await api.PostAsync($"sandboxes/{first}/pause")).Expect(200);
        (await api.PutAsync("quotas/external/usr_1", """{"max_concurrent":1}""")).Expect(200);
        var second = await api.CreateAsync($$"""{"external_user_id":"usr_1",{{Small}}}""");

        Assert.Equal(("max_concurrent", 1, 1, "usr_1"), Details(await api.PostAsync("sandboxes", $$"""{"external_user_id":"usr_1",{{Small}}}""")));
        Assert.Equal(("max_concurrent", 1, 1, "usr_1"), Details(await api.PostAsync($"sandboxes/{first}/resume")));
        // A command would resume it, too.
        Assert.Equal((403, "QUOTA_EXCEEDED"), await StatusOf(api.PostAsync($"sandboxes/{first}/exec", """{"command":"true"}""")));
        Assert.Equal("paused", (await api.GetAsync($"sandboxes/{first}")).Text("state"));
        Assert.Equal("frozen", (await metered.Platform.MachinesAsync())[first]);
        (await api.PostAsync($"sandboxes/{second}/resume")).Expect(200);

        (await api.DeleteAsync($"sandboxes/{second}")).Expect(200);
        (await api.PostAsync($"sandboxes/{first}/stop")).Expect(200);
        Assert.Equal("ok\n", await api.RunAsync(first, "echo ok"));
        await DestroyAsync(api);
    }

    [Fact]
    public async Task Twenty_resumes_at_once_against_a_limit_of_two_resume_two()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var ids = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            ids.Add(await api.CreateAsync($$"""{"external_user_id":"usr_1","persistent":true,{{Small}}}"""));
            (await api.PostAsync($"sandboxes/{ids[i]}/pause")).Expect(200);
        }
        (await api.PutAsync("quotas/external/usr_1", """{"max_concurrent":2}""")).Expect(200);

        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => api.PostAsync($"sandboxes/{ids[i % 6]}/resume")));

        var states = (await api.GetAsync("sandboxes?per_page=100")).Json.GetProperty("data").EnumerateArray().ToDictionary(s => s.GetProperty("id").GetString() ?? "", s => s.GetProperty("state").GetString());
        Assert.Equal(2, states.Values.Count(state => state == "running"));
        var machines = await metered.Platform.MachinesAsync();
        Assert.All(states, pair => Assert.Equal((pair.Key, pair.Value == "running" ? "running" : "frozen"), (pair.Key, machines[pair.Key])));
        await DestroyAsync(api);
    }

    [Fact]
    public async Task A_quota_shows_limits_and_what_is_used_and_falls_back_to_the_default_when_it_is_deleted()
    {
        var (api, tenant) = await metered.NewTenantAsync();
        using var _1 = api;
        var none = (await api.GetAsync("quotas/external/never_seen")).Expect(200).Json;
        Assert.Equal((40, true, 0, JsonValueKind.Null), (Get(none, "max_sandboxes"), none.GetProperty("inherited").GetBoolean(), Get(none, "current_sandboxes"), none.GetProperty("updated_at").ValueKind));

        var set = (await api.PutAsync("quotas/external/usr_1", """{"max_sandboxes":5,"max_concurrent":2,"max_storage_gb":10,"max_credit_cents":10000}""")).Expect(200).Json;
        var id = await api.CreateAsync($$"""{"external_user_id":"usr_1",{{Small}}}""");
        var paused = await api.CreateAsync($$"""{"external_user_id":"usr_1",{{Small}}}""");
        (await api.PostAsync($"sandboxes/{paused}/pause")).Expect(200);
        Assert.Equal((5, 2, 10, 10000, false), (Get(set, "max_sandboxes"), Get(set, "max_concurrent"), Get(set, "max_storage_gb"), Get(set, "max_credit_cents"), set.GetProperty("inherited").GetBoolean()));
        await api.RunAsync(id, "dd if=/dev/urandom of=/tmp/big bs=1M count=30; sync");
        var shown = default(JsonElement);
        await Miosa.Platform.Platform.UntilAsync("disk and money are counted", async () =>
        {
            shown = (await api.GetAsync("quotas/external/usr_1")).Expect(200).Json;
            return shown.GetProperty("usage").GetProperty("storage_gb").GetDouble() >= 0.029 && Get(shown.GetProperty("usage"), "credit_cents") >= 1;
        });
        var usage = shown.GetProperty("usage");
        Assert.Equal((2, 2, 1, 2), (Get(usage, "sandboxes"), Get(usage, "total_sandboxes"), Get(usage, "concurrent"), Get(shown, "current_sandboxes")));
        Assert.Equal("""{"max_sandboxes":5,"max_concurrent":2,"max_storage_gb":10,"max_credit_cents":10000}""", shown.GetProperty("limits").GetRawText());
        Assert.Equal("usr_1", shown.GetProperty("data").GetProperty("external_user_id").GetString());

        // The whole set is replaced: what is not sent is lifted.
        var replaced = (await api.PutAsync("quotas/external/usr_1", """{"limits":{"max_concurrent":7}}""")).Expect(200).Json;
        Assert.Equal((JsonValueKind.Null, 7), (replaced.GetProperty("max_sandboxes").ValueKind, Get(replaced, "max_concurrent")));

        (await api.PutAsync("quotas/default", """{"max_sandboxes":3}""")).Expect(200);
        Assert.Equal(204, (await api.DeleteAsync("quotas/external/usr_1")).Status);
        Assert.Equal(204, (await api.DeleteAsync("quotas/external/usr_1")).Status);
        var inherited = (await api.GetAsync("quotas/external/usr_1")).Expect(200).Json;
        Assert.Equal((3, true), (Get(inherited, "max_sandboxes"), inherited.GetProperty("inherited").GetBoolean()));
        Assert.Equal(204, (await api.DeleteAsync("quotas/default")).Status);
        Assert.Equal(40, Get((await api.GetAsync("quotas/external/usr_1")).Json, "max_sandboxes"));

        await metered.Platform.AdminAsync("limits", "set", "max_sandboxes=2", "--tenant", tenant, "--users");
        Assert.Equal(2, Get((await api.GetAsync("quotas/external/usr_1")).Json, "max_sandboxes"));
        await DestroyAsync(api);
    }

    [Fact]
    public async Task A_limit_below_what_is_there_takes_nothing_away_and_refuses_new_ones()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var ids = new[] { await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}"""), await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""") };
        (await api.PutAsync("quotas/external/u", """{"max_sandboxes":1,"max_concurrent":0}""")).Expect(200);

        Assert.Equal("ok\n", await api.RunAsync(ids[0], "echo ok"));
        (await api.PatchAsync($"sandboxes/{ids[1]}", """{"name":"renamed-one"}""")).Expect(200);
        Assert.Equal(("max_sandboxes", 1, 2, "u"), Details(await api.PostAsync("sandboxes", $$"""{"external_user_id":"u",{{Small}}}""")));
        // Others are not touched, nor is the user's name a way around: to give a machine to somebody is to take a place of his.
        var other = await api.CreateAsync($$"""{"external_user_id":"v",{{Small}}}""");
        Assert.Equal(403, (await api.PatchAsync($"sandboxes/{other}", """{"external_user_id":"u"}""")).Status);
        Assert.Equal("v", (await api.GetAsync($"sandboxes/{other}")).Text("external_user_id"));
        Assert.Equal(403, (await api.PostAsync($"sandboxes/{other}/fork", """{"external_user_id":"u"}""")).Status);
        (await api.PatchAsync($"sandboxes/{ids[1]}", """{"external_user_id":"v"}""")).Expect(200);
        await DestroyAsync(api);
    }

    [Fact]
    public async Task Forks_and_restored_snapshots_count_like_creations()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        var id = await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""");
        var snapshot = (await api.PostAsync($"sandboxes/{id}/snapshots", "{}")).Expect(201).Text("id");
        (await api.PutAsync("quotas/external/u", """{"max_sandboxes":1}""")).Expect(200);

        Assert.Equal(("max_sandboxes", 1, 1, "u"), Details(await api.PostAsync($"sandboxes/{id}/fork", "{}")));
        Assert.Equal(("max_sandboxes", 1, 1, "u"), Details(await api.PostAsync($"sandboxes/{id}/restore/{snapshot}")));
        Assert.Equal(("max_sandboxes", 1, 1, "u"), Details(await api.PostAsync($"sandboxes/{id}/fork", $$"""{"snapshot_id":"{{snapshot}}"}""")));
        (await api.DeleteAsync($"snapshots/{snapshot}")).Expect(200);
        await DestroyAsync(api);
    }

    [Fact]
    public async Task What_is_on_the_disks_is_limited_and_so_is_the_size_of_one_disk()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        (await api.PutAsync("quotas/external/u", """{"max_storage_gb":1}""")).Expect(200);
        var tooLarge = await api.PostAsync("sandboxes", """{"external_user_id":"u","cpu_count":1,"memory_mb":128,"disk_size_mb":2048}""");
        Assert.Equal((403, "QUOTA_EXCEEDED", "max_storage_gb"), (tooLarge.Status, tooLarge.Code, tooLarge.Json.GetProperty("details").GetProperty("what").GetString()));
        var id = await api.CreateAsync("""{"external_user_id":"u","cpu_count":1,"memory_mb":1024,"disk_size_mb":1024,"persistent":true}""");
        Assert.Equal(403, (await api.PatchAsync($"sandboxes/{id}", """{"disk_size_mb":1500}""")).Status);

        await api.RunAsync(id, "dd if=/dev/zero of=/workspace/a bs=1M count=900; sync");
        await Miosa.Platform.Platform.UntilAsync("a warning came", async () => (await MeteredPlatform.EventsAsync(api, "quota.warning")).Any(data => data.Contains("max_storage_gb", StringComparison.Ordinal)));
        var second = await api.CreateAsync("""{"external_user_id":"u","cpu_count":1,"memory_mb":1024,"disk_size_mb":1024}""");
        await api.RunAsync(second, "dd if=/dev/zero of=/workspace/a bs=1M count=200; sync");
        await Miosa.Platform.Platform.UntilAsync("a third is refused", async () => (await api.PostAsync("sandboxes", $$"""{"external_user_id":"u",{{Small}}}""")) is { Status: 403 } refused
            && refused.Json.GetProperty("details").GetProperty("what").GetString() == "max_storage_gb");
        await DestroyAsync(api);
    }

    [Fact]
    public async Task A_warning_is_told_once_for_each_time_that_four_fifths_are_passed()
    {
        var (api, _) = await metered.NewTenantAsync();
        using var _1 = api;
        (await api.PutAsync("quotas/external/u", """{"max_sandboxes":5}""")).Expect(200);
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Add(await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}"""));

        var warning = JsonDocument.Parse(Assert.Single(await MeteredPlatform.EventsAsync(api, "quota.warning"))).RootElement;
        Assert.Equal(("max_sandboxes", 5, 4, "u"), (warning.GetProperty("what").GetString(), Get(warning, "limit"), Get(warning, "current"), warning.GetProperty("external_user_id").GetString()));
        (await api.DeleteAsync($"sandboxes/{ids[0]}")).Expect(200);
        (await api.DeleteAsync($"sandboxes/{ids[1]}")).Expect(200);
        await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""");
        Assert.Equal(2, (await MeteredPlatform.EventsAsync(api, "quota.warning")).Count);
        await DestroyAsync(api);
    }

    [Fact]
    public async Task The_tenant_has_limits_of_its_own_that_an_administrator_sets()
    {
        var (api, tenant) = await metered.NewTenantAsync();
        using var _1 = api;
        await metered.Platform.AdminAsync("limits", "set", "max_concurrent=1,max_sandboxes=2", "--tenant", tenant);
        var plan = (await api.GetAsync("tenant/plan")).Expect(200).Json.GetProperty("limits");
        Assert.Equal((1, 2, -1), (Get(plan, "max_concurrent"), Get(plan, "max_sandboxes"), Get(plan, "max_storage_gb")));
        await api.CreateAsync($$"""{{{Small}}}""");
        var refused = (await api.PostAsync("sandboxes", $$"""{"external_user_id":"u",{{Small}}}""")).Expect(403);
        Assert.Equal(("max_concurrent", "tenant"), (refused.Json.GetProperty("details").GetProperty("what").GetString(), refused.Json.GetProperty("details").GetProperty("subject").GetString()));
        await metered.Platform.AdminAsync("limits", "clear", "--tenant", tenant);
        await api.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""");
        await Assert.ThrowsAsync<InvalidOperationException>(() => metered.Platform.AdminAsync("limits", "set", "max_colours=1", "--tenant", tenant));
        await DestroyAsync(api);
    }

    [Theory]
    [InlineData("usr@example.com:8080/team one")]
    [InlineData("tenant/42/user/7")]
    [InlineData("Ünïcödé 你好 🦊")]
    [InlineData("a%2Fb%25")]
    [InlineData("100%")]
    [InlineData("+plus&and=equals#hash?")]
    public async Task An_external_id_is_taken_as_it_is_escaped_or_not(string user)
    {
        var api = metered.Shared;
        var escaped = Uri.EscapeDataString(user);
        (await api.PutAsync($"quotas/external/{escaped}", """{"max_sandboxes":1}""")).Expect(200);
        var id = await api.CreateAsync($$"""{"external_user_id":{{JsonSerializer.Serialize(user)}},{{Small}}}""");
        var shown = (await api.GetAsync($"quotas/external/{escaped}")).Expect(200);
        Assert.Equal((user, 1, 1), (shown.Text("external_user_id"), Get(shown.Json, "current_sandboxes"), Get(shown.Json, "max_sandboxes")));
        Assert.Equal(("max_sandboxes", 1, 1, user), Details(await api.PostAsync("sandboxes", $$"""{"external_user_id":{{JsonSerializer.Serialize(user)}},{{Small}}}""")));
        Assert.Equal(user, (await api.GetAsync($"sandboxes?external_user_id={escaped}")).Json.GetProperty("data")[0].GetProperty("external_user_id").GetString());
        Assert.Equal(user, (await api.GetAsync($"usage?external_user_id={escaped}")).Json.GetProperty("results")[0].GetProperty("external_user_id").GetString());
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
    }

    [Fact]
    public async Task The_path_of_clients_that_do_not_escape_leads_to_the_same_quota()
    {
        var api = metered.Shared;
        (await api.PutAsync("quotas/external/" + Uri.EscapeDataString("team/7/dr.smith@a:b"), """{"max_sandboxes":9}""")).Expect(200);
        Assert.Equal(9, Get((await api.GetAsync("quotas/external/team/7/dr.smith@a:b")).Expect(200).Json, "max_sandboxes"));
    }

    [Theory]
    [InlineData("""{"max_sandboxes":-1}""", "max_sandboxes")]
    [InlineData("""{"max_concurrent":1.5}""", "max_concurrent")]
    [InlineData("""{"max_storage_gb":"10"}""", "max_storage_gb")]
    [InlineData("""{"max_credit_cents":9223372036854775807}""", "max_credit_cents")]
    [InlineData("""{"limits":[]}""", "limits")]
    public async Task Faulty_caps_are_422_and_change_nothing(string body, string field)
    {
        var api = metered.Shared;
        (await api.PutAsync("quotas/external/faulty", """{"max_sandboxes":4}""")).Expect(200);
        var answer = await api.PutAsync("quotas/external/faulty", body);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal(4, Get((await api.GetAsync("quotas/external/faulty")).Json, "max_sandboxes"));
    }

    [Fact]
    public async Task An_external_id_that_is_too_long_or_breaks_lines_is_422_wherever_it_comes()
    {
        var api = metered.Shared;
        var huge = new string('é', 10_000);
        Assert.Equal(422, (await api.GetAsync("quotas/external/" + new string('a', 256))).Status);
        Assert.Equal(422, (await api.GetAsync("quotas/external/" + Uri.EscapeDataString(huge))).Status);
        Assert.Equal(422, (await api.PutAsync("quotas/external/a%0Ab", "{}")).Status);
        Assert.Equal(404, (await api.GetAsync("quotas/external/")).Status);
        foreach (var field in (string[])["external_user_id", "external_project_id", "external_workspace_id"])
        {
            foreach (var value in (string[])[huge, "a\nb", "\u0007", ""])
            {
                var answer = await api.PostAsync("sandboxes", JsonSerializer.Serialize(new Dictionary<string, string> { [field] = value }));
                Assert.Equal((field, 422), (field, answer.Status));
                Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
            }
        }
        Assert.Empty((await api.GetAsync($"usage?external_user_id={Uri.EscapeDataString(new string('é', 3000))}")).Expect(200).Json.GetProperty("results").EnumerateArray());
    }

    [Fact]
    public async Task Another_tenants_user_of_the_same_name_is_somebody_else()
    {
        var (mine, _) = await metered.NewTenantAsync();
        var (theirs, _) = await metered.NewTenantAsync();
        using var _1 = mine;
        using var _2 = theirs;
        (await mine.PutAsync("quotas/external/u", """{"max_sandboxes":0}""")).Expect(200);
        var id = await theirs.CreateAsync($$"""{"external_user_id":"u",{{Small}}}""");
        Assert.Equal(40, Get((await theirs.GetAsync("quotas/external/u")).Json, "max_sandboxes"));
        Assert.Equal(0, Get((await mine.GetAsync("quotas/external/u")).Json, "current_sandboxes"));
        Assert.Empty((await mine.GetAsync("usage?external_user_id=u")).Json.GetProperty("results").EnumerateArray());
        Assert.Equal(403, (await mine.PostAsync("sandboxes", $$"""{"external_user_id":"u",{{Small}}}""")).Status);
        (await theirs.DeleteAsync($"sandboxes/{id}")).Expect(200);
    }

    [Fact]
    public async Task Two_updates_at_once_leave_one_of_them_whole()
    {
        var api = metered.Shared;
        for (var round = 0; round < 10; round++)
        {
            await Task.WhenAll(
                api.PutAsync("quotas/external/both", """{"max_sandboxes":1,"max_concurrent":1}"""), api.PutAsync("quotas/external/both", """{"max_sandboxes":2,"max_concurrent":2}"""));
            var now = (await api.GetAsync("quotas/external/both")).Expect(200).Json;
            Assert.Equal(Get(now, "max_sandboxes"), Get(now, "max_concurrent"));
        }
    }

    [Fact]
    public async Task Quotas_need_their_own_scopes()
    {
        var (api, tenant) = await metered.NewTenantAsync(credits: 0);
        using var _1 = api;
        using var reader = metered.Platform.Api(await metered.Platform.NewKeyAsync(tenant, ["quotas:read"]));
        using var user = metered.Platform.Api(await metered.Platform.NewKeyAsync(tenant, ["sandboxes:write"]));
        (await reader.GetAsync("quotas/external/u")).Expect(200);
        Assert.Equal((403, "insufficient_scope"), await StatusOf(reader.PutAsync("quotas/external/u", """{"max_sandboxes":100}""")));
        Assert.Equal((403, "insufficient_scope"), await StatusOf(reader.DeleteAsync("quotas/external/u")));
        Assert.Equal((403, "insufficient_scope"), await StatusOf(user.PutAsync("quotas/default", "{}")));
        Assert.Equal((403, "insufficient_scope"), await StatusOf(user.GetAsync("quotas/external/u")));
    }

    private static async Task<(int, string)> StatusOf(Task<Answer> call) => await call is var answer ? (answer.Status, answer.Code) : default;

    private static (string?, int, int, string?) Details(Answer answer)
    {
        Assert.Equal((403, "QUOTA_EXCEEDED"), (answer.Status, answer.Code));
        var details = answer.Json.GetProperty("details");
        return (details.GetProperty("what").GetString(), Get(details, "limit"), Get(details, "current"), details.GetProperty("external_user_id").GetString());
    }

    private static int Get(JsonElement body, string name) => body.GetProperty(name).GetInt32();

    private static async Task DestroyAsync(Api api)
    {
        foreach (var sandbox in (await api.GetAsync("sandboxes?per_page=100")).Json.GetProperty("data").EnumerateArray().ToList())
            (await api.DeleteAsync("sandboxes/" + sandbox.GetProperty("id").GetString())).Expect(200);
    }
}
