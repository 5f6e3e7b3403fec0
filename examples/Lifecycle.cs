using System.Text.Json.Nodes;

namespace Miosa.Examples;

/// <summary>Name, find, change, pause, resume and end a sandbox, and what failures look like.</summary>
internal static class Lifecycle
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        var name = $"example-{Guid.NewGuid():N}";
        await using var sandbox = await client.Sandboxes.CreateAsync(
            image: "miosa-sandbox",
            name: name,
            externalUserId: "usr_123",
            metadata: new JsonObject { ["env"] = "staging" },
            timeoutSec: 300,
            vcpus: 1,
            memoryMb: 512);
        Console.WriteLine($"{sandbox.Id} is {sandbox.State}, {sandbox.Info.MemoryMb} MiB");

        var same = await client.Sandboxes.GetByNameAsync(name);
        Console.WriteLine($"found by name: {same.Id == sandbox.Id}");
        await foreach (var mine in client.Sandboxes.ListAllAsync(new() { ExternalUserId = "usr_123", State = SandboxState.Running }))
            Console.WriteLine($"usr_123 has {mine.Id}");

        await sandbox.UpdateAsync(new() { TimeoutSec = 600, Tags = ["demo"] });
        await sandbox.PauseAsync();
        Console.WriteLine($"now {sandbox.State}");
        await sandbox.ResumeAsync();
        await sandbox.WaitUntilReadyAsync(TimeSpan.FromSeconds(10));
        Console.WriteLine($"now {sandbox.State}");

        // A failing command is a result; a failing call is an exception.
        var result = await sandbox.ExecAsync(["ls", "/nonexistent"]);
        Console.WriteLine($"exit code {result.ExitCode}: {result.Stderr.Trim()}");
        try
        {
            await client.Sandboxes.GetAsync("nonexistent-id");
        }
        catch (NotFoundException failure)
        {
            Console.WriteLine($"{failure.StatusCode} {failure.Code}: {failure.Message} ({failure.RequestId})");
        }
    }
}
