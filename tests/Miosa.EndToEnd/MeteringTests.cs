using System.Text.Json.Nodes;

namespace Miosa.EndToEnd;

public sealed class MeteringTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_workspace_its_machines_quotas_and_usage_from_making_to_deleting(bool async)
    {
        using var client = platform.Client();
        var user = "usr/" + Guid.NewGuid().ToString("N")[..8];
        var workspace = await Twins.CallAsync(async, () => client.Workspaces.Create("e2e"), () => client.Workspaces.CreateAsync("e2e"));
        var settings = new JsonObject { ["defaults"] = new JsonObject { ["memory_mb"] = 512, ["cpu_count"] = 1 } };
        workspace = await Twins.CallAsync(async, () => client.Workspaces.UpdateSettings(workspace.Id, settings), () => client.Workspaces.UpdateSettingsAsync(workspace.Id, settings));
        Assert.True(JsonNode.DeepEquals(settings, workspace.Settings));
        var quota = await Twins.CallAsync(async, () => client.Quotas.Set(user, maxSandboxes: 1), () => client.Quotas.SetAsync(user, maxSandboxes: 1));
        Assert.Equal((1, null, 0, false), (quota.MaxSandboxes, quota.MaxConcurrent, quota.Usage.Sandboxes, quota.Inherited));

        var request = new CreateSandboxRequest { WorkspaceId = workspace.Slug, ExternalUserId = user };
        var sandbox = await Twins.CallAsync(async, () => client.Sandboxes.Create(request), () => client.Sandboxes.CreateAsync(request));
        Assert.Equal(512, sandbox.Info.MemoryMb);
        var refused = await Assert.ThrowsAsync<PermissionException>(() => Twins.CallAsync(async, () => client.Sandboxes.Create(request), () => client.Sandboxes.CreateAsync(request)));
        Assert.Equal((ErrorCodes.QuotaExceeded, "max_sandboxes"), (refused.Code, refused.Details?["what"]?.GetValue<string>()));
        var stats = await Twins.CallAsync(async, () => client.Workspaces.Stats(workspace.Id), () => client.Workspaces.StatsAsync(workspace.Id));
        Assert.Equal((1, 512), (stats.Sandboxes["running"], stats.Resources.MemoryMb));
        var full = await Assert.ThrowsAsync<ConflictException>(() => Twins.CallAsync(async, () => client.Workspaces.Delete(workspace.Id), () => client.Workspaces.DeleteAsync(workspace.Id)));
        Assert.Equal(ErrorCodes.WorkspaceNotEmpty, full.Code);
        await sandbox.DestroyAsync();

        var report = await Twins.CallAsync(async, () => client.Usage.Get(externalUserId: user), () => client.Usage.GetAsync(externalUserId: user));
        var row = Assert.Single(report.Results);
        Assert.Equal(user, row.Key);
        var usage = await Twins.CallAsync(async, () => client.Workspaces.Usage(workspace.Id, "24h", "hour"), () => client.Workspaces.UsageAsync(workspace.Id, "24h", "hour"));
        Assert.Equal(row.Exact?.RunningMs, usage.Series.Sum(point => point.Exact?.RunningMs));
        var balance = await Twins.CallAsync(async, () => client.Credits.Balance(), () => client.Credits.BalanceAsync());
        Assert.True(balance.Balance <= 0);
        Assert.Equal(ErrorCodes.ValidationError, (await Assert.ThrowsAsync<ValidationException>(() => Twins.CallAsync(async, () => client.Analytics.Usage("abc"), () => client.Analytics.UsageAsync("abc")))).Code);

        await Twins.CallAsync(async, () => client.Quotas.Delete(user), () => client.Quotas.DeleteAsync(user));
        await Twins.CallAsync(async, () => client.Workspaces.Delete(workspace.Id), () => client.Workspaces.DeleteAsync(workspace.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => client.Workspaces.Get(workspace.Id), () => client.Workspaces.GetAsync(workspace.Id)));
    }
}
