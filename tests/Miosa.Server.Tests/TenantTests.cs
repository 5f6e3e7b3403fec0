using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Tenants, as an administrator of the server makes and ends them.</summary>
public sealed class TenantTests(ServerPlatform shared)
{
    private Miosa.Platform.Platform Platform => shared.Platform;

    [Fact]
    public async Task An_administrator_makes_a_tenant_and_a_key_of_it_and_ends_both()
    {
        using var admin = Platform.Api(await Platform.NewAdminKeyAsync());
        var name = "acme " + Guid.NewGuid();
        var tenant = (await admin.PostAsync("admin/tenants", JsonSerializer.Serialize(new { name }))).Expect(201).Text("id");
        Assert.Equal((409, "CONFLICT"), await CodeAsync(admin.PostAsync("admin/tenants", JsonSerializer.Serialize(new { name }))));
        var key = (await admin.PostAsync($"admin/tenants/{tenant}/keys", """{"name":"first","scopes":["sandboxes:write","audit:read"]}""")).Expect(201);
        Assert.Equal(tenant, key.Text("tenant_id"));
        using var api = Platform.Api(key.Text("token"));
        var sandbox = await api.CreateAsync("""{"memory_mb":256}""");
        using var events = await api.EventsAsync($"sandboxes/{sandbox}/events");
        var stream = events.ToEndAsync();

        Assert.Equal((1, 1), Counts((await admin.GetAsync($"admin/tenants/{tenant}")).Expect(200)));
        Assert.Equal(tenant, (await admin.GetAsync("admin/tenants/" + Uri.EscapeDataString(name))).Expect(200).Text("id"));
        Assert.Contains(tenant, (await admin.GetAsync("admin/tenants?per_page=100")).Expect(200).Body);
        var refused = await admin.DeleteAsync($"admin/tenants/{tenant}");
        Assert.Equal((409, true), (refused.Status, refused.Text("message").Contains("1 sandboxes", StringComparison.Ordinal)));
        (await api.GetAsync("sandboxes")).Expect(200);
        (await api.DeleteAsync($"sandboxes/{sandbox}")).Expect(200);
        await stream;

        (await admin.DeleteAsync($"admin/tenants/{tenant}")).Expect(204);

        Assert.Equal((401, "invalid_token"), await CodeAsync(api.GetAsync("sandboxes")));
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(admin.GetAsync($"admin/tenants/{tenant}")));
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(admin.DeleteAsync($"admin/tenants/{tenant}")));
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(admin.PostAsync($"admin/tenants/{tenant}/keys", """{"name":"x"}""")));
        // The name is free again, and what was done is still known.
        (await admin.PostAsync("admin/tenants", JsonSerializer.Serialize(new { name }))).Expect(201);
        var done = (await admin.GetAsync($"admin/audit-log?tenant_id={tenant}&per_page=100")).Expect(200).Json.GetProperty("data").EnumerateArray().Select(e => e.GetProperty("action").GetString()).ToList();
        Assert.Equal(["tenant.delete", "sandbox.destroy", "tenant.delete", "sandbox.create", "api_key.create"], done);
    }

    [Fact]
    public async Task An_administrators_key_acts_in_the_tenant_that_it_names_and_in_no_other()
    {
        using var admin = Platform.Api(await Platform.NewAdminKeyAsync());
        var (one, two) = (await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")), await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")));
        Assert.Equal((403, "FORBIDDEN"), await CodeAsync(admin.GetAsync("sandboxes")));
        Assert.Equal((403, "FORBIDDEN"), await CodeAsync(admin.PostAsync("sandboxes", "{}")));
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(admin.SendAsync(HttpMethod.Get, "sandboxes", null, ("X-MIOSA-Tenant", "no-such"))));
        var made = (await admin.PostAsync("sandboxes", """{"memory_mb":256}""", ("X-MIOSA-Tenant", one))).Expect(201);
        var id = made.Text("id");
        Assert.Equal(one, made.Text("tenant_id"));
        Assert.Equal("hi\n", (await admin.PostAsync($"sandboxes/{id}/exec", """{"command":"echo hi"}""", ("X-MIOSA-Tenant", one))).Expect(200).Text("stdout"));
        Assert.Equal((404, "NOT_FOUND"), await CodeAsync(admin.SendAsync(HttpMethod.Get, $"sandboxes/{id}", null, ("X-MIOSA-Tenant", two))));
        (await admin.SendAsync(HttpMethod.Delete, $"sandboxes/{id}", null, ("X-MIOSA-Tenant", one))).Expect(200);
    }

    [Fact]
    public async Task A_tenants_key_is_no_administrator_and_cannot_name_another_tenant()
    {
        var name = "t-" + Guid.NewGuid().ToString("N");
        var tenant = await Platform.NewTenantAsync(name);
        using var api = Platform.Api(await Platform.NewKeyAsync(tenant));
        var other = await Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"));
        foreach (var path in (string[])["admin/tenants", $"admin/tenants/{tenant}", $"admin/tenants/{other}", $"admin/tenants/{other}/keys", "admin/audit-log", "admin/tenants/no-such"])
            Assert.Equal((path, (403, "insufficient_scope")), (path, await CodeAsync(api.GetAsync(path))));
        Assert.Equal((403, "insufficient_scope"), await CodeAsync(api.PostAsync("admin/tenants", """{"name":"x"}""")));
        Assert.Equal((403, "insufficient_scope"), await CodeAsync(api.DeleteAsync($"admin/tenants/{other}")));
        foreach (var own in (string[])[tenant, name])
            (await api.SendAsync(HttpMethod.Get, "sandboxes", null, ("X-MIOSA-Tenant", own))).Expect(200);
        foreach (var foreign in (string[])[other, "no-such", "../" + tenant])
            Assert.Equal((403, "FORBIDDEN"), await CodeAsync(api.SendAsync(HttpMethod.Get, "sandboxes", null, ("X-MIOSA-Tenant", foreign))));
        // A header that is none of ours is ignored.
        (await api.SendAsync(HttpMethod.Get, "sandboxes", null, ("X-Tenant-ID", other))).Expect(200);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":" x"}""")]
    [InlineData("""{"name":"a\nb"}""")]
    [InlineData("""{"name":["x"]}""")]
    public async Task Faulty_names_are_422(string body)
    {
        using var admin = Platform.Api(await Platform.NewAdminKeyAsync());
        var answer = await admin.PostAsync("admin/tenants", body);
        Assert.Equal((422, "name"), (answer.Status, Assert.Single(answer.Json.GetProperty("details").EnumerateObject()).Name));
        Assert.Equal(422, (await admin.PostAsync("admin/tenants", $$"""{"name":"{{new string('n', 10_240)}}"}""")).Status);
        foreach (var page in (string[])["page=0", "per_page=1000000000"])
            Assert.Equal(422, (await admin.GetAsync("admin/tenants?" + page)).Status);
    }

    [Fact]
    public async Task Twenty_tenants_of_one_name_at_once_are_one()
    {
        using var admin = Platform.Api(await Platform.NewAdminKeyAsync());
        var name = Guid.NewGuid().ToString();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => admin.PostAsync("admin/tenants", $$"""{"name":"{{name}}"}""")));
        Assert.Single(answers, a => a.Status == 201);
        Assert.Equal(19, answers.Count(a => a.Status == 409));
    }

    [Fact]
    public async Task Init_makes_a_first_key_and_an_administrators_key_once()
    {
        var file = Path.Combine(Platform.ServerData, "first-key");
        await Platform.AdminAsync("init", "--out", file);
        var (key, adminKey) = (await File.ReadAllTextAsync(file), await File.ReadAllTextAsync(file + "-admin"));
        Assert.StartsWith("msk_live_", key, StringComparison.Ordinal);
        Assert.StartsWith("msk_p_", adminKey, StringComparison.Ordinal);
        foreach (var made in (string[])[file, file + "-admin"])
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(made));
        await Platform.AdminAsync("init", "--out", file);
        Assert.Equal((key, adminKey), (await File.ReadAllTextAsync(file), await File.ReadAllTextAsync(file + "-admin")));
        using var admin = Platform.Api(adminKey.Trim());
        Assert.Contains("\"default\"", (await admin.GetAsync("admin/tenants/default")).Expect(200).Body);
        Assert.Contains("default", await Platform.AdminAsync("tenant", "list"));
        Assert.Contains("(administrator)", await Platform.AdminAsync("key", "list"));
        var nonsense = await Assert.ThrowsAsync<InvalidOperationException>(() => Platform.AdminAsync("key", "create", "--name", "x"));
        Assert.Contains("--platform", nonsense.Message, StringComparison.Ordinal);
    }

    private static async Task<(int, string)> CodeAsync(Task<Answer> answer) => ((await answer).Status, (await answer).Code);

    private static (int, int) Counts(Answer tenant) => (tenant.Json.GetProperty("machines").GetInt32(), tenant.Json.GetProperty("api_keys").GetInt32());
}
