using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Settings and policy of a tenant: what they say is what new sandboxes get.</summary>
public sealed class SettingsTests(Tenant tenant) : IClassFixture<Tenant>, IAsyncLifetime
{
    private const string Sandbox = "miosa-sandbox";

    private Api Api => tenant.Api;

    public async ValueTask InitializeAsync()
    {
        // Each test begins with nothing set.
        (await Api.PutAsync("settings", """{"default_computer_size":null,"auto_stop_default":null,"default_region":null,"deployment_domain":null,"default_sandbox_timeout_sec":null,"default_image":null,"theme":null}""")).Expect(200);
        (await Api.DeleteAsync("tenant/policy")).Expect(204);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<JsonElement> NewAsync(string body = "{}") => (await Api.PostAsync("sandboxes", body)).Expect(201).Json;

    [Fact]
    public async Task What_was_never_set_shows_what_holds_flat_under_settings_and_under_data()
    {
        using var api = await tenant.Platform.NewApiAsync();
        var told = (await api.GetAsync("settings")).Expect(200).Json;
        foreach (var values in (JsonElement[])[told, told.GetProperty("settings"), told.GetProperty("data"), told.GetProperty("data").GetProperty("settings")])
        {
            Assert.Equal(("small", 0), (values.GetProperty("default_computer_size").GetString(), values.GetProperty("auto_stop_default").GetInt32()));
            foreach (var name in (string[])["default_region", "deployment_domain", "preview_domain", "default_sandbox_timeout_sec", "default_image"])
                Assert.Equal(JsonValueKind.Null, values.GetProperty(name).ValueKind);
        }
        Assert.StartsWith("set_", told.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("ten_", told.GetProperty("tenant_id").GetString(), StringComparison.Ordinal);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", told.GetProperty("updated_at").GetString());
    }

    [Fact]
    public async Task Defaults_are_what_a_new_sandbox_gets_and_what_a_create_names_goes_before_them()
    {
        (await Api.PutAsync("settings", $$"""{"default_computer_size":"xs","auto_stop_default":1200,"default_region":"local","default_sandbox_timeout_sec":300,"default_image":"{{Sandbox}}"}""")).Expect(200);
        var made = await NewAsync();
        Assert.Equal(("xs", 1, 2048), (made.GetProperty("size").GetString(), made.GetProperty("cpu_count").GetInt32(), made.GetProperty("memory_mb").GetInt32()));
        Assert.Equal((1200, 300, "local", Sandbox), (made.GetProperty("idle_timeout_sec").GetInt32(), made.GetProperty("timeout_sec").GetInt32(), made.GetProperty("region").GetString(), made.GetProperty("template_id").GetString()));
        // It is not only told: the machine has them, and its image.
        Assert.InRange(made.GetProperty("timeout_remaining_ms").GetInt64(), 200_000, 300_000);
        Assert.Contains("Python 3", await Api.RunAsync(made.GetProperty("id").GetString() ?? "", "python3 --version"), StringComparison.Ordinal);

        var named = await NewAsync("""{"image":"miosa-busybox","size":"small","timeout_sec":77,"idle_timeout_sec":0,"region":"local"}""");
        Assert.Equal(("miosa-busybox", "small", 77, 0), (named.GetProperty("template_id").GetString(), named.GetProperty("size").GetString(), named.GetProperty("timeout_sec").GetInt32(), named.GetProperty("idle_timeout_sec").GetInt32()));

        using var other = await tenant.Platform.NewApiAsync();
        var foreign = (await other.PostAsync("sandboxes")).Expect(201).Json;
        Assert.Equal(("miosa-busybox", 3600, 0), (foreign.GetProperty("template_id").GetString(), foreign.GetProperty("timeout_sec").GetInt32(), foreign.GetProperty("idle_timeout_sec").GetInt32()));
        await other.DeleteAsync($"sandboxes/{foreign.GetProperty("id").GetString()}");
    }

    [Fact]
    public async Task The_idle_default_ends_a_sandbox_that_nobody_uses()
    {
        (await Api.PutAsync("settings", """{"auto_stop_default":1}""")).Expect(200);
        var id = (await NewAsync()).GetProperty("id").GetString();
        await Miosa.Platform.Platform.UntilAsync("the idle sandbox is gone", async () => (await Api.GetAsync($"sandboxes/{id}")).Text("state") == "destroyed");
    }

    [Fact]
    public async Task Settings_go_before_the_policy_and_the_policy_before_the_server()
    {
        (await Api.PutAsync("tenant/policy", """{"lifecycle":{"default_timeout_sec":500,"default_idle_timeout_sec":600}}""")).Expect(200);
        var made = await NewAsync();
        Assert.Equal((500, 600), (made.GetProperty("timeout_sec").GetInt32(), made.GetProperty("idle_timeout_sec").GetInt32()));
        Assert.Equal(600, (await Api.GetAsync("settings")).Json.GetProperty("auto_stop_default").GetInt32());
        (await Api.PutAsync("settings", """{"auto_stop_default":0}""")).Expect(200);
        made = await NewAsync();
        Assert.Equal((500, 0), (made.GetProperty("timeout_sec").GetInt32(), made.GetProperty("idle_timeout_sec").GetInt32()));
        (await Api.DeleteAsync("tenant/policy")).Expect(204);
        Assert.Equal(3600, (await NewAsync()).GetProperty("timeout_sec").GetInt32());
    }

    [Fact]
    public async Task An_update_merges_null_takes_back_and_both_forms_and_methods_are_the_same()
    {
        (await Api.PutAsync("settings", """{"auto_stop_default":60,"deployment_domain":"apps.acme.com","theme":{"dark":true}}""")).Expect(200);
        (await Api.SendAsync(HttpMethod.Patch, "settings", """{"settings":{"default_sandbox_timeout_sec":90}}""")).Expect(200);
        var now = (await Api.GetAsync("settings")).Json;
        Assert.Equal((60, 90, "apps.acme.com", true), (now.GetProperty("auto_stop_default").GetInt32(), now.GetProperty("default_sandbox_timeout_sec").GetInt32(), now.GetProperty("deployment_domain").GetString(), now.GetProperty("theme").GetProperty("dark").GetBoolean()));
        Assert.True(now.GetProperty("settings").GetProperty("theme").GetProperty("dark").GetBoolean());
        // A client sends back what it got: nothing changes, and nothing of the envelope becomes a setting.
        var back = (await Api.PutAsync("settings", now.GetRawText())).Expect(200).Json;
        Assert.Equal(Without(now, "updated_at"), Without(back, "updated_at"));
        var reset = (await Api.PutAsync("settings", """{"auto_stop_default":null,"theme":null,"default_sandbox_timeout_sec":null}""")).Expect(200).Json;
        Assert.Equal((0, JsonValueKind.Null, false), (reset.GetProperty("auto_stop_default").GetInt32(), reset.GetProperty("default_sandbox_timeout_sec").ValueKind, reset.TryGetProperty("theme", out _)));
        Assert.Equal("apps.acme.com", reset.GetProperty("deployment_domain").GetString());
    }

    [Fact]
    public async Task Fifty_updates_at_once_lose_none_of_each_other()
    {
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => (await Api.PutAsync("settings", $$"""{"own_{{i}}":{{i}}}""")).Expect(200)));
        var now = (await Api.GetAsync("settings")).Json.GetProperty("settings");
        Assert.All(Enumerable.Range(0, 50), i => Assert.Equal(i, now.GetProperty($"own_{i}").GetInt32()));
        (await Api.PutAsync("settings", "{" + string.Join(',', Enumerable.Range(0, 50).Select(i => $"\"own_{i}\":null")) + "}")).Expect(200);
    }

