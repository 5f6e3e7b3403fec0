namespace Miosa.Examples;

/// <summary>A sandbox with a kernel of its own, whose running programs go along: into a copy, and over a pause that holds no memory.</summary>
internal static class Memory
{
    private const string Counter = "import time\nn = 0\nwhile True:\n    n += 1\n    open('/workspace/count', 'w').write(f'{n}\\n')\n    time.sleep(0.1)\n";

    public static async Task RunAsync()
    {
        using var client = new MiosaClient();
        await using var sandbox = await client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = "miosa-sandbox", Isolation = SandboxIsolation.Gvisor, Persistent = true });
        await sandbox.Files.WriteAsync("/workspace/count.py", Counter);
        var process = await sandbox.Processes.StartAsync(new() { Command = "python3 count.py" });
        await sandbox.RunAsync("until [ -s count ] && [ $(cat count) -gt 10 ]; do sleep 0.1; done");

        await using var copy = await sandbox.ForkAsync(new() { Memory = true });
        Console.WriteLine($"in the copy process {process.Pid} is {(await copy.Processes.GetAsync(process.Pid)).Status}");

        await sandbox.PauseAsync(memory: true);
        var result = await sandbox.RunAsync("a=$(cat count); sleep 1; b=$(cat count); [ $b -gt $a ] && [ $a -gt 10 ] && echo goes on");
        Console.WriteLine($"after the pause it {result.Stdout.Trim()}");
    }
}
