using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Webhooks as their owner sees them: create, list, change, sign, test, replay.</summary>
public sealed class WebhookTests(Tenant tenant) : IClassFixture<Tenant>, IAsyncLifetime
{
    private Receiver? receiver;

    private Api Api => tenant.Api;

    private Receiver Target => receiver ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => receiver = await Receiver.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Hooks.ClearAsync(Api);
        await Target.DisposeAsync();
    }

    [Fact]
    public async Task The_secret_is_shown_at_creation_and_never_again()
    {
        var made = (await Api.PostAsync("webhooks", $$$"""{"url":"{{{Target.Url}}}","events":["sandbox.created","sandbox.ready"],"name":"mine","metadata":{"a":1},"headers":{"X-Env":"prod"}}""")).Expect(201);
        var (id, secret) = (made.Text("id"), made.Text("secret"));
        Assert.Matches("^whsec_[0-9a-f]{32}$", secret);
        Assert.Equal(secret, made.Json.GetProperty("data").GetProperty("secret").GetString());
        foreach (var answer in (Answer[])[await Api.GetAsync($"webhooks/{id}"), await Api.GetAsync("webhooks"), await Api.PatchAsync($"webhooks/{id}", """{"name":"other"}""")])
            Assert.DoesNotContain(secret, answer.Expect(200).Body, StringComparison.Ordinal);
        var got = (await Api.GetAsync($"webhooks/{id}")).Json;
        Assert.Equal(("other", "active", true, true, 10, 0), (got.GetProperty("name").GetString(), got.GetProperty("state").GetString(), got.GetProperty("active").GetBoolean(),
            got.GetProperty("enabled").GetBoolean(), got.GetProperty("retry_count").GetInt32(), got.GetProperty("failure_count").GetInt32()));
        Assert.Equal("whsec_****" + secret[^4..], got.GetProperty("secret_preview").GetString());
        Assert.Equal(["sandbox.created", "sandbox.ready"], got.GetProperty("events").EnumerateArray().Select(e => e.GetString()));
        Assert.Equal(("prod", 1), (got.GetProperty("headers").GetProperty("X-Env").GetString(), got.GetProperty("metadata").GetProperty("a").GetInt32()));
        Assert.Equal(tenant.Id, got.GetProperty("tenant_id").GetString());
    }

    [Fact]
    public async Task A_repeated_create_with_the_same_key_is_one_webhook_and_shows_the_secret_again()
    {
        var body = $$"""{"url":"{{Target.Url}}"}""";
        var first = (await Api.PostAsync("webhooks", body, ("Idempotency-Key", "same-hook"))).Expect(201);
        var second = (await Api.PostAsync("webhooks", body, ("Idempotency-Key", "same-hook"))).Expect(201);
        Assert.Equal((first.Text("id"), first.Text("secret")), (second.Text("id"), second.Text("secret")));
        Assert.Equal(1, (await Api.GetAsync("webhooks")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_delivery_is_signed_in_every_documented_form()
    {
        var (id, secret) = await Hooks.CreateAsync(Api, Target.Url, """,{"headers":{"X-Env":"prod"}}""");
        var sandbox = await Api.CreateAsync("""{"external_user_id":"usr_1","metadata":{"html":"<b>'é'</b>"}}""");
        var got = (await Target.CountAsync(4)).First(r => r.Event == "sandbox.ready");
        var hex = Received.Hmac(secret, got.Body);
        Assert.Equal("sha256=" + hex, got.Headers["X-Miosa-Signature"]);
        Assert.Equal(hex, got.Headers["X-Miosa-Signature-Hex"]);
        var timed = got.Headers["Miosa-Signature"].Split(',');
        Assert.Equal(2, timed.Length);
        Assert.InRange(long.Parse(timed[0]["t=".Length..], CultureInfo.InvariantCulture), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 5);
        Assert.Equal("v1=" + Received.Hmac(secret, [.. Encoding.UTF8.GetBytes(timed[0]["t=".Length..] + "."), .. got.Body]), timed[1]);
        Assert.False(got.Headers.ContainsKey("X-Miosa-Signature-Previous"));
        Assert.Equal("application/json", got.Headers["Content-Type"]);
        Assert.StartsWith("miosa-webhooks/", got.Headers["User-Agent"], StringComparison.Ordinal);
        Assert.Equal("prod", got.Headers["X-Env"]);
        Assert.DoesNotContain("traceparent", got.Headers.Keys, StringComparer.OrdinalIgnoreCase);

        Assert.Equal((got.Delivery, got.Delivery, "sandbox.ready", "sandbox.ready", tenant.Id), (got.Text("id"), got.Text("delivery_id"), got.Text("event"), got.Text("type"), got.Text("tenant_id")));
        Assert.Equal((got.Text("created_at"), got.Text("created_at")), (got.Text("occurred_at"), got.Text("timestamp")));
        var data = got.Json.GetProperty("data");
        Assert.Equal((sandbox, "running", "usr_1", "<b>'é'</b>"), (data.GetProperty("id").GetString(), data.GetProperty("state").GetString(),
            data.GetProperty("external_user_id").GetString(), data.GetProperty("metadata").GetProperty("html").GetString()));
        // The same event everywhere: its stream tells the same.
        using var stream = await Api.EventsAsync($"sandboxes/{sandbox}/events?types=sandbox.ready");
        var told = await stream.NextAsync();
        Assert.Equal(got.EventId, told?.Id);
        Assert.Equal(data.ToString(), told?.Json.GetProperty("data").ToString());
        Assert.Equal(id, (await Api.GetAsync($"webhooks/{id}/deliveries")).Json.GetProperty("data")[0].GetProperty("webhook_id").GetString());
    }

    [Fact]
    public async Task Names_globs_and_second_names_choose_what_is_sent_and_unknown_names_never_fire()
    {
        await using var aliased = await Receiver.StartAsync();
        await using var globbed = await Receiver.StartAsync();
        await using var never = await Receiver.StartAsync();
        await using var all = await Receiver.StartAsync();
        await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.created","sandbox.destroyed"]}""");
        await Hooks.CreateAsync(Api, aliased.Url, """,{"events":["sandbox.running"]}""");
        await Hooks.CreateAsync(Api, globbed.Url, """,{"events":["sandbox.*","sandbox.running"]}""");
        await Hooks.CreateAsync(Api, never.Url, """,{"events":["deployment.finished","sandbox","Sandbox.created","andbox.created"]}""");
        await Hooks.CreateAsync(Api, all.Url, """,{"events":[]}""");
        var sandbox = await Api.CreateAsync();
        (await Api.DeleteAsync($"sandboxes/{sandbox}")).Expect(200);
        Assert.Equal(["sandbox.created", "build.started", "build.completed", "sandbox.ready", "sandbox.destroyed"], (await all.CountAsync(5)).Select(r => r.Event));
        Assert.Equal(["sandbox.created", "sandbox.ready", "sandbox.destroyed"], (await globbed.CountAsync(3)).Select(r => r.Event));
        Assert.Equal(["sandbox.created", "sandbox.destroyed"], (await Target.CountAsync(2)).Select(r => r.Event));
        var other = Assert.Single(await aliased.CountAsync(1));
        Assert.Equal(("sandbox.running", "sandbox.running"), (other.Event, other.Text("type")));
        Assert.Equal(all.All[3].EventId, other.EventId);
        Assert.Empty(never.All);
    }

    [Fact]
    public async Task A_test_takes_the_road_of_a_delivery_and_tells_how_it_ended()
    {
        var (id, secret) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.error"],"active":false}""");
        var answer = (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        var got = Assert.Single(Target.All);
        Assert.Equal(("webhook.test", "{}"), (got.Event, got.Json.GetProperty("data").ToString()));
        Assert.Equal("sha256=" + Received.Hmac(secret, got.Body), got.Headers["X-Miosa-Signature"]);
        Assert.Equal((got.Delivery, "delivered", "success", 204, 1), (answer.Text("id"), answer.Text("state"), answer.Text("status"),
            answer.Json.GetProperty("status_code").GetInt32(), answer.Json.GetProperty("attempts").GetInt32()));
        Assert.True(answer.Json.GetProperty("delivered").GetBoolean());

        Target.Answer = async (context, _) =>
        {
            context.Response.StatusCode = 500;
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, new string('é', 5000));
        };
        answer = (await Api.PostAsync($"webhooks/{id}/test", "{}")).Expect(200);
        Assert.Equal(("failed", "failed", 500), (answer.Text("state"), answer.Text("status"), answer.Json.GetProperty("status_code").GetInt32()));
        Assert.False(answer.Json.GetProperty("success").GetBoolean());
        Assert.InRange(answer.Text("response_body").Length, 2000, 4096);
        Assert.Equal("the endpoint answered 500", answer.Text("error"));
        // A test is one attempt, and says nothing about the webhook's health.
        Assert.Equal(0, (await Api.GetAsync($"webhooks/{id}")).Json.GetProperty("failure_count").GetInt32());
        Assert.Equal(500, (await Api.GetAsync($"webhooks/{id}")).Json.GetProperty("last_status_code").GetInt32());
        Assert.Equal(2, (await Api.GetAsync($"webhooks/{id}/deliveries")).Json.GetProperty("total").GetInt32());
        Assert.Equal(2, Target.All.Count);
    }

    [Fact]
    public async Task After_a_rotation_both_secrets_sign_until_the_overlap_is_over()
    {
        var (id, old) = await Hooks.CreateAsync(Api, Target.Url);
        var rotated = (await Api.PostAsync($"webhooks/{id}/rotate-secret", """{"overlap_seconds":3600}""")).Expect(200);
        var secret = rotated.Text("secret");
        Assert.NotEqual(old, secret);
        Assert.NotEqual("null", rotated.Json.GetProperty("previous_secret_expires_at").GetRawText());
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        var got = Target.All[^1];
        Assert.Equal("sha256=" + Received.Hmac(secret, got.Body), got.Headers["X-Miosa-Signature"]);
        Assert.Equal("sha256=" + Received.Hmac(old, got.Body), got.Headers["X-Miosa-Signature-Previous"]);
        var timed = got.Headers["Miosa-Signature"].Split(',');
        byte[] signed = [.. Encoding.UTF8.GetBytes(timed[0]["t=".Length..] + "."), .. got.Body];
        Assert.Equal(["v1=" + Received.Hmac(secret, signed), "v1=" + Received.Hmac(old, signed)], timed[1..]);

        // The caller's own secret, by a change; and one that replaces all others at once.
        const string own = "a-secret-of-my-own-choice";
        Assert.DoesNotContain(own, (await Api.PatchAsync($"webhooks/{id}", $$"""{"secret":"{{own}}"}""")).Expect(200).Body, StringComparison.Ordinal);
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal("sha256=" + Received.Hmac(own, Target.All[^1].Body), Target.All[^1].Headers["X-Miosa-Signature"]);
        Assert.Equal("sha256=" + Received.Hmac(secret, Target.All[^1].Body), Target.All[^1].Headers["X-Miosa-Signature-Previous"]);
        var last = (await Api.PostAsync($"webhooks/{id}/rotate-secret", """{"overlap_seconds":0}""")).Expect(200).Text("secret");
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal("sha256=" + Received.Hmac(last, Target.All[^1].Body), Target.All[^1].Headers["X-Miosa-Signature"]);
        Assert.False(Target.All[^1].Headers.ContainsKey("X-Miosa-Signature-Previous"));
        // Deliveries that come by themselves are signed with it, too.
        await Api.CreateAsync();
        Assert.Equal("sha256=" + Received.Hmac(last, (await Target.CountAsync(7))[^1].Body), Target.All[^1].Headers["X-Miosa-Signature"]);
    }

    [Fact]
    public async Task Changes_at_the_same_time_keep_each_others_fields()
    {
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url);
        var changes = Enumerable.Range(0, 10).SelectMany(i => (string[])[$$"""{"name":"n{{i}}"}""", $$"""{"description":"d{{i}}"}""", $$"""{"retry_count":{{i}}}""", """{"events":["sandbox.error"]}"""]);
        var answers = await Task.WhenAll(changes.Select(body => Api.PatchAsync($"webhooks/{id}", body)));
        Assert.All(answers, answer => answer.Expect(200));
        var got = (await Api.GetAsync($"webhooks/{id}")).Json;
        Assert.StartsWith("n", got.GetProperty("name").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("d", got.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Equal("sandbox.error", got.GetProperty("events")[0].GetString());
        // A null clears what can be empty.
        Assert.Equal(JsonValueKind.Null, (await Api.PatchAsync($"webhooks/{id}", """{"name":null}""")).Expect(200).Json.GetProperty("name").ValueKind);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9/x")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:a9fe:a9fe]/")]
    [InlineData("http://[64:ff9b::7f00:1]/")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://[fd00::1]/")]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://10.0.0.1/")]
    [InlineData("http://192.168.1.1/")]
    [InlineData("http://172.16.0.1/")]
    [InlineData("http://100.64.0.1/")]
    [InlineData("http://0.0.0.0/")]
    [InlineData("http://224.0.0.1/")]
    [InlineData("http://255.255.255.255/")]
    [InlineData("http://localhost:80/")]
    [InlineData("http://localhost./")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://0x7f.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://user:pass@example.com/")]
    [InlineData("http://127.77.0.1@example.com/")]
    [InlineData("ftp://example.com/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.com/")]
    [InlineData("javascript:alert(1)")]
    [InlineData("//example.com/")]
    [InlineData("example.com/hook")]
    [InlineData("http://")]
    [InlineData("http://example.com:0/")]
    [InlineData("http://example.com:99999/")]
    [InlineData("")]
    public async Task An_address_that_may_not_be_used_is_422_at_creation_and_at_a_change(string url)
    {
        var body = new JsonObject { ["url"] = url }.ToJsonString();
        var answer = await Api.PostAsync("webhooks", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.True(answer.Json.GetProperty("details").TryGetProperty("url", out _), answer.Body);
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url);
        Assert.Equal(422, (await Api.PatchAsync($"webhooks/{id}", body)).Status);
        Assert.Equal(Target.Url, (await Api.GetAsync($"webhooks/{id}")).Text("url"));
        Assert.Equal(1, (await Api.GetAsync("webhooks")).Json.GetProperty("total").GetInt32());
    }

    [Theory]
    [InlineData("url", "{}")]
    [InlineData("url", """{"url":17}""")]
    [InlineData("events", """{"events":"sandbox.created"}""")]
    [InlineData("events", """{"events":[17]}""")]
    [InlineData("events", """{"events":[""]}""")]
    [InlineData("events", """{"events":["sandbox created"]}""")]
    [InlineData("secret", """{"secret":"short"}""")]
    [InlineData("secret", """{"secret":"with blanks in it, and long"}""")]
    [InlineData("secret", """{"secret":"überlang-genug-aber-nicht-ascii"}""")]
    [InlineData("headers", """{"headers":{"X-Miosa-Signature":"mine"}}""")]
    [InlineData("headers", """{"headers":{"Host":"internal"}}""")]
    [InlineData("headers", """{"headers":{"content-length":"3"}}""")]
    [InlineData("headers", """{"headers":{"A":"1","a":"2"}}""")]
    [InlineData("headers", """{"headers":{"X-Split":"a\r\nX-Other: b"}}""")]
    [InlineData("headers", """{"headers":{"bad name":"x"}}""")]
    [InlineData("retry_count", """{"retry_count":11}""")]
    [InlineData("retry_count", """{"retry_count":-1}""")]
    [InlineData("state", """{"state":"failed"}""")]
    [InlineData("active", """{"active":"yes"}""")]
    [InlineData("metadata", """{"metadata":[]}""")]
    public async Task A_faulty_field_is_422_and_is_named(string field, string body)
    {
        var json = (JsonObject)JsonNode.Parse(body)!;
        if (field != "url")
            json["url"] = Target.Url;
        var answer = await Api.PostAsync("webhooks", json.ToJsonString());
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Empty((await Api.GetAsync("webhooks")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task What_is_too_long_or_too_many_is_422()
    {
        foreach (var (field, value) in ((string, JsonNode)[])[
            ("url", Target.Url + "/" + new string('x', 10_000)),
            ("name", new string('x', 256)),
            ("metadata", new JsonObject { ["x"] = new string('x', 20_000) }),
            ("events", new JsonArray([.. Enumerable.Range(0, 101).Select(i => (JsonNode)$"a{i}")])),
            ("events", new JsonArray(new string('x', 101))),
            ("headers", new JsonObject([.. Enumerable.Range(0, 21).Select(i => KeyValuePair.Create($"X-{i}", (JsonNode?)"x"))])),
            ("headers", new JsonObject { ["X-Long"] = new string('x', 9000) })])
        {
            var answer = await Api.PostAsync("webhooks", new JsonObject { ["url"] = Target.Url, [field] = value }.ToJsonString());
            Assert.Equal((field, 422), (field, answer.Status));
            Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        }
    }

    [Fact]
    public async Task The_list_has_pages_cursors_and_a_filter()
    {
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Insert(0, (await Hooks.CreateAsync(Api, Target.Url, i % 2 == 0 ? "" : """,{"active":false}""")).Id);
        Assert.Equal(ids, Ids(await Api.GetAsync("webhooks")));
        Assert.Equal(ids[2..4], Ids(await Api.GetAsync("webhooks?page=2&per_page=2")));
        var first = await Api.GetAsync("webhooks?limit=2");
        Assert.Equal((ids[1], true), (first.Text("next_cursor"), first.Json.GetProperty("has_next").GetBoolean()));
        Assert.Equal(ids[2..4], Ids(await Api.GetAsync($"webhooks?limit=2&cursor={ids[1]}")));
        Assert.Equal(3, Ids(await Api.GetAsync("webhooks?active=true")).Count);
        Assert.Equal(2, Ids(await Api.GetAsync("webhooks?active=false")).Count);
        foreach (var query in (string[])["active=maybe", "page=0", "per_page=101", "limit=0", "limit=1000000000"])
            Assert.Equal((query, 422), (query, (await Api.GetAsync("webhooks?" + query)).Status));

        static List<string> Ids(Answer answer) => [.. answer.Expect(200).Json.GetProperty("data").EnumerateArray().Select(w => w.GetProperty("id").GetString() ?? "")];
    }

    [Fact]
    public async Task A_tenant_has_only_so_many_webhooks_however_many_it_asks_for_at_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => Api.PostAsync("webhooks", $$"""{"url":"{{Target.Url}}"}""")));
        Assert.Equal(12, answers.Count(a => a.Status == 201));
        var refused = answers.First(a => a.Status != 201);
        Assert.Equal((403, "QUOTA_EXCEEDED", 12, 12), (refused.Status, refused.Code, refused.Json.GetProperty("details").GetProperty("limit").GetInt32(), refused.Json.GetProperty("details").GetProperty("current").GetInt32()));
    }

    [Fact]
    public async Task Another_tenants_webhook_is_404_and_scopes_are_kept()
    {
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url);
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        var delivery = (await Api.GetAsync($"webhooks/{id}/deliveries")).Json.GetProperty("data")[0].GetProperty("id").GetString();
        using var other = await tenant.Platform.NewApiAsync();
        foreach (var (method, path) in ((HttpMethod, string)[])[
            (HttpMethod.Get, ""), (HttpMethod.Patch, ""), (HttpMethod.Delete, ""), (HttpMethod.Post, "/test"), (HttpMethod.Post, "/rotate-secret"),
            (HttpMethod.Get, "/deliveries"), (HttpMethod.Post, $"/deliveries/{delivery}/replay")])
            Assert.Equal((path, 404), (path, (await other.SendAsync(method, $"webhooks/{id}{path}", method == HttpMethod.Get ? null : "{}")).Status));
        Assert.Empty((await other.GetAsync("webhooks")).Json.GetProperty("data").EnumerateArray());
        Assert.Equal(404, (await Api.GetAsync("webhooks/nonsense")).Status);

        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["webhooks:read"]));
        (await reader.GetAsync($"webhooks/{id}")).Expect(200);
        Assert.Equal(403, (await reader.DeleteAsync($"webhooks/{id}")).Status);
        Assert.Equal(403, (await reader.PostAsync($"webhooks/{id}/test")).Status);
        using var stranger = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["sandboxes:write"]));
        Assert.Equal((403, "insufficient_scope"), ((await stranger.GetAsync("webhooks")).Status, (await stranger.GetAsync("webhooks")).Code));
    }

    [Fact]
    public async Task The_catalogue_tells_names_and_signatures()
    {
        var catalogue = (await Api.GetAsync("webhooks/events")).Expect(200).Json;
        var names = catalogue.GetProperty("events").EnumerateArray().Select(e => e.GetString()).ToList();
        foreach (var name in (string[])["sandbox.created", "sandbox.ready", "sandbox.destroyed", "sandbox.error", "sandbox.running", "computer.started", "computer.stopped", "computer.error", "webhook.failed"])
            Assert.Contains(name, names);
        Assert.Contains("sandbox.created", catalogue.GetProperty("data").GetProperty("sandboxes").EnumerateArray().Select(e => e.GetString()));
        Assert.Equal(("x-miosa-signature", "hmac-sha256", "sha256=<hex>"), (catalogue.GetProperty("signing").GetProperty("header").GetString(),
            catalogue.GetProperty("signing").GetProperty("algorithm").GetString(), catalogue.GetProperty("signing").GetProperty("format").GetString()));
        Assert.Contains("x-miosa-delivery", catalogue.GetProperty("delivery_headers").EnumerateArray().Select(e => e.GetString()));
    }
}
