using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Keys and tokens that act for one external user.</summary>
public sealed class UserKeyTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task It_sees_and_makes_only_its_users_machines()
    {
        var bobs = await Api.CreateAsync("""{"memory_mb":256,"external_user_id":"bob","name":"of-bob"}""");
        using var alice = await KeyAsync("alice-1");
        var made = (await alice.PostAsync("sandboxes", """{"memory_mb":256,"name":"of-alice"}""")).Expect(201);
        Assert.Equal("alice-1", made.Text("external_user_id"));
        var own = made.Text("id");
        Assert.Equal("hi\n", await alice.RunAsync(own, "echo hi"));
        var given = await Api.CreateAsync("""{"memory_mb":256,"external_user_id":"alice-1"}""");
        (await alice.GetAsync($"sandboxes/{given}")).Expect(200);
        Assert.Equal([given, own], await IdsAsync(alice, ""));
        Assert.Empty(await IdsAsync(alice, "external_user_id=bob"));

        foreach (var name in (string[])[bobs, "of-bob"])
        {
            foreach (var path in (string[])["", "/events", "/files/read?path=/etc/passwd", "/env", "/processes", "/snapshots", "/usage", "/exports/download?path=/etc/passwd"])
                Assert.Equal((path, 404), (path, (await alice.GetAsync($"sandboxes/{name}{path}")).Status));
            Assert.Equal(404, (await alice.PostAsync($"sandboxes/{name}/exec", """{"command":"true"}""")).Status);
            Assert.Equal(404, (await alice.DeleteAsync($"sandboxes/{name}")).Status);
        }
        Assert.Equal(404, (await alice.GetAsync("sandboxes/by-name/of-bob")).Status);
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{bobs}")).Text("state"));
        using var visit = await alice.Http.GetAsync($"{alice.Root}/p/{bobs}/3000/");
        Assert.Equal(403, (int)visit.StatusCode);
    }

    [Fact]
    public async Task It_cannot_make_or_turn_a_machine_into_somebody_elses()
    {
        using var alice = await KeyAsync("alice");
        var own = (await alice.PostAsync("sandboxes", """{"memory_mb":256,"external_user_id":"alice"}""")).Expect(201).Text("id");
        foreach (var value in (string[])["\"bob\"", "null", "\"Alice\"", "\"alice \""])
        {
            var body = $$"""{"memory_mb":256,"external_user_id":{{value}}}""";
            foreach (var answer in (Answer[])[await alice.PostAsync("sandboxes", body), await alice.PatchAsync($"sandboxes/{own}", body), await alice.PostAsync($"sandboxes/{own}/fork", body)])
                Assert.Equal((value, 422, true), (value, answer.Status, answer.Json.GetProperty("details").TryGetProperty("external_user_id", out _)));
        }
        Assert.Equal("alice", (await alice.PatchAsync($"sandboxes/{own}", """{"name":"renamed-by-alice"}""")).Expect(200).Text("external_user_id"));
        Assert.Equal("alice", (await alice.PostAsync($"sandboxes/{own}/fork", "{}")).Expect(201).Text("external_user_id"));
    }

    [Fact]
    public async Task It_reaches_nothing_else_of_the_tenant_and_no_snapshot_of_another_user()
    {
        var bobs = await Api.CreateAsync("""{"memory_mb":256,"external_user_id":"bob"}""");
        var snapshot = (await Api.PostAsync($"sandboxes/{bobs}/snapshots", "{}")).Expect(201).Text("id");
        using var alice = await KeyAsync("alice");
        var own = (await alice.PostAsync("sandboxes", """{"memory_mb":256}""")).Expect(201).Text("id");
        Assert.Equal(404, (await alice.PostAsync($"sandboxes/{own}/fork", $$"""{"snapshot_id":"{{snapshot}}"}""")).Status);
        Assert.Equal(404, (await alice.PostAsync($"sandboxes/{own}/restore/{snapshot}", "{}")).Status);
        // The snapshots of a sandbox that is gone are found under its id.
        (await Api.DeleteAsync($"sandboxes/{bobs}")).Expect(200);
        Assert.Equal(404, (await alice.GetAsync($"sandboxes/{bobs}/snapshots")).Status);
        foreach (var path in (string[])["api-keys", "audit-log", "sandbox-templates", $"snapshots/{snapshot}"])
            Assert.Equal((path, 403), (path, (await alice.GetAsync(path)).Status));
        Assert.Equal(403, (await alice.PostAsync("api-keys", """{"name":"x"}""")).Status);
        Assert.Equal(403, (await alice.PostAsync("tokens/scoped", """{"user_id":"bob","workspace_id":"w"}""")).Status);
    }

    [Fact]
    public async Task The_stored_answers_of_one_user_are_not_those_of_another()
    {
        using var alice = await KeyAsync("alice");
        using var bob = await KeyAsync("bob");
        var once = Guid.NewGuid().ToString();
        var first = (await alice.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", once))).Expect(201);
        var other = (await bob.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", once))).Expect(201);
        Assert.NotEqual(first.Text("id"), other.Text("id"));
        Assert.Equal("bob", other.Text("external_user_id"));
    }

    [Theory]
    [InlineData("a/b?c#d e")]
    [InlineData("Zwölf-✓-用户")]
    [InlineData("' OR 1=1 --")]
    public async Task External_names_are_just_text(string user)
    {
        using var api = await KeyAsync(user);
        var made = (await api.PostAsync("sandboxes", """{"memory_mb":256}""")).Expect(201);
        Assert.Equal(user, made.Text("external_user_id"));
        Assert.Equal([made.Text("id")], await IdsAsync(api, ""));
    }

    [Theory]
    [InlineData("""{"scopes":["sandboxes:read"]}""", "external_user_id")]
    [InlineData("""{"external_user_id":"u"}""", "scopes")]
    [InlineData("""{"external_user_id":"u","scopes":[]}""", "scopes")]
    [InlineData("""{"external_user_id":"u","scopes":["fly"]}""", "scopes")]
    public async Task Faulty_fields_are_422(string body, string field)
    {
        var answer = await Api.PostAsync("api-keys/scoped", body);
        Assert.Equal((422, field), (answer.Status, Assert.Single(answer.Json.GetProperty("details").EnumerateObject()).Name));
        var long_ = await Api.PostAsync("api-keys/scoped", $$"""{"external_user_id":"{{new string('u', 10_240)}}","scopes":["*"]}""");
        Assert.Equal(422, long_.Status);
    }

    private async Task<Api> KeyAsync(string user)
    {
        var key = (await Api.PostAsync("api-keys/scoped", System.Text.Json.JsonSerializer.Serialize(new { external_user_id = user, scopes = new[] { "*" } }))).Expect(201);
        Assert.StartsWith("msk_l2_", key.Text("token"), StringComparison.Ordinal);
        Assert.Equal(user, key.Text("external_user_id"));
        return tenant.Platform.Api(key.Text("token"));
    }

    private static async Task<List<string?>> IdsAsync(Api api, string query) =>
        [.. (await api.GetAsync("sandboxes?" + query)).Expect(200).Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("id").GetString())];
}