    [Theory]
    [InlineData("default_computer_size", "\"huge\"")]
    [InlineData("default_computer_size", "5")]
    [InlineData("auto_stop_default", "-1")]
    [InlineData("auto_stop_default", "2592001")]
    [InlineData("auto_stop_default", "\"3600\"")]
    [InlineData("auto_stop_default", "1.5")]
    [InlineData("default_region", "\"us-west-la\"")]
    [InlineData("default_sandbox_timeout_sec", "0")]
    [InlineData("default_sandbox_timeout_sec", "1e12")]
    [InlineData("default_sandbox_timeout_sec", "[]")]
    [InlineData("default_image", "\"no-such-image\"")]
    [InlineData("default_image", "\"../etc\"")]
    [InlineData("default_image", "{}")]
    [InlineData("preview_domain", "\"preview.acme.com\"")]
    [InlineData("deployment_domain", "7")]
    public async Task A_faulty_setting_is_named_and_nothing_is_kept(string name, string value)
    {
        var refused = (await Api.PutAsync("settings", $$"""{"{{name}}":{{value}},"theme":"new"}""")).Expect(422);
        Assert.Equal([name], refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
        Assert.False((await Api.GetAsync("settings")).Json.TryGetProperty("theme", out _));
    }

    [Fact]
    public async Task A_tenant_s_own_settings_are_bounded()
    {
        Assert.Equal(422, (await Api.PutAsync("settings", JsonSerializer.Serialize(new Dictionary<string, string> { ["a"] = new('x', 20_000) }))).Status);
        Assert.Equal(422, (await Api.PutAsync("settings", JsonSerializer.Serialize(new Dictionary<string, int> { [new('x', 10_000)] = 1 }))).Status);
        Assert.Equal(422, (await Api.PutAsync("settings", JsonSerializer.Serialize(Enumerable.Range(0, 101).ToDictionary(i => $"n{i}")))).Status);
        Assert.Equal(422, (await Api.PutAsync("settings", """{"settings":[]}""")).Status);
        Assert.False((await Api.GetAsync("settings")).Json.TryGetProperty("a", out _));
    }

    [Fact]
    public async Task A_create_with_a_region_that_is_none_is_refused_with_those_there_are()
    {
        var refused = (await Api.PostAsync("sandboxes", """{"region":"us-west-la"}""")).Expect(422);
        Assert.Contains("\"local\"", refused.Json.GetProperty("details").GetProperty("region").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_and_policy_outlive_the_server()
    {
        (await Api.PutAsync("settings", """{"default_sandbox_timeout_sec":123}""")).Expect(200);
        (await Api.PutAsync("tenant/policy", """{"quotas":{"max_sandboxes":7}}""")).Expect(200);
        (await Api.PutAsync("tenant/branding", """{"product_name":"Stays"}""")).Expect(200);
        await tenant.Platform.KillServerAsync();
        await tenant.Platform.StartServerAsync();
        Assert.Equal(123, (await NewAsync()).GetProperty("timeout_sec").GetInt32());
        Assert.Equal(7, (await Api.GetAsync("tenant/policy")).Json.GetProperty("quotas").GetProperty("max_sandboxes").GetInt32());
        Assert.Equal("Stays", (await Api.GetAsync("tenant/branding")).Text("product_name"));
    }

    [Fact]
    public async Task No_policy_is_an_empty_one_and_a_policy_is_told_as_it_was_set()
    {
        var none = (await Api.GetAsync("tenant/policy")).Expect(200);
        Assert.Equal("""{"data":{}}""", none.Body);
        var set = (await Api.PutAsync("tenant/policy", """{"lifecycle":{"default_idle_timeout_sec":600,"default_timeout_sec":86400},"quotas":{"max_sandboxes":10}}""")).Expect(200);
        const string Policy = """{"lifecycle":{"default_idle_timeout_sec":600,"default_timeout_sec":86400},"quotas":{"max_sandboxes":10}}""";
        Assert.Equal($$"""{{Policy[..^1]}},"data":{{Policy}}}""", set.Body);
        // Sent back as it came, it is the same; a new one replaces it whole.
        Assert.Equal(set.Body, (await Api.PutAsync("tenant/policy", set.Body)).Expect(200).Body);
        Assert.Equal("""{"quotas":{"max_sandboxes":1},"data":{"quotas":{"max_sandboxes":1}}}""", (await Api.PutAsync("tenant/policy", """{"quotas":{"max_sandboxes":1}}""")).Expect(200).Body);
        (await Api.DeleteAsync("tenant/policy")).Expect(204);
        (await Api.DeleteAsync("tenant/policy")).Expect(204);
        Assert.Equal("""{"data":{}}""", (await Api.GetAsync("tenant/policy")).Body);
    }

    [Theory]
    [InlineData("""{"network":{"egress":"closed"}}""", "network")]
    [InlineData("""{"lifecycle":{"max_timeout_sec":5}}""", "lifecycle.max_timeout_sec")]
    [InlineData("""{"quotas":{"max_gpus":5}}""", "quotas.max_gpus")]
    [InlineData("""{"quotas":{"max_sandboxes":-1}}""", "quotas.max_sandboxes")]
    [InlineData("""{"quotas":{"max_sandboxes":"3"}}""", "quotas.max_sandboxes")]
    [InlineData("""{"lifecycle":{"default_timeout_sec":0}}""", "lifecycle.default_timeout_sec")]
    [InlineData("""{"lifecycle":[]}""", "lifecycle")]
    public async Task What_cannot_be_enforced_is_refused_and_not_kept(string policy, string field)
    {
        var refused = (await Api.PutAsync("tenant/policy", policy)).Expect(422);
        Assert.Contains(field, refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
        Assert.Equal("""{"data":{}}""", (await Api.GetAsync("tenant/policy")).Body);
    }

    [Fact]
    public async Task Twenty_creates_at_once_against_a_cap_of_three_give_exactly_three()
    {
        using var api = await tenant.Platform.NewApiAsync();
        (await api.PutAsync("tenant/policy", """{"quotas":{"max_sandboxes":3}}""")).Expect(200);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.PostAsync("sandboxes")));
        Assert.Equal((3, 17), (answers.Count(a => a.Status == 201), answers.Count(a => a.Status == 403)));
        var refused = answers.First(a => a.Status == 403).Json;
        Assert.Equal((ErrorCodes.QuotaExceeded, "max_sandboxes", 3, 3), (refused.GetProperty("code").GetString(), refused.GetProperty("details").GetProperty("what").GetString(),
            refused.GetProperty("details").GetProperty("limit").GetInt32(), refused.GetProperty("details").GetProperty("current").GetInt32()));
        var ids = answers.Where(a => a.Status == 201).Select(a => a.Text("id")).ToList();
        Assert.Equal(3, (await api.GetAsync("sandboxes")).Json.GetProperty("data").GetArrayLength());
        // A fork counts as well; a place that is given back is free.
        Assert.Equal(403, (await api.PostAsync($"sandboxes/{ids[0]}/fork")).Status);
        await api.DeleteAsync($"sandboxes/{ids[1]}");
        ids[1] = (await api.PostAsync($"sandboxes/{ids[0]}/fork")).Expect(201).Text("id");
        foreach (var id in ids)
            await api.DeleteAsync($"sandboxes/{id}");
    }

    private static string Without(JsonElement value, string name)
    {
        var node = JsonNode.Parse(value.GetRawText()) as JsonObject ?? [];
        node.Remove(name);
        (node["data"] as JsonObject)?.Remove(name);
        return node.ToJsonString();
    }
}
