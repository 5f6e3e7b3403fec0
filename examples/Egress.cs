namespace Miosa.Examples;

/// <summary>Say what a sandbox may reach, and see what it was refused.</summary>
internal static class Egress
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        // In force before anything of the sandbox runs.
        await using var sandbox = await client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = "miosa-sandbox", Egress = SandboxEgress.Listed(domains: ["pypi.org", "*.pythonhosted.org"]) });
        Console.WriteLine($"listed: {string.Join(", ", (await sandbox.GetEgressAsync()).Domains ?? [])}");

        await sandbox.SetEgressAsync(SandboxEgress.Closed);
        // 6: the name does not exist for it; 7: it could not connect.
        Console.WriteLine($"closed: {(await sandbox.ExecAsync("curl -sS https://example.org")).ExitCode}");

        foreach (var refused in await sandbox.ListRefusedEgressAsync())
            Console.WriteLine($"refused: {refused.Protocol} {refused.Target}, {refused.Reason}");
    }
}
