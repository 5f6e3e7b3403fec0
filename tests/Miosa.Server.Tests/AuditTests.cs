using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Miosa.Platform;
using Miosa.Server.Audit;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>The audit log: one entry for each call that changes something, and how it is read.</summary>
public sealed class AuditTests(ServerPlatform shared)
{
    private Miosa.Platform.Platform Platform => shared.Platform;

    [Fact]
    public async Task Every_change_leaves_one_entry_that_tells_who_what_when_and_how_it_ended()
    {
        var tenant = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"));
        using var api = Platform.Api(await Platform.NewKeyAsync(tenant));
        var created = await api.PostAsync("sandboxes", """{"memory_mb":256,"external_user_id":"usr_123","external_project_id":"prj","external_workspace_id":"wsp"}""", ("User-Agent", "my-agent/1.0"));
        var id = created.Expect(201).Text("id");
        // It is there before the answer is.
        var entry = Assert.Single(await EntriesAsync(api, "action=sandbox.create"));
        Assert.Equal(
            ("sandbox.created", "api_key", "sandbox", "sandbox", id, "usr_123", "prj", "wsp"),
            (entry.Text("type"), entry.Text("actor_type"), entry.Text("resource"), entry.Text("resource_type"), entry.Text("resource_id"), entry.Text("external_user_id"), entry.Text("external_project_id"), entry.Text("external_workspace_id")));
        Assert.Equal(("ok", 201, "127.0.0.1", "my-agent/1.0", tenant), (entry.Text("result"), entry.GetProperty("status").GetInt32(), entry.Text("ip_address"), entry.Text("user_agent"), entry.Text("tenant_id")));
        Assert.Equal(Assert.Single(created.Headers.GetValues("X-Request-ID")), entry.Text("request_id"));
        Assert.Equal(("api_key", entry.Text("actor_id"), "test"), (entry.GetProperty("actor").Text("type"), entry.GetProperty("actor").Text("id"), entry.GetProperty("actor").Text("name")));
        Assert.Equal((entry.Text("created_at"), entry.Text("created_at")), (entry.Text("ts"), entry.Text("inserted_at")));

        (await api.PatchAsync($"sandboxes/{id}", """{"name":"n"}""")).Expect(200);
        (await api.PutAsync($"sandboxes/{id}/env/SECRET", """{"value":"hush-hush"}""")).Expect(200);
        var fork = (await api.PostAsync($"sandboxes/n/fork", "{}")).Expect(201).Text("id");
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        var entries = await EntriesAsync(api, "resource_id=" + id);
        Assert.Equal(["sandbox.destroy", "sandbox.fork", "sandbox.env.set", "sandbox.update", "sandbox.create"], entries.Select(e => e.Text("action")));
        Assert.Equal(fork, entries[1].GetProperty("metadata").Text("created_id"));
        Assert.Equal("""{"key":"SECRET"}""", entries[2].GetProperty("metadata").GetRawText());
        Assert.DoesNotContain("hush-hush", (await api.GetAsync("audit-log")).Body);
    }

    [Fact]
    public async Task The_entry_of_a_change_is_there_before_its_answer()
    {
        using var api = await Platform.NewApiAsync();
        for (var i = 0; i < 100; i++)
        {
            (await api.DeleteAsync($"sandboxes/none-{i}")).Expect(404);
            Assert.Equal((i, 1), (i, await TotalAsync(api, $"resource_id=none-{i}")));
        }
    }

