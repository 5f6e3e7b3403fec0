namespace Miosa.Examples;

/// <summary>Start a server in the background, watch what it prints, use it, and stop it with everything it started.</summary>
internal static class Processes
{
    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(image: "miosa-sandbox");
        var server = await sandbox.Processes.StartAsync(new() { Command = "python3 -u -m http.server 8000", Name = "web" });

        await foreach (var item in sandbox.Processes.StreamAsync(server.Pid))
        {
            Console.WriteLine($"{item.Type}: {item.Line}");
            if (item.Type == ProcessStreamTypes.Stdout)
                break;
        }
        Console.WriteLine($"answers: {(await sandbox.RunAsync("curl -s -o /dev/null -w '%{http_code}' localhost:8000/")).Stdout}");

        await sandbox.Processes.StopAsync(server.Pid);
        var ended = await sandbox.Processes.GetAsync(server.Pid);
        var logs = await sandbox.Processes.LogsAsync(server.Pid, tail: 1);
        Console.WriteLine($"{ended.Name} is {ended.Status}; the last it said: {logs.Data.Trim()}");
    }
}
