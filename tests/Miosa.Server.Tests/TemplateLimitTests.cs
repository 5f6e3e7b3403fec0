using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>How much one tenant may have and ask for, on a server of its own with small limits.</summary>
public sealed class TemplateLimitTests(TemplateLimitTests.WithLimits limits) : IClassFixture<TemplateLimitTests.WithLimits>
{
    [Fact]
    public async Task More_templates_than_a_tenant_may_have_are_refused_and_others_are_not_touched()
    {
        using var api = await limits.Platform.NewApiAsync();
        for (var i = 0; i < 3; i++)
            (await api.PostAsync("sandbox-templates", $$"""{"name":"t{{i}}","image":"miosa-busybox"}""")).Expect(201);

        var refused = await api.PostAsync("sandbox-templates", """{"name":"t3","image":"miosa-busybox"}""");

        Assert.Equal((403, "QUOTA_EXCEEDED"), (refused.Status, refused.Code));
        using var other = await limits.Platform.NewApiAsync();
        (await other.PostAsync("sandbox-templates", """{"name":"t3","image":"miosa-busybox"}""")).Expect(201);
        (await api.DeleteAsync("sandbox-templates/t0")).Expect(200);
        (await api.PostAsync("sandbox-templates", """{"name":"t3","image":"miosa-busybox"}""")).Expect(201);
    }

    [Fact]
    public async Task One_build_runs_at_a_time_tenants_take_turns_and_the_queue_of_each_has_an_end()
    {
        using var greedy = await limits.Platform.NewApiAsync();
        using var modest = await limits.Platform.NewApiAsync();
        var running = await StartAsync(greedy, "first", "sleep 600");
        await Until("the first build runs", async () => (await limits.Platform.MachinesAsync()).ContainsKey(running));
        var second = await StartAsync(greedy, "second", "true");

        var refused = await greedy.PostAsync("sandbox-templates", """{"name":"third","build_spec":{"from":"miosa-busybox","steps":[{"run":"true"}]}}""");
        Assert.Equal((403, "QUOTA_EXCEEDED"), (refused.Status, refused.Code));
        Assert.Equal(404, (await greedy.GetAsync("sandbox-templates/third")).Status);
        var late = await StartAsync(modest, "late", "true");
        Assert.Equal(("queued", "queued", "pending"), ((await greedy.GetAsync($"sandbox-template-builds/{second}")).Text("status"), (await modest.GetAsync($"sandbox-template-builds/{late}")).Text("status"), (await modest.GetAsync("sandbox-templates/late")).Text("status")));
        Assert.Single((await limits.Platform.MachinesAsync()).Keys, machine => machine.StartsWith("bld_", StringComparison.Ordinal));
        (await greedy.DeleteAsync("sandbox-templates/first")).Expect(200);

        var (ofSecond, ofLate) = (await greedy.UntilOverAsync(second), await modest.UntilOverAsync(late));

        Assert.Equal(("ready", "ready"), (ofSecond.Text("status"), ofLate.Text("status")));
        Assert.True(ofLate.Json.GetProperty("started_at").GetDateTimeOffset() < ofSecond.Json.GetProperty("started_at").GetDateTimeOffset());
    }

    [Fact]
    public async Task A_recipe_may_not_ask_for_more_time_than_the_server_gives()
    {
        using var api = await limits.Platform.NewApiAsync();
        var refused = await api.PostAsync("sandbox-templates", """{"name":"long","build_spec":{"from":"miosa-busybox","timeoutSec":3601}}""");
        Assert.True(refused.Expect(422).Json.GetProperty("details").TryGetProperty("build_spec.timeoutSec", out _));
        var large = new JsonObject { ["name"] = "large", ["build_spec"] = new JsonObject { ["from"] = "miosa-busybox", ["steps"] = new JsonArray([.. Enumerable.Range(0, 20).Select(_ => (JsonNode)new JsonObject { ["run"] = new string('x', 30_000) })]) } };
        Assert.True((await api.PostAsync("sandbox-templates", large.ToJsonString())).Expect(422).Json.GetProperty("details").TryGetProperty("build_spec.steps", out _));
        var heavy = new JsonObject { ["name"] = "heavy", ["image"] = "miosa-busybox", ["metadata"] = new JsonObject { ["k"] = new string('x', 20_000) } };
        Assert.True((await api.PostAsync("sandbox-templates", heavy.ToJsonString())).Expect(422).Json.GetProperty("details").TryGetProperty("metadata", out _));
        var files = new JsonObject { ["name"] = "files", ["build_spec"] = new JsonObject { ["from"] = "miosa-busybox", ["context"] = new JsonObject { ["a"] = new string('x', 8 * 1024 * 1024), ["b"] = "x" } } };
        Assert.True((await api.PostAsync("sandbox-templates", files.ToJsonString())).Expect(422).Json.GetProperty("details").TryGetProperty("build_spec.context", out _));
        Assert.Equal(413, (await api.PostAsync("sandbox-templates", $$"""{"name":"{{new string('x', 13 * 1024 * 1024)}}"}""")).Status);
    }

    private static async Task<string> StartAsync(Api api, string name, string run)
    {
        (await api.PostAsync("sandbox-templates", $$$"""{"name":"{{{name}}}","build_spec":{"from":"miosa-busybox","steps":[{"run":"{{{run}}}"}]}}""")).Expect(201);
        return (await api.GetAsync($"sandbox-templates/{name}/builds")).Json.GetProperty("data")[0].GetProperty("id").GetString() ?? "";
    }

    private static Task Until(string fact, Func<Task<bool>> isTrue) => Miosa.Platform.Platform.UntilAsync(fact, isTrue, TimeSpan.FromSeconds(60));

    public sealed class WithLimits : IAsyncLifetime
    {
        private Miosa.Platform.Platform? platform;

        public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

        public async ValueTask InitializeAsync() => platform = await Miosa.Platform.Platform.StartAsync(
            "tmpl", net: 236, ["miosa-busybox"], "--max-templates", "3", "--max-queued-builds", "1", "--build-timeout-sec", "3600");

        public async ValueTask DisposeAsync()
        {
            if (platform is not null)
                await platform.DisposeAsync();
        }
    }
}
