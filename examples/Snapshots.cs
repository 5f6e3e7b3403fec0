namespace Miosa.Examples;

/// <summary>Keep the state that works, break things, and go back; the snapshot is still there when its sandbox is gone.</summary>
internal static class Snapshots
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        await sandbox.Files.WriteAsync("/workspace/notes.txt", "works\n");
        var snapshot = await sandbox.Snapshots.CreateAsync(new() { Comment = "before the risky part", RetentionSeconds = 3600 });
        await sandbox.RunAsync("rm -rf /workspace/*");
        await sandbox.DestroyAsync();

        await using var again = await sandbox.Snapshots.RestoreAsync(snapshot.Id);
        Console.WriteLine($"restored: {(await again.RunAsync("cat notes.txt")).Stdout.Trim()}");
        await sandbox.Snapshots.DeleteAsync(snapshot.Id);
    }
}
