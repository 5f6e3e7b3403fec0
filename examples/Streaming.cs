namespace Miosa.Examples;

/// <summary>Output line by line while a command runs, and the events of a sandbox.</summary>
internal static class Streaming
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");

        await foreach (var item in sandbox.ExecStreamAsync("for i in 1 2 3; do echo line $i; sleep 0.2; done; echo oops >&2; exit 3"))
        {
            Console.WriteLine(item.Type switch
            {
                ExecStreamTypes.Stdout or ExecStreamTypes.Stderr => $"{item.Type}: {item.Line}",
                ExecStreamTypes.Exit => $"exit code {item.ExitCode} after {item.DurationMs} ms",
                _ => $"error: {item.Message}",
            });
        }

        await sandbox.DestroyAsync();
        // The kept events come first; the sequence ends with the sandbox.
        await foreach (var happened in sandbox.Events.StreamAsync())
            Console.WriteLine($"{happened.Ts:HH:mm:ss.fff} {happened.Type}");
    }
}
