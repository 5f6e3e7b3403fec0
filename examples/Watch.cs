namespace Miosa.Examples;

/// <summary>See what a command does to the files.</summary>
internal static class Watch
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");

        Task<ExecResult>? command = null;
        // What happens once the watch has started is told, so that is when the command may begin.
        void Begin() => command = sandbox.ExecAsync("mkdir new; cd new; echo hello > a.txt; mv a.txt b.txt; rm b.txt; touch /workspace/end");

        await foreach (var change in sandbox.Files.WatchDirAsync("/workspace", started: Begin))
        {
            if (change.Path == "/workspace/end")
                break;
            Console.WriteLine(change.OldPath is { } old ? $"{change.Event,-8} {old} -> {change.Path}" : $"{change.Event,-8} {change.Path}");
        }
        if (command is not null)
            await command;
    }
}
