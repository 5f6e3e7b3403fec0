namespace Miosa.EndToEnd;

public sealed class KeyTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_key_is_made_used_listed_and_revoked(bool async)
    {
        using var client = platform.Client();
        var request = new CreateApiKeyRequest { Name = "e2e", Scopes = [Scopes.SandboxesRead], ExpiresAt = DateTimeOffset.UtcNow.AddDays(1) };
        var key = await Twins.CallAsync(async, () => client.ApiKeys.Create(request), () => client.ApiKeys.CreateAsync(request));
        Assert.StartsWith("msk_live_", key.Token, StringComparison.Ordinal);
        using var reader = platform.Client(new() { ApiKey = key.Token });
        await reader.Sandboxes.ListAsync();
        await Assert.ThrowsAsync<PermissionException>(() => LivePlatform.CreateAsync(reader));
        await Assert.ThrowsAsync<PermissionException>(() => Twins.CallAsync(async, () => reader.ApiKeys.List(), () => reader.ApiKeys.ListAsync()));

        var found = await Twins.CallAsync(async, () => client.ApiKeys.Get(key.Id), () => client.ApiKeys.GetAsync(key.Id));
        var page = await Twins.CallAsync(async, () => client.ApiKeys.List(), () => client.ApiKeys.ListAsync());
        var all = await Twins.AllAsync(async, () => client.ApiKeys.ListAll(), () => client.ApiKeys.ListAllAsync());
        Assert.Equal(("e2e", null, ApiKeyStatus.Active), (found.Name, found.Token, found.Status));
        Assert.Contains(key.Id, page.Data.Select(k => k.Id));
        Assert.Contains(key.Id, all.Select(k => k.Id));

        await Twins.CallAsync(async, () => client.ApiKeys.Revoke(key.Id), () => client.ApiKeys.RevokeAsync(key.Id));
        await Assert.ThrowsAsync<AuthenticationException>(() => reader.Sandboxes.ListAsync());
        Assert.Equal(ApiKeyStatus.Revoked, (await client.ApiKeys.GetAsync(key.Id)).Status);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_key_for_one_user_sees_and_makes_only_that_users_sandboxes(bool async)
    {
        using var client = platform.Client();
        var request = new CreateScopedApiKeyRequest { ExternalUserId = $"alice-{async}", Scopes = [Scopes.SandboxesWrite] };
        var key = await Twins.CallAsync(async, () => client.ApiKeys.CreateScoped(request), () => client.ApiKeys.CreateScopedAsync(request));
        using var alice = platform.Client(new() { ApiKey = key.Token });
        await using var others = await LivePlatform.CreateAsync(client);
        await using var own = await LivePlatform.CreateAsync(alice);
        Assert.Equal([own.Id], (await alice.Sandboxes.ListAsync()).Data.Select(s => s.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => alice.Sandboxes.GetAsync(others.Id));
        Assert.Equal("hi\n", (await own.RunAsync("echo hi")).Stdout);
        await client.ApiKeys.RevokeAsync(key.Id);
        await (await client.Sandboxes.GetAsync(own.Id)).DestroyAsync();
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task What_was_done_is_in_the_audit_log(bool async)
    {
        using var client = platform.Client();
        var key = await client.ApiKeys.CreateAsync(new() { Name = "audited" });
        using var caller = platform.Client(new() { ApiKey = key.Token });
        var sandbox = await LivePlatform.CreateAsync(caller);
        await sandbox.DestroyAsync();
        var filter = new AuditLogFilter { ActorId = key.Id, Action = "sandbox.*" };

        var page = await Twins.CallAsync(async, () => client.AuditLog.List(filter, perPage: 1), () => client.AuditLog.ListAsync(filter, perPage: 1));
        var all = await Twins.AllAsync(async, () => client.AuditLog.ListAll(filter), () => client.AuditLog.ListAllAsync(filter));
        using var export = new MemoryStream();
        await Twins.CallAsync(async, () => client.AuditLog.Export(export, filter), () => client.AuditLog.ExportAsync(export, filter));

        Assert.Equal((true, 2), (page.HasNext, page.Total));
        Assert.Equal(["sandbox.destroy", "sandbox.create"], all.Select(entry => entry.Action));
        Assert.All(all, entry => Assert.Equal((sandbox.Id, AuditResults.Ok, "audited"), (entry.ResourceId, entry.Result, entry.Actor["name"]?.GetValue<string>())));
        Assert.Equal(2, System.Text.Encoding.UTF8.GetString(export.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task An_administrator_makes_a_tenant_works_in_it_and_deletes_it(bool async)
    {
        using var admin = platform.Client(new() { ApiKey = await platform.AdminKeyAsync() });
        var tenants = admin.Admin.Tenants;
        var name = $"acme {Guid.NewGuid()}";
        var tenant = await Twins.CallAsync(async, () => tenants.Create(name), () => tenants.CreateAsync(name));
        await Assert.ThrowsAsync<ConflictException>(() => tenants.CreateAsync(name));
        var key = await Twins.CallAsync(async, () => tenants.CreateKey(tenant.Id, new() { Name = "first" }), () => tenants.CreateKeyAsync(tenant.Id, new() { Name = "first" }));
        using var client = platform.Client(new() { ApiKey = key.Token });
        Assert.Empty((await client.Sandboxes.ListAsync()).Data);
        using var inTenant = platform.Client(new() { ApiKey = await platform.AdminKeyAsync(), Tenant = name });
        Assert.Equal(key.Id, (await inTenant.ApiKeys.ListAsync()).Data.Single().Id);

        Assert.Equal(tenant.Id, (await Twins.CallAsync(async, () => tenants.Get(name), () => tenants.GetAsync(name))).Id);
        Assert.Contains(tenant.Id, (await Twins.CallAsync(async, () => tenants.List(), () => tenants.ListAsync())).Data.Select(t => t.Id));
        Assert.Contains(tenant.Id, (await Twins.AllAsync(async, () => tenants.ListAll(), () => tenants.ListAllAsync())).Select(t => t.Id));
        Assert.Equal(key.Id, (await Twins.CallAsync(async, () => tenants.ListKeys(tenant.Id), () => tenants.ListKeysAsync(tenant.Id))).Data.Single().Id);
        await Twins.CallAsync(async, () => tenants.RevokeKey(tenant.Id, key.Id), () => tenants.RevokeKeyAsync(tenant.Id, key.Id));
        await Assert.ThrowsAsync<AuthenticationException>(() => client.Sandboxes.ListAsync());
        await Assert.ThrowsAsync<PermissionException>(() => admin.Sandboxes.ListAsync());

        await Twins.CallAsync(async, () => tenants.Delete(tenant.Id), () => tenants.DeleteAsync(tenant.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => tenants.GetAsync(tenant.Id));
        Assert.Contains("tenant.delete", (await admin.Admin.AuditLog.ListAsync()).Data.Select(entry => entry.Action));
    }
}
