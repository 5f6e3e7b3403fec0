using System.Text.Json;

namespace Miosa.Server.Tests;

public sealed class AccessTests(Tenant tenant) : IClassFixture<Tenant>
{
    [Fact]
    public async Task Without_a_key_the_answer_is_401()
    {
        using var nobody = tenant.Platform.Api(null);
        var answer = await nobody.GetAsync("sandboxes");
        Assert.Equal((401, "invalid_token"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("msk_live_short")]
    [InlineData("msk_live_0000000000000000000000000000000000000000000")]
    [InlineData("msk_live_000000000000000000000000000000000000000000-")]
    public async Task A_key_that_is_malformed_or_unknown_is_401(string key)
    {
        using var api = tenant.Platform.Api(key);
        var answer = await api.GetAsync("sandboxes");
        Assert.Equal((401, "invalid_token"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_key_in_another_scheme_is_401()
    {
        using var nobody = tenant.Platform.Api(null);
        var answer = await nobody.SendAsync(HttpMethod.Get, "sandboxes", null, ("Authorization", "Basic bXNrOg=="));
        Assert.Equal(401, answer.Status);
    }

    [Fact]
    public async Task An_expired_key_is_401()
    {
        using var api = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, expires: "2020-01-01T00:00:00Z"));
        Assert.Equal(401, (await api.GetAsync("sandboxes")).Status);
    }

    [Fact]
    public async Task A_revoked_key_stops_working_within_seconds()
    {
        using var api = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id));
        (await api.GetAsync("sandboxes")).Expect(200);
        var keys = await tenant.Platform.AdminAsync("key", "list", "--tenant", tenant.Id);
        var newest = keys.Split('\n')[^1].Split(' ')[0];
        await tenant.Platform.AdminAsync("key", "revoke", newest);
        await Miosa.Platform.Platform.UntilAsync("the revoked key is refused", async () => await api.TryGetAsync("sandboxes") == System.Net.HttpStatusCode.Unauthorized, TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_read_key_may_not_create_and_is_told_which_scope_it_lacks()
    {
        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["sandboxes:read"]));
        (await reader.GetAsync("sandboxes")).Expect(200);
        var answer = await reader.PostAsync("sandboxes", "{}");
        Assert.Equal((403, "insufficient_scope"), (answer.Status, answer.Code));
        Assert.Contains("sandboxes:write", answer.Text("message"));
    }

    [Fact]
    public async Task Another_tenants_sandbox_is_404_everywhere()
    {
        var id = await tenant.Api.CreateAsync("""{"name":"mine"}""");
        using var other = await tenant.Platform.NewApiAsync();
        foreach (var path in (string[])[$"sandboxes/{id}", "sandboxes/mine", "sandboxes/by-name/mine", $"sandboxes/{id}/readiness", $"sandboxes/{id}/events", $"sandboxes/{id}/readiness/stream"])
            Assert.Equal((path, 404), (path, (await other.GetAsync(path)).Status));
        Assert.Equal(404, (await other.DeleteAsync($"sandboxes/{id}")).Status);
        Assert.Equal(404, (await other.PatchAsync($"sandboxes/{id}", """{"name":"theirs"}""")).Status);
        foreach (var verb in (string[])["pause", "resume", "stop", "extend", "exec"])
            Assert.Equal((verb, 404), (verb, (await other.PostAsync($"sandboxes/{id}/{verb}", """{"command":"true"}""")).Status));
        Assert.Empty((await other.GetAsync("sandboxes")).Json.GetProperty("data").EnumerateArray());
        Assert.Equal("running", (await tenant.Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }

    [Fact]
    public async Task Every_contract_route_refuses_a_caller_without_a_key()
    {
        using var nobody = tenant.Platform.Api(null);
        var document = JsonDocument.Parse((await nobody.GetAsync(nobody.Root + "/openapi.json")).Body).RootElement;
        var open = 0;
        foreach (var path in document.GetProperty("paths").EnumerateObject())
        {
            foreach (var operation in path.Value.EnumerateObject().Where(o => o.Name is "get" or "post" or "put" or "patch" or "delete"))
            {
                var url = path.Name.TrimStart('/').Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal);
                var answer = await nobody.SendAsync(new HttpMethod(operation.Name.ToUpperInvariant()), url);
                if (operation.Value.TryGetProperty("security", out var security) && security.GetArrayLength() == 0)
                    open++;
                else
                    Assert.Equal(($"{operation.Name} {path.Name}", 401), ($"{operation.Name} {path.Name}", answer.Status));
            }
        }
        Assert.Equal(3, open); // health, version and overview
    }

    [Fact]
    public async Task The_key_list_tells_the_prefix_but_never_the_key()
    {
        var key = await tenant.Platform.NewKeyAsync(tenant.Id);
        var list = await tenant.Platform.AdminAsync("key", "list", "--tenant", tenant.Id);
        Assert.Contains(key[..17], list);
        Assert.DoesNotContain(key[..20], list);
    }
}