    [Fact]
    public async Task What_only_reaches_into_a_machine_follows_soon_and_what_only_looks_leaves_nothing()
    {
        using var api = await Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"memory_mb":256}""");
        await api.RunAsync(id, "echo hi");
        (await api.PostAsync($"sandboxes/{id}/files/write", """{"path":"/workspace/a","content":"aGk="}""")).Expect(200);
        var pid = (await api.PostAsync($"sandboxes/{id}/processes", """{"command":"sleep 1000"}""")).Expect(201).Text("pid");
        (await api.DeleteAsync($"sandboxes/{id}/processes/{pid}")).Expect(200);
        foreach (var path in (string[])["", "/files", "/processes", "/env"])
            (await api.GetAsync($"sandboxes/{id}{path}")).Expect(200);
        (await api.PostAsync($"sandboxes/{id}/files/stat", """{"path":"/workspace/a"}""")).Expect(200);
        string[] expected = ["sandbox.process.stop", "sandbox.process.start", "sandbox.file.write", "sandbox.exec", "sandbox.create"];
        await Miosa.Platform.Platform.UntilAsync("all are written", async () => (await EntriesAsync(api, "resource_id=" + id)).Count == expected.Length, TimeSpan.FromSeconds(5));
        Assert.Equal(expected, (await EntriesAsync(api, "resource_id=" + id)).Select(e => e.Text("action")));
    }

    [Fact]
    public async Task What_is_set_for_an_external_user_names_that_user()
    {
        using var api = Platform.Api(await Platform.NewKeyAsync(await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"))));
        (await api.PutAsync("quotas/external/acme/alice", """{"max_sandboxes":3}""")).Expect(200);
        Assert.Equal("acme/alice", Assert.Single(await EntriesAsync(api, "action=quota.set")).Text("resource_id"));
    }

    [Fact]
    public async Task Refused_calls_leave_one_entry_each_whoever_refused_them()
    {
        var tenant = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"));
        using var api = Platform.Api(await Platform.NewKeyAsync(tenant));
        using var reader = Platform.Api(await Platform.NewKeyAsync(tenant, ["sandboxes:read"]));
        using var expired = Platform.Api(await Platform.NewKeyAsync(tenant, expires: "2020-01-01T00:00:00Z"));
        using var nobody = Platform.Api(null);
        Assert.Equal(403, (await reader.PostAsync("sandboxes", "{}")).Status);
        Assert.Equal(401, (await expired.PostAsync("sandboxes", "{}")).Status);
        Assert.Equal(401, (await nobody.PostAsync("sandboxes", "{}")).Status);
        Assert.Equal(422, (await api.PostAsync("sandboxes", """{"memory_mb":"much"}""")).Status);
        Assert.Equal(400, (await api.PostAsync("sandboxes", "{")).Status);
        Assert.Equal(413, (await api.PostAsync("sandboxes", $$"""{"name":"{{new string('n', 2_000_000)}}"}""")).Status);
        Assert.Equal(404, (await api.DeleteAsync("sandboxes/nonsense")).Status);
        Assert.Equal(
            [(404, "NOT_FOUND", "sandbox.destroy"), (413, "FILE_TOO_LARGE", "sandbox.create"), (400, "BAD_REQUEST", "sandbox.create"), (422, "VALIDATION_ERROR", "sandbox.create"),
                (401, "invalid_token", "sandbox.create"), (403, "insufficient_scope", "sandbox.create")],
            (await EntriesAsync(api, "resource=sandbox")).Select(e => (e.GetProperty("status").GetInt32(), e.Text("code"), e.Text("action"))));
        Assert.All(await EntriesAsync(api, "resource=sandbox"), e => Assert.Equal("refused", e.Text("result")));
    }

    [Fact]
    public async Task A_repeated_call_with_an_idempotency_key_is_a_call_of_its_own()
    {
        using var api = await Platform.NewApiAsync();
        var once = Guid.NewGuid().ToString();
        for (var i = 0; i < 2; i++)
            (await api.PostAsync("sandboxes", """{"memory_mb":256}""", ("Idempotency-Key", once))).Expect(201);
        var entries = await EntriesAsync(api, "action=sandbox.create");
        Assert.Equal(2, entries.Count);
        Assert.Single(entries.Select(e => e.Text("resource_id")).Distinct());
    }

    [Fact]
    public async Task Two_hundred_calls_at_once_leave_two_hundred_entries()
    {
        using var api = await Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"memory_mb":256}""");
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => (await api.PatchAsync($"sandboxes/{id}", $$$"""{"metadata":{"n":{{{i}}}}}""")).Expect(200)));
        Assert.Equal(200, await TotalAsync(api, "action=sandbox.update"));
        var ids = new List<string?>();
        for (string? after = ""; after is not null;)
        {
            var page = (await api.GetAsync($"audit-log?action=sandbox.update&limit=30&after={after}")).Expect(200).Json;
            ids.AddRange(page.GetProperty("data").EnumerateArray().Select(e => e.GetProperty("id").GetString()));
            after = page.GetProperty("next_cursor").GetString();
            Assert.Equal(after is not null, page.GetProperty("has_next").GetBoolean());
        }
        Assert.Equal(200, ids.Distinct().Count());
    }

    [Fact]
    public async Task An_entry_that_was_answered_for_survives_a_kill_and_one_behind_survives_a_stop()
    {
        using var api = await Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"memory_mb":256}""");
        (await api.PatchAsync($"sandboxes/{id}", """{"name":"before-the-kill"}""")).Expect(200);
        await Platform.KillServerAsync();
        await Platform.StartServerAsync();
        Assert.Equal(["sandbox.update", "sandbox.create"], (await EntriesAsync(api, "resource_id=" + id)).Select(e => e.Text("action")));
        for (var i = 0; i < 20; i++)
            await api.RunAsync(id, "true");
        Assert.Equal(0, await Platform.StopServerAsync());
        await Platform.StartServerAsync();
        Assert.Equal(20, await TotalAsync(api, "action=sandbox.exec"));
    }

    [Fact]
    public async Task Pages_filters_and_cursors()
    {
        using var api = await Platform.NewApiAsync();
        var one = await api.CreateAsync("""{"memory_mb":256,"external_user_id":"alice"}""");
        var two = await api.CreateAsync("""{"memory_mb":256,"external_user_id":"bob"}""");
        var middle = DateTimeOffset.Parse((await EntriesAsync(api, ""))[0].Text("created_at")!).AddMilliseconds(1).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'");
        await Miosa.Platform.Platform.UntilAsync("a millisecond is over", () => Task.FromResult(DateTimeOffset.UtcNow > DateTimeOffset.Parse(middle)));
        (await api.DeleteAsync($"sandboxes/{one}")).Expect(200);
        var key = (await api.PostAsync("api-keys", """{"name":"k"}""")).Expect(201).Text("id");
        (await api.DeleteAsync("api-keys/" + key)).Expect(204);
        var first = (await EntriesAsync(api, ""))[^1];
        Assert.Equal(("system", "command-line", "api_key.create"), (first.Text("actor_type"), first.Text("actor_id"), first.Text("action")));
        string[] all = ["api_key.revoke", "api_key.create", "sandbox.destroy", "sandbox.create", "sandbox.create"];
        Assert.Equal(all, await ActionsAsync("actor_id=" + (await EntriesAsync(api, ""))[0].Text("actor_id")));
        Assert.Equal(all[..2], await ActionsAsync($"resource_type=api_key&resource_id={key}"));
        Assert.Equal(["sandbox.destroy", "sandbox.create", "sandbox.create"], await ActionsAsync("action=sandbox.*"));
        Assert.Equal(["sandbox.create", "sandbox.create"], await ActionsAsync("action=sandbox.created"));
        Assert.Equal(["sandbox.create", "sandbox.create"], await ActionsAsync("type=sandbox.create&action=sandbox.*"));
        Assert.Equal(["sandbox.destroy", "sandbox.create"], await ActionsAsync("external_user_id=alice"));
        Assert.Equal(["sandbox.create"], await ActionsAsync("resource=sandbox&resource_id=" + two));
        Assert.Equal(all[..3], await ActionsAsync("since=" + middle));
        Assert.Equal(["sandbox.create", "sandbox.create"], await ActionsAsync($"resource=sandbox&until={middle}"));
        Assert.Empty(await ActionsAsync("action=no.such&unknown=ignored"));
        Assert.Equal(all[2..4], await ActionsAsync("page=2&per_page=2"));
        Assert.Equal(all[2..4], await ActionsAsync("page=2&page_size=2"));
        var page = (await api.GetAsync("audit-log?page=1&per_page=5")).Expect(200).Json;
        Assert.Equal("""{"total":6,"page":1,"per_page":5,"total_pages":2,"has_next":true}""", page.GetProperty("meta").GetRawText());
        Assert.Equal((6, true), (page.GetProperty("total").GetInt32(), page.GetProperty("has_next").GetBoolean()));
        Assert.Equal("""{"page":1,"page_size":5,"total":6}""", page.GetProperty("page").GetRawText());
        Assert.False((await api.GetAsync("audit-log?page=2&per_page=5")).Json.GetProperty("has_next").GetBoolean());
        Assert.Empty(await ActionsAsync("page=1000000000"));
        foreach (var faulty in (string[])["page=0", "per_page=1000000000", "per_page=101", "limit=1001", "page=x", "since=yesterday", "until=01/02/2026", "cursor=nonsense", "after=-1"])
            Assert.Equal((faulty, 422), (faulty, (await api.GetAsync("audit-log?" + faulty)).Status));

        async Task<List<string>> ActionsAsync(string query) => [.. (await EntriesAsync(api, query)).Select(e => e.Text("action"))];
    }

    [Fact]
    public async Task All_of_it_comes_as_JSON_lines()
    {
        using var api = await Platform.NewApiAsync();
        // Refused ones cost least.
        for (var i = 0; i < 60; i++)
            await Task.WhenAll(Enumerable.Range(0, 40).Select(n => api.DeleteAsync($"sandboxes/none-{n}")));
        var total = await TotalAsync(api, "");
        Assert.Equal(2401, total);
        foreach (var path in (string[])["audit-log/export", "audit-log?format=jsonl"])
        {
            var export = (await api.GetAsync(path)).Expect(200);
            Assert.Equal("application/x-ndjson", export.ContentHeaders.ContentType?.MediaType);
            var lines = export.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
            Assert.Equal((total, total), (lines.Count, lines.Select(l => l.Text("id")).Distinct().Count()));
            Assert.Equal("api_key.create", lines[^1].Text("action"));
        }
        var some = (await api.GetAsync("audit-log/export?resource_id=none-7")).Expect(200).Body;
        Assert.Equal(60, some.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task Nobody_reads_it_without_its_scope_or_in_another_tenant_and_nobody_changes_it()
    {
        using var api = await Platform.NewApiAsync();
        using var other = await Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"memory_mb":256}""");
        Assert.DoesNotContain(id, (await other.GetAsync("audit-log?per_page=100")).Expect(200).Body);
        Assert.DoesNotContain(id, (await other.GetAsync("audit-log/export")).Expect(200).Body);
        var entry = (await EntriesAsync(api, ""))[0].Text("id");
        foreach (var method in (HttpMethod[])[HttpMethod.Delete, HttpMethod.Put, HttpMethod.Patch, HttpMethod.Post])
        {
            Assert.Equal(405, (await api.SendAsync(method, "audit-log", "{}")).Status);
            Assert.Equal(404, (await api.SendAsync(method, $"audit-log/{entry}", "{}")).Status);
        }
    }

    [Fact]
    public async Task Entries_older_than_their_retention_are_deleted_and_no_others()
    {
        var folder = Directory.CreateTempSubdirectory("miosa-audit").FullName;
        try
        {
            var app = ServerHost.Build(new ServerSettings { DataDir = folder, AuditDays = 30 }, []);
            await using (app)
            {
                var database = app.Services.GetRequiredService<Database>();
                database.Migrate();
                foreach (var days in (int[])[31, 29])
                {
                    await database.WriteAsync(
                        db => db.Audit.Add(new AuditRow { Id = $"aud_{days}", TenantId = "t", Action = "a.b", ActorType = "x", ActorId = "x", Resource = "a", At = DateTimeOffset.UtcNow.AddDays(-days) }), CancellationToken.None);
                }
                await app.Services.GetRequiredService<AuditLog>().ForgetOldAsync(CancellationToken.None);
                await using var db = database.Read();
                Assert.Equal(["aud_29"], db.Audit.Select(e => e.Id).ToList());
                // Not by mistake either: the database itself refuses.
                var refused = await Assert.ThrowsAsync<Microsoft.Data.Sqlite.SqliteException>(() => database.WriteAsync(db => db.Audit.ExecuteUpdate(set => set.SetProperty(e => e.Status, 1)), default));
                Assert.Contains("audit log cannot be changed", refused.Message, StringComparison.Ordinal);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<List<JsonElement>> EntriesAsync(Api api, string query) =>
        [.. (await api.GetAsync("audit-log?" + (query.Contains("page", StringComparison.Ordinal) ? query : query + "&per_page=100"))).Expect(200).Json.GetProperty("data").EnumerateArray()];

    private static async Task<int> TotalAsync(Api api, string query) => (await api.GetAsync("audit-log?" + query)).Expect(200).Json.GetProperty("total").GetInt32();
}
