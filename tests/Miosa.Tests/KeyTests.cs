using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;

namespace Miosa.Tests;

/// <summary>The calls about keys, tenants and the audit log: what they send, and that they read the answer, blocking and awaiting.</summary>
public sealed class KeyTests
{
    private const string Key = """{"id":"key_1","name":"n","prefix":"msk_live_a","scopes":["*"],"created_at":"2026-05-26T10:14:23.000Z","token":"msk_live_abc","key":"msk_live_abc"}""";
    private const string Token = """{"token":"eyJ.a.b","expires_at":"2026-05-26T10:14:23.000Z","scopes":["sandboxes:read"]}""";
    private const string Tenant = """{"id":"ten_1","name":"acme","machines":2,"api_keys":1,"created_at":"2026-05-26T10:14:23.000Z"}""";
    private const string Entry = """{"id":"aud_1","action":"sandbox.create","status":201,"result":"ok","created_at":"2026-05-26T10:14:23.000Z","inserted_at":"2026-05-26T10:14:23.000Z","ts":"2026-05-26T10:14:23.000Z"}""";

    private static readonly DateTimeOffset End = new(2026, 12, 31, 0, 0, 0, TimeSpan.Zero);

    private static readonly AuditLogFilter Filter = new() { Action = "sandbox.*", ActorId = "key_1", ResourceType = "sandbox", ResourceId = "sbx_1", ExternalUserId = "a/b", WorkspaceId = "w", Since = End.AddDays(-1), Until = End };

    private sealed record Case(string Name, string Request, string? Body, string Answer, object? Expected, Func<MiosaClient, object?> Blocking, Func<MiosaClient, Task<object?>> Awaiting);

