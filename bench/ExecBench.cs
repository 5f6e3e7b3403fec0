using System.Diagnostics;

namespace Miosa.Bench;

/// <summary>A command in a running sandbox, against the host's own spawn (floor) and <c>podman exec</c> (peer).</summary>
internal static class ExecBench
{
    private const int Rounds = 1000;
    private const int Warmups = 100;

    public static async Task RunAsync(Report report)
    {
        var exec = new Times("exec /bin/echo through HTTP");
        var shell = new Times("exec 'echo hi' (a shell string) through HTTP");
        await using (var bed = await Bed.StartAsync("--pool-size", "0"))
        {
            await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
            for (var i = -Warmups; i < Rounds; i++)
            {
                var (one, two) = (new Times(""), new Times(""));
                await one.MeasureAsync(() => sandbox.ExecAsync(["/bin/echo", "hi"]));
                await two.MeasureAsync(() => sandbox.RunAsync("echo hi"));
                if (i < 0)
                    continue;
                exec.Add(one.Median);
                shell.Add(two.Median);
            }
        }
        var floor = new Times("floor: the host spawns /bin/echo");
        for (var i = 0; i < 200; i++)
        {
            await floor.MeasureAsync(async () =>
            {
                using var process = Process.Start(new ProcessStartInfo("/bin/echo", "hi") { RedirectStandardOutput = true }) ?? throw new InvalidOperationException();
                var text = await process.StandardOutput.ReadToEndAsync();
                await process.WaitForExitAsync();
                return text;
            });
        }
        report.Add(exec);
        report.Add(shell);
        report.Add(floor);
        if (!Podman.IsHere)
            return;
        Podman.Import(Podman.ArchiveOf(Bed.Image));
        var peer = Podman.Exec(20);
        report.Add(peer);
        report.Ratio(exec, peer);
    }
}
