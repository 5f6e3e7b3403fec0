using System.Globalization;
using System.Text.Json.Nodes;

namespace Miosa.Examples;

/// <summary>Give a user of yours a place of its own with limits, run into one, and see what the user has used.</summary>
internal static class UsersAndLimits
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        var workspace = await client.Workspaces.CreateAsync("Smile Dental");
        await client.Workspaces.UpdateSettingsAsync(workspace.Id, new JsonObject { ["defaults"] = new JsonObject { ["cpu_count"] = 1, ["memory_mb"] = 512, ["idle_timeout_sec"] = 600 } });
        await client.Quotas.SetAsync("usr_dr_smith", maxSandboxes: 3, maxConcurrent: 1);

        var request = new CreateSandboxRequest { WorkspaceId = workspace.Id, ExternalUserId = "usr_dr_smith", ExternalProjectId = "proj_landing_page" };
        await using (var sandbox = await client.Sandboxes.CreateAsync(request))
        {
            await sandbox.RunAsync("sleep 1");
            try
            {
                await client.Sandboxes.CreateAsync(request);
            }
            catch (PermissionException refused) when (refused.Code == ErrorCodes.QuotaExceeded)
            {
                Console.WriteLine($"refused: {refused.Details?["what"]} is {refused.Details?["limit"]}");
            }
            var quota = await client.Quotas.GetAsync("usr_dr_smith");
            Console.WriteLine($"{quota.Usage.Concurrent} of {quota.MaxConcurrent} running");
        }

        var report = await client.Usage.GetAsync(groupBy: UsageGrouping.ExternalProject, period: "month-to-date", externalUserId: "usr_dr_smith");
        foreach (var row in report.Results)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Key}: {row.Exact?.VcpuMs / 1000.0:F1} vCPU-seconds, {row.CreditCents} cents"));

        await client.Quotas.DeleteAsync("usr_dr_smith");
        await client.Workspaces.DeleteAsync(workspace.Id);
    }
}