    private static readonly Case[] Cases =
    [
        new("ApiKeys.Create", "POST /api-keys", """{"name":"ci","scopes":["sandboxes:read"],"expires_at":"2026-12-31T00:00:00.000Z","rate_limit_rpm":60}""", Wire.Merged(Key), "msk_live_abc",
            c => c.ApiKeys.Create(new() { Name = "ci", Scopes = [Scopes.SandboxesRead], ExpiresAt = End, RateLimitRpm = 60 }).Token,
            async c => (await c.ApiKeys.CreateAsync(new() { Name = "ci", Scopes = [Scopes.SandboxesRead], ExpiresAt = End, RateLimitRpm = 60 })).Token),
        new("ApiKeys.CreateScoped", "POST /api-keys/scoped", """{"external_user_id":"alice","scopes":["*"]}""", Wire.Merged(Key), "key_1",
            c => c.ApiKeys.CreateScoped(new() { ExternalUserId = "alice", Scopes = ["*"] }).Id, async c => (await c.ApiKeys.CreateScopedAsync(new() { ExternalUserId = "alice", Scopes = ["*"] })).Id),
        new("ApiKeys.CreateToken", "POST /tokens/scoped", """{"user_id":"alice","workspace_id":"w","expires_in_seconds":60}""", Wire.Merged(Token), "eyJ.a.b",
            c => c.ApiKeys.CreateToken(new() { UserId = "alice", WorkspaceId = "w", ExpiresInSeconds = 60 }).Token,
            async c => (await c.ApiKeys.CreateTokenAsync(new() { UserId = "alice", WorkspaceId = "w", ExpiresInSeconds = 60 })).Token),
        new("ApiKeys.Get", "GET /api-keys/key_1", "", Wire.Merged(Key), "n", c => c.ApiKeys.Get("key_1").Name, async c => (await c.ApiKeys.GetAsync("key_1")).Name),
        new("ApiKeys.List", "GET /api-keys?page=2&per_page=10", "", Page(Key, next: null), true, c => c.ApiKeys.List(2, 10).HasNext, async c => (await c.ApiKeys.ListAsync(2, 10)).HasNext),
        new("ApiKeys.ListAll", "GET /api-keys?page=1&per_page=100", "", Page(Key, next: null, hasNext: false), "key_1", c => c.ApiKeys.ListAll().Single().Id, async c => (await c.ApiKeys.ListAllAsync().SingleAsync()).Id),
        new("ApiKeys.Revoke", "DELETE /api-keys/a%2Fb", "", "", null, c => Null(() => c.ApiKeys.Revoke("a/b")), c => Null(c.ApiKeys.RevokeAsync("a/b"))),

        new("AuditLog.List", "GET /audit-log?action=sandbox.%2A&actor_id=key_1&resource_type=sandbox&resource_id=sbx_1&external_user_id=a%2Fb&workspace_id=w&since=2026-12-30T00%3A00%3A00.000Z&until=2026-12-31T00%3A00%3A00.000Z&page=3&per_page=50",
            "", Page(Entry, next: "7"), "sandbox.create", c => c.AuditLog.List(Filter, 3).Data.Single().Action, async c => (await c.AuditLog.ListAsync(Filter, 3)).Data.Single().Action),
        new("AuditLog.ListAll", "GET /audit-log?limit=100", "", Page(Entry, next: null, hasNext: false), 201, c => c.AuditLog.ListAll().Single().Status, async c => (await c.AuditLog.ListAllAsync().SingleAsync()).Status),
        new("AuditLog.Export", "GET /audit-log?action=x&format=jsonl", "", Entry + "\n", Entry + "\n",
            c => Exported(stream => c.AuditLog.Export(stream, new() { Action = "x" })), c => ExportedAsync(stream => c.AuditLog.ExportAsync(stream, new() { Action = "x" }))),
        new("AuditLog.List of the server", "GET /admin/audit-log?page=1&per_page=50", "", Page(Entry, next: null), "ok", c => c.Admin.AuditLog.List().Data[0].Result, async c => (await c.Admin.AuditLog.ListAsync()).Data[0].Result),

        new("Tenants.Create", "POST /admin/tenants", """{"name":"acme"}""", Wire.Merged(Tenant), "ten_1", c => c.Admin.Tenants.Create("acme").Id, async c => (await c.Admin.Tenants.CreateAsync("acme")).Id),
        new("Tenants.Get", "GET /admin/tenants/my%20acme", "", Wire.Merged(Tenant), 2, c => c.Admin.Tenants.Get("my acme").Machines, async c => (await c.Admin.Tenants.GetAsync("my acme")).Machines),
        new("Tenants.List", "GET /admin/tenants?page=1&per_page=50", "", Page(Tenant, next: null), 1, c => c.Admin.Tenants.List().Data.Count, async c => (await c.Admin.Tenants.ListAsync()).Data.Count),
        new("Tenants.ListAll", "GET /admin/tenants?page=1&per_page=100", "", Page(Tenant, next: null, hasNext: false), "acme", c => c.Admin.Tenants.ListAll().Single().Name, async c => (await c.Admin.Tenants.ListAllAsync().SingleAsync()).Name),
        new("Tenants.Delete", "DELETE /admin/tenants/ten_1", "", "", null, c => Null(() => c.Admin.Tenants.Delete("ten_1")), c => Null(c.Admin.Tenants.DeleteAsync("ten_1"))),
        new("Tenants.CreateKey", "POST /admin/tenants/ten_1/keys", """{"name":"first","key_type":"admin"}""", Wire.Merged(Key), "msk_live_abc",
            c => c.Admin.Tenants.CreateKey("ten_1", new() { Name = "first", KeyType = ApiKeyTypes.Admin }).Key, async c => (await c.Admin.Tenants.CreateKeyAsync("ten_1", new() { Name = "first", KeyType = ApiKeyTypes.Admin })).Key),
        new("Tenants.ListKeys", "GET /admin/tenants/ten_1/keys?page=1&per_page=50", "", Page(Key, next: null), "key_1", c => c.Admin.Tenants.ListKeys("ten_1").Data[0].Id, async c => (await c.Admin.Tenants.ListKeysAsync("ten_1")).Data[0].Id),
        new("Tenants.RevokeKey", "DELETE /admin/tenants/ten_1/keys/key_1", "", "", null, c => Null(() => c.Admin.Tenants.RevokeKey("ten_1", "key_1")), c => Null(c.Admin.Tenants.RevokeKeyAsync("ten_1", "key_1"))),
    ];

    public static TheoryData<string, bool> All
    {
        get
        {
            var data = new TheoryData<string, bool>();
            foreach (var one in Cases)
            {
                data.Add(one.Name, false);
                data.Add(one.Name, true);
            }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Call_sends_what_the_server_takes_and_reads_the_answer(string name, bool async)
    {
        var one = Cases.Single(one => one.Name == name);
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(one.Answer.Length == 0 ? 204 : 200, one.Answer).Client();

        var result = await Twins.CallAsync(async, () => one.Blocking(client), () => one.Awaiting(client));

        var request = Assert.Single(server.Seen);
        Assert.Equal(one.Expected, result);
        Assert.Equal(one.Request, $"{request.Method} {request.Path}");
        if (one.Body is { Length: > 0 })
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(one.Body), JsonNode.Parse(request.Text)), request.Text);
        else
            Assert.Empty(request.Text);
    }

