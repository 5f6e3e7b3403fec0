using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class RegionTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Theory]
    [InlineData("regions")]
    [InlineData("compute/regions")]
    [InlineData("settings/regions")]
    public async Task The_one_region_is_that_of_the_node_and_is_told_under_all_paths(string path)
    {
        var list = (await Api.GetAsync(path)).Expect(200).Json;
        var region = list.GetProperty("data").EnumerateArray().Single();
        Assert.Equal(("local", "local", "Local", true, "live", true), (region.GetProperty("id").GetString(), region.GetProperty("slug").GetString(), region.GetProperty("name").GetString(),
            region.GetProperty("available").GetBoolean(), region.GetProperty("status").GetString(), region.GetProperty("default").GetBoolean()));
        Assert.Equal((1, 1), (list.GetProperty("meta").GetProperty("total").GetInt32(), list.GetProperty("page").GetProperty("page").GetInt32()));
        Assert.Empty((await Api.GetAsync(path + "?page=2")).Expect(200).Json.GetProperty("data").EnumerateArray());
        foreach (var query in (string[])["page=0", "per_page=1000000000", "page=x"])
            Assert.Equal(422, (await Api.GetAsync($"{path}?{query}")).Status);
    }

    [Fact]
    public async Task A_region_counts_the_caller_s_own_machines_and_an_unknown_one_is_404()
    {
        using var api = await tenant.Platform.NewApiAsync();
        var id = await api.CreateAsync();
        foreach (var path in (string[])["regions", "compute/regions"])
        {
            var region = (await api.GetAsync(path + "/local")).Expect(200).Json;
            Assert.Equal((1, 1, Environment.ProcessorCount), (region.GetProperty("machines").GetInt32(), region.GetProperty("data").GetProperty("nodes").GetInt32(), region.GetProperty("max_vcpus").GetInt32()));
            Assert.Equal(404, (await api.GetAsync(path + "/us-east-ny")).Status);
            Assert.Equal(404, (await api.GetAsync(path + "/..%2f..")).Status);
        }
        await api.DeleteAsync($"sandboxes/{id}");
        Assert.Equal(0, (await api.GetAsync("regions/local")).Json.GetProperty("machines").GetInt32());
    }

    [Fact]
    public async Task Without_the_runtime_the_region_takes_no_machines_and_says_so()
    {
        await tenant.Platform.KillRuntimeAsync();
        try
        {
            await Miosa.Platform.Platform.UntilAsync("the region is unavailable", async () => (await Api.GetAsync("regions/local")).Expect(200).Text("status") == "unavailable");
            Assert.False((await Api.GetAsync("regions/local")).Json.GetProperty("available").GetBoolean());
            Assert.Equal(503, (await Api.GetAsync("compute/catalog")).Status);
        }
        finally
        {
            tenant.Platform.StartRuntime();
        }
        await Miosa.Platform.Platform.UntilAsync("the region is live", async () => (await Api.GetAsync("regions/local")).Text("status") == "live");
    }

    [Fact]
    public async Task Sizes_are_those_of_the_server_and_say_whether_the_host_has_room_for_one()
    {
        var sizes = (await Api.GetAsync("compute/sizes")).Expect(200).Json.GetProperty("data").EnumerateArray().ToDictionary(s => s.GetProperty("slug").GetString() ?? "");
        Assert.Equal(["xs", "small", "medium", "large", "xl"], sizes.Keys);
        Assert.Equal((2, 2, 4096, 10, "Small"), (sizes["small"].GetProperty("vcpus").GetInt32(), sizes["small"].GetProperty("cpu").GetInt32(), sizes["small"].GetProperty("memory_mb").GetInt32(), sizes["small"].GetProperty("disk_gb").GetInt32(), sizes["small"].GetProperty("name").GetString()));
        foreach (var (name, size) in sizes)
        {
            var made = await Api.PostAsync("sandboxes", $$"""{"size":"{{name}}"}""");
            Assert.Equal(size.GetProperty("available").GetBoolean() ? 201 : 422, made.Status);
            if (made.Status == 201)
                await Api.DeleteAsync($"sandboxes/{made.Text("id")}");
        }
    }

    [Fact]
    public async Task The_catalogue_has_every_template_that_the_tenant_can_use_and_how_fast_it_starts()
    {
        (await Api.PostAsync("sandbox-templates", """{"name":"Mine","slug":"mine","image":"miosa-busybox","description":"own"}""")).Expect(201);
        var catalog = (await Api.GetAsync("compute/catalog")).Expect(200).Json;
        var product = catalog.GetProperty("products").EnumerateArray().Single(p => p.GetProperty("id").GetString() == "sandbox");
        Assert.Equal(("sandbox", "miosa-busybox", "small"), (product.GetProperty("id").GetString(), product.GetProperty("default_template").GetString(), product.GetProperty("default_size").GetString()));
        var templates = product.GetProperty("templates").EnumerateArray().ToDictionary(t => t.GetProperty("name").GetString() ?? "");
        Assert.Contains("miosa-busybox", templates.Keys);
        Assert.Contains("miosa-sandbox", templates.Keys);
        Assert.Contains("Mine", templates.Keys);
        // This server keeps no machines ready: all of them start when they are asked for.
        foreach (var readiness in templates["miosa-busybox"].GetProperty("artifact_readiness").EnumerateArray())
            Assert.Equal(("cold_boot_only", 1, 0, 1, 0), (readiness.GetProperty("state").GetString(), readiness.GetProperty("checked_nodes").GetInt32(), readiness.GetProperty("ready_nodes").GetInt32(), readiness.GetProperty("cold_boot_hosts").GetInt32(), readiness.GetProperty("missing_nodes").GetInt32()));
        Assert.Equal(product.GetProperty("size_ids").EnumerateArray().Select(s => s.GetString()), templates["Mine"].GetProperty("artifact_readiness").EnumerateArray().Select(r => r.GetProperty("size").GetString()));
        Assert.Equal(catalog.GetProperty("products").ToString(), catalog.GetProperty("data").GetProperty("products").ToString());
        Assert.Equal("local", catalog.GetProperty("regions")[0].GetProperty("slug").GetString());

        var list = (await Api.GetAsync("compute/templates")).Expect(200).Json.GetProperty("data").EnumerateArray().ToList();
        Assert.Equal(templates.Count, list.Count);
        foreach (var template in list)
            Assert.Equal(template.GetProperty("name").GetString(), (await Api.GetAsync($"compute/templates/{template.GetProperty("id").GetString()}")).Expect(200).Text("name"));
        Assert.Equal("own", (await Api.GetAsync("compute/templates/mine")).Expect(200).Text("description"));
        Assert.Equal(404, (await Api.GetAsync("compute/templates/none")).Status);

        using var other = await tenant.Platform.NewApiAsync();
        Assert.Equal(404, (await other.GetAsync("compute/templates/mine")).Status);
        Assert.DoesNotContain("Mine", (await other.GetAsync("compute/catalog")).Body, StringComparison.Ordinal);
        await Api.DeleteAsync("sandbox-templates/mine");
    }

    [Fact]
    public async Task The_server_s_own_model_is_there_before_any_provider_is_configured() =>
        Assert.Equal("miosa-embed-small", (await Api.GetAsync("settings/available-models")).Expect(200).Json.GetProperty("data")[0].GetProperty("id").GetString());

    [Fact]
    public async Task Any_key_may_look_at_regions_and_only_keys_with_the_scope_at_settings_and_tenant()
    {
        using var bare = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["usage:read"]));
        foreach (var path in (string[])["regions", "regions/local", "compute/regions", "compute/regions/local", "compute/sizes", "compute/catalog", "compute/templates", "compute/templates/miosa-busybox"])
            Assert.Equal(200, (await bare.GetAsync(path)).Status);
        foreach (var path in (string[])["settings", "settings/branding", "settings/regions", "settings/available-models", "settings/provider-keys", "tenant/branding", "tenant/preview-domain", "tenant/policy"])
            Assert.Equal((403, ErrorCodes.InsufficientScope), ((await bare.GetAsync(path)) is var no ? (no.Status, no.Code) : default));

        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["settings:read", "tenant:read"]));
        foreach (var path in (string[])["settings", "settings/branding", "settings/provider-keys/x", "tenant/branding", "tenant/preview-domain", "tenant/policy"])
            Assert.Equal(403, (await reader.PutAsync(path, "{}")).Status);
        foreach (var path in (string[])["settings/provider-keys/x", "tenant/branding", "tenant/preview-domain", "tenant/policy"])
            Assert.Equal(403, (await reader.DeleteAsync(path)).Status);
        Assert.Equal(403, (await reader.PostAsync("tenant/preview-domain/verify")).Status);
        Assert.Equal(200, (await reader.GetAsync("settings")).Status);
    }
}
