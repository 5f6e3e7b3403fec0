using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>API keys: what is made, what it may do, and what it is never given.</summary>
public sealed class KeyTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_key_is_shown_once_works_at_once_and_is_listed_without_its_secret()
    {
        var made = (await Api.PostAsync("api-keys", """{"name":"ci-runner","scopes":["computers:read","sandboxes:read"],"metadata":{"team":"a"},"rate_limit_rpm":500}""")).Expect(201);
        var secret = made.Text("token");
        Assert.Equal((secret, secret), (made.Text("key"), made.Json.GetProperty("data").GetProperty("token").GetString()));
        Assert.StartsWith("msk_live_", secret, StringComparison.Ordinal);
        Assert.StartsWith(made.Text("prefix"), secret, StringComparison.Ordinal);
        Assert.Equal("no-store", made.Headers.CacheControl?.ToString());
        using var api = tenant.Platform.Api(secret);
        (await api.GetAsync("sandboxes")).Expect(200);

        var found = (await Api.GetAsync("api-keys/" + made.Text("id"))).Expect(200);
        Assert.DoesNotContain(secret, found.Body);
        Assert.False(found.Json.TryGetProperty("token", out _));
        Assert.Equal(("ci-runner", "user", "active", 500), (found.Text("name"), found.Text("key_type"), found.Text("status"), found.Json.GetProperty("rate_limit_rpm").GetInt32()));
        Assert.Equal("""["computers:read","sandboxes:read"]""", found.Json.GetProperty("scopes").GetRawText());
        Assert.Equal("""{"team":"a"}""", found.Json.GetProperty("metadata").GetRawText());
        var list = (await Api.GetAsync("api-keys")).Expect(200);
        Assert.DoesNotContain(secret, list.Body);
        Assert.Contains(made.Text("id"), list.Body);
    }

    [Fact]
    public async Task A_repeat_with_the_same_idempotency_key_shows_the_same_secret_and_makes_no_second_key()
    {
        var once = Guid.NewGuid().ToString();
        var first = (await Api.PostAsync("api-keys", """{"name":"repeated"}""", ("Idempotency-Key", once))).Expect(201);
        var again = (await Api.PostAsync("api-keys", """{"name":"repeated"}""", ("Idempotency-Key", once))).Expect(201);
        Assert.Equal(first.Body, again.Body);
        Assert.Single(await NamesAsync(Api, "per_page=100"), name => name == "repeated");
    }

    [Fact]
    public async Task A_key_without_scopes_may_do_what_its_maker_may_and_writing_includes_reading()
    {
        using var writer = await MadeAsync("""{"name":"w","scopes":["api_keys:write","sandboxes:write"]}""");
        var child = (await writer.PostAsync("api-keys", """{"name":"child"}""")).Expect(201);
        Assert.Equal(
            ["api_keys:read", "api_keys:write", "sandboxes:create", "sandboxes:exec", "sandboxes:read", "sandboxes:write"],
            child.Json.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()));
        using var api = tenant.Platform.Api(child.Text("token"));
        (await api.GetAsync("sandboxes")).Expect(200);
        (await api.GetAsync("api-keys")).Expect(200);
        Assert.Equal("""["*"]""", (await Api.PostAsync("api-keys", """{"name":"full"}""")).Expect(201).Json.GetProperty("scopes").GetRawText());
    }

    [Fact]
    public async Task A_key_of_commands_alone_runs_them_and_may_do_nothing_else_of_writing()
    {
        var id = await Api.CreateAsync("""{"memory_mb":256}""");
        using var runner = await MadeAsync("""{"name":"r","scopes":["sandboxes:exec"]}""");
        Assert.Equal("hi\n", await runner.RunAsync(id, "echo hi"));
        Assert.Equal(403, (await runner.GetAsync($"sandboxes/{id}")).Status);
        Assert.Equal(403, (await runner.DeleteAsync($"sandboxes/{id}")).Status);
        Assert.Equal(403, (await runner.PostAsync("sandboxes", "{}")).Status);
        using var maker = await MadeAsync("""{"name":"m","scopes":["sandboxes:create"]}""");
        var made = (await maker.PostAsync("sandboxes", """{"memory_mb":256}""")).Expect(201).Text("id");
        Assert.Equal(403, (await maker.PostAsync($"sandboxes/{made}/exec", """{"command":"true"}""")).Status);
    }

    [Theory]
    [InlineData("""{"name":"never","scopes":["*"]}""", "computers:write")]
    [InlineData("""{"name":"never","scopes":["admin"]}""", "computers:write")]
    [InlineData("""{"name":"never","scopes":["sandboxes:write"]}""", "sandboxes:write")]
    [InlineData("""{"name":"never","scopes":["sandboxes:read","audit:read"]}""", "audit:read")]
    [InlineData("""{"name":"never","key_type":"admin"}""", "admin")]
    [InlineData("""{"name":"never","key_type":"platform"}""", "platform")]
    public async Task No_key_gives_what_it_does_not_have(string body, string named)
    {
        using var maker = await MadeAsync("""{"name":"small","scopes":["api_keys:write","sandboxes:read"]}""");
        var answer = await maker.PostAsync("api-keys", body);
        Assert.Equal((403, "insufficient_scope"), (answer.Status, answer.Code));
        Assert.Contains(named, answer.Text("message"));
        var scoped = await maker.PostAsync("api-keys/scoped", """{"external_user_id":"u","scopes":["sandboxes:exec"]}""");
        Assert.Equal((403, "insufficient_scope"), (scoped.Status, scoped.Code));
        var workspace = (await Api.PostAsync("workspaces", """{"name":"w"}""")).Expect(201).Text("id");
        var token = await maker.PostAsync("tokens/scoped", $$"""{"user_id":"u","workspace_id":"{{workspace}}","scopes":["sandboxes:exec"]}""");
        Assert.Equal((403, "insufficient_scope"), (token.Status, token.Code));
        Assert.DoesNotContain("\"name\":\"never\"", (await Api.GetAsync("api-keys?per_page=100")).Body);
    }

    [Fact]
    public async Task No_key_outlives_its_maker_or_may_call_more_often_than_it()
    {
        var end = DateTimeOffset.UtcNow.AddHours(1);
        using var maker = await MadeAsync($$"""{"name":"short","expires_at":"{{end:yyyy-MM-dd'T'HH:mm:ss'Z'}}","rate_limit_rpm":100}""");
        var child = (await maker.PostAsync("api-keys", """{"name":"child"}""")).Expect(201);
        Assert.Equal((end.ToString("yyyy-MM-dd'T'HH:mm:ss'.000Z'"), 100), (child.Text("expires_at"), child.Json.GetProperty("rate_limit_rpm").GetInt32()));
        var late = await maker.PostAsync("api-keys", $$"""{"name":"late","expires_at":"{{end.AddSeconds(1):yyyy-MM-dd'T'HH:mm:ss'Z'}}"}""");
        Assert.Equal((422, true), (late.Status, late.Json.GetProperty("details").TryGetProperty("expires_at", out _)));
        var fast = await maker.PostAsync("api-keys", """{"name":"fast","rate_limit_rpm":101}""");
        Assert.Equal((422, true), (fast.Status, fast.Json.GetProperty("details").TryGetProperty("rate_limit_rpm", out _)));
    }

    [Theory]
    [InlineData("{}", "name")]
    [InlineData("""{"name":""}""", "name")]
    [InlineData("""{"name":7}""", "name")]
    [InlineData("""{"name":"x","scopes":["sandboxes:fly","admin:everything"]}""", "scopes")]
    [InlineData("""{"name":"x","scopes":["platform"]}""", "scopes")]
    [InlineData("""{"name":"x","scopes":"sandboxes:read"}""", "scopes")]
    [InlineData("""{"name":"x","expires_at":"2020-01-01T00:00:00Z"}""", "expires_at")]
    [InlineData("""{"name":"x","expires_at":"tomorrow"}""", "expires_at")]
    [InlineData("""{"name":"x","key_type":"root"}""", "key_type")]
    [InlineData("""{"name":"x","purpose":"other"}""", "purpose")]
    [InlineData("""{"name":"x","rate_limit_rpm":0}""", "rate_limit_rpm")]
    [InlineData("""{"name":"x","rate_limit_rpm":1000000000}""", "rate_limit_rpm")]
    [InlineData("""{"name":"x","metadata":[]}""", "metadata")]
    public async Task Faulty_fields_are_422_and_name_the_field(string body, string field)
    {
        var answer = await Api.PostAsync("api-keys", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.Equal(field, Assert.Single(answer.Json.GetProperty("details").EnumerateObject()).Name);
    }

    [Fact]
    public async Task Unknown_scopes_are_named_and_scopes_of_other_products_are_taken_and_open_nothing()
    {
        Assert.Contains("\"sandboxes:fly\"", (await Api.PostAsync("api-keys", """{"name":"x","scopes":["sandboxes:fly"]}""")).Text("message"));
        using var foreign = await MadeAsync("""{"name":"x","scopes":["deployments:write","data:write"]}""");
        Assert.Equal(403, (await foreign.GetAsync("sandboxes")).Status);
    }

    [Fact]
    public async Task Names_and_metadata_of_ten_kilobytes_are_refused_and_large_bodies_are_413()
    {
        var name = await Api.PostAsync("api-keys", JsonSerializer.Serialize(new { name = new string('n', 10_240) }));
        Assert.Equal((422, true), (name.Status, name.Json.GetProperty("details").TryGetProperty("name", out _)));
        var metadata = await Api.PostAsync("api-keys", JsonSerializer.Serialize(new { name = "x", metadata = new { a = new string('m', 17_000) } }));
        Assert.Equal((422, true), (metadata.Status, metadata.Json.GetProperty("details").TryGetProperty("metadata", out _)));
        var body = await Api.PostAsync("api-keys", JsonSerializer.Serialize(new { name = new string('n', 2 * 1024 * 1024) }));
        Assert.Equal((413, "FILE_TOO_LARGE"), (body.Status, body.Code));
        Assert.True(body.Headers.Contains("X-Request-ID") && body.Headers.Contains("X-RateLimit-Limit"));
    }

    [Fact]
    public async Task The_list_has_pages_and_a_cursor()
    {
        using var api = await tenant.Platform.NewApiAsync();
        for (var i = 1; i < 5; i++)
            (await api.PostAsync("api-keys", $$"""{"name":"k{{i}}"}""")).Expect(201);
        Assert.Equal(["k4", "k3", "k2", "k1", "test"], await NamesAsync(api, ""));
        Assert.Equal(["k2", "k1"], await NamesAsync(api, "page=2&per_page=2"));
        var page = (await api.GetAsync("api-keys?limit=2")).Expect(200).Json;
        Assert.Equal((5, true), (page.GetProperty("total").GetInt32(), page.GetProperty("has_next").GetBoolean()));
        Assert.Equal(["k2", "k1"], await NamesAsync(api, "limit=2&cursor=" + page.GetProperty("next_cursor").GetString()));
        var last = (await api.GetAsync("api-keys?page=3&per_page=2")).Expect(200).Json;
        Assert.Equal((false, JsonValueKind.Null), (last.GetProperty("has_next").GetBoolean(), last.GetProperty("next_cursor").ValueKind));
        foreach (var faulty in (string[])["page=0", "per_page=1000000000", "per_page=0", "limit=x", "page=-1"])
            Assert.Equal((faulty, 422), (faulty, (await api.GetAsync("api-keys?" + faulty)).Status));
    }

    [Fact]
    public async Task The_keys_of_another_tenant_do_not_exist()
    {
        using var other = await tenant.Platform.NewApiAsync();
        var id = (await Api.PostAsync("api-keys", """{"name":"mine"}""")).Expect(201).Text("id");
        Assert.Equal(404, (await other.GetAsync("api-keys/" + id)).Status);
        Assert.Equal(404, (await other.DeleteAsync("api-keys/" + id)).Status);
        Assert.Equal(["test"], await NamesAsync(other, ""));
        Assert.Equal("active", (await Api.GetAsync("api-keys/" + id)).Text("status"));
        foreach (var nonsense in (string[])["api-keys/nonsense", "api-keys/" + new string('k', 10_000)])
            Assert.Equal((nonsense, 404), (nonsense, (await Api.GetAsync(nonsense)).Status));
    }

    [Fact]
    public async Task The_time_of_last_use_is_written_down()
    {
        var made = (await Api.PostAsync("api-keys", """{"name":"used"}""")).Expect(201);
        Assert.Equal(JsonValueKind.Null, (await Api.GetAsync("api-keys/" + made.Text("id"))).Json.GetProperty("last_used_at").ValueKind);
        using var api = tenant.Platform.Api(made.Text("token"));
        (await api.GetAsync("sandboxes")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("the time of last use is told", async () =>
            (await Api.GetAsync("api-keys/" + made.Text("id"))).Json.GetProperty("last_used_at").ValueKind == JsonValueKind.String);
    }

    private async Task<Api> MadeAsync(string body) => tenant.Platform.Api((await Api.PostAsync("api-keys", body)).Expect(201).Text("token"));

    private static async Task<List<string?>> NamesAsync(Api api, string query) =>
        [.. (await api.GetAsync("api-keys?" + query)).Expect(200).Json.GetProperty("data").EnumerateArray().Select(k => k.GetProperty("name").GetString())];
}