    [Fact]
    public void Every_public_call_is_in_the_table()
    {
        var names = new[] { typeof(ApiKeys), typeof(AuditLog), typeof(Tenants) }.SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(method => !method.IsSpecialName && !method.Name.EndsWith("Async", StringComparison.Ordinal)).Select(method => $"{type.Name}.{method.Name}"));
        Assert.Empty(names.Distinct().Except(Cases.Select(one => one.Name.Split(' ')[0])));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task The_whole_audit_log_is_read_by_its_cursor(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(200, Page(Entry, next: "9")).Then(200, Page(Entry.Replace("aud_1", "aud_0", StringComparison.Ordinal), next: null, hasNext: false)).Client();

        var all = await Twins.AllAsync(async, () => client.AuditLog.ListAll(), () => client.AuditLog.ListAllAsync());

        Assert.Equal(["aud_1", "aud_0"], all.Select(entry => entry.Id));
        Assert.Equal(["/audit-log?limit=100", "/audit-log?limit=100&after=9"], server.Seen.Select(seen => seen.Path));
    }

    [Fact]
    public async Task A_key_is_made_once_over_all_tries()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Then(503, "{}").Then(200, Wire.Merged(Key)).Client();
        await client.ApiKeys.CreateAsync(new() { Name = "n" }, TestContext.Current.CancellationToken);
        Assert.Equal(2, server.Seen.Count);
        Assert.Single(server.Seen.Select(seen => seen.Headers["Idempotency-Key"]).Distinct());
    }

    [Fact]
    public async Task The_tenant_of_an_administrator_and_an_access_token_go_into_the_headers()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(200, Wire.Sandbox);
        using var admin = new MiosaClient(new MiosaOptions { ApiKey = "msk_p_x", BaseUrl = server.BaseUrl, Tenant = "acme" });
        using var token = new MiosaClient(new MiosaOptions { AccessToken = "eyJ.a.b", BaseUrl = server.BaseUrl });
        await admin.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        await token.Sandboxes.GetAsync("x", TestContext.Current.CancellationToken);
        Assert.Equal("acme", server.Seen[0].Headers["X-MIOSA-Tenant"]);
        Assert.Equal("Bearer eyJ.a.b", server.Seen[1].Headers["Authorization"]);
        Assert.DoesNotContain("X-MIOSA-Tenant", server.Seen[1].Headers.Keys);
        foreach (var options in (MiosaOptions[])[new() { AccessToken = "" }, new() { AccessToken = "a b" }, new() { ApiKey = "msk_x", Tenant = "a\nb" }, new() { ApiKey = "msk_x", Tenant = "ä" }])
            Assert.Throws<ArgumentException>(() => new MiosaClient(options));
    }

    [Fact]
    public void Misuse_is_an_argument_exception()
    {
        using var client = new MiosaClient("msk_x", "http://127.0.0.1:1/");
        Assert.ThrowsAny<ArgumentException>(() => client.ApiKeys.Get(""));
        Assert.ThrowsAny<ArgumentException>(() => client.ApiKeys.Get(".."));
        Assert.ThrowsAny<ArgumentException>(() => client.ApiKeys.List(0));
        Assert.ThrowsAny<ArgumentException>(() => client.AuditLog.List(perPage: 101));
        Assert.ThrowsAny<ArgumentException>(() => client.Admin.Tenants.Create(""));
        Assert.ThrowsAny<ArgumentException>(() => client.Admin.Tenants.ListKeys(""));
    }

    private static string Page(string item, string? next, bool hasNext = true) =>
        "{\"data\":[" + item + "],\"total\":1,\"meta\":{\"total\":1,\"page\":1,\"per_page\":50,\"total_pages\":1,\"has_next\":" + (hasNext ? "true" : "false") + "},\"has_next\":"
            + (hasNext ? "true" : "false") + ",\"next_cursor\":" + (next is null ? "null" : $"\"{next}\"") + "}";

    private static object? Null(Action act)
    {
        act();
        return null;
    }

    private static async Task<object?> Null(Task task)
    {
        await task;
        return null;
    }

    private static string Exported(Action<Stream> export)
    {
        using var stream = new MemoryStream();
        export(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static async Task<object?> ExportedAsync(Func<Stream, Task> export)
    {
        using var stream = new MemoryStream();
        await export(stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
