using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>
/// Sandboxes under gVisor: create, commands, and copies with memory. The floors are runsc itself starting a program on the host's files, and a shell
/// in the sandbox that starts programs by itself.
/// </summary>
internal static class GvisorBench
{
    private const int Rounds = 30;
    private const int Warmups = 3;
    private const int Programs = 20;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        var bare = new Times("floor: runsc do /bin/true");
        for (var i = -Warmups; i < Rounds / 2; i++)
        {
            var one = new Times("");
            await one.MeasureAsync(BareAsync);
            if (i >= 0)
                bare.Add(one.Median);
        }
        report.Add(bare);
        var create = new Times("create, cold, through HTTP");
        for (var i = -Warmups; i < Rounds; i++)
        {
            var one = new Times("");
            await using var made = await one.MeasureAsync(() => bed.Client.Sandboxes.CreateAsync(Request));
            if (i >= 0)
                create.Add(one.Median);
        }
        report.Add(create);
        report.Ratio(create, bare);

        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(Request);
        await ExecAsync(sandbox, report);
        await MemoryAsync(sandbox, report);
    }

    private static CreateSandboxRequest Request => new() { TemplateId = Bed.Image, Isolation = SandboxIsolation.Gvisor, Persistent = true };

    private static async Task<int> BareAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("runsc", ["--network=none", "--ignore-cgroups", "--platform=systrap", "do", "/bin/true"]) { RedirectStandardError = true })
            ?? throw new InvalidOperationException("runsc did not start");
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static async Task ExecAsync(Sandbox sandbox, Report report)
    {
        var (exec, floor) = (new Times("exec of /bin/echo, through HTTP"), new Times("floor: a shell in the sandbox starts a program"));
        for (var i = -Warmups; i < 3 * Rounds; i++)
        {
            var one = new Times("");
            await one.MeasureAsync(() => sandbox.ExecAsync(["/bin/echo", "hi"]));
            if (i >= 0)
                exec.Add(one.Median);
        }
        for (var i = 0; i < 5; i++)
        {
            var ran = await sandbox.RunAsync($"a=$(date +%s%N); for i in $(seq {Programs}); do /bin/true; done; echo $(( ($(date +%s%N) - a) / 1000 ))");
            floor.Add(double.Parse(ran.Stdout, CultureInfo.InvariantCulture) / 1000 / Programs);
        }
        report.Add(exec);
        report.Add(floor);
    }

    private static async Task MemoryAsync(Sandbox sandbox, Report report)
    {
        var (fork, pause, resume) = (new Times("fork with memory (a python of 50 MB runs)"), new Times("pause with memory"), new Times("resume of it"));
        await sandbox.Processes.StartAsync(new() { Command = "python3 -c 'import time; x = bytearray(50_000_000); time.sleep(10_000)'" });
        for (var i = -1; i < Rounds / 3; i++)
        {
            var (one, two, three) = (new Times(""), new Times(""), new Times(""));
            await using var copy = await one.MeasureAsync(() => sandbox.ForkAsync(new() { Memory = true }));
            await two.MeasureAsync(() => sandbox.PauseAsync(memory: true));
            await three.MeasureAsync(() => sandbox.ResumeAsync());
            if (i < 0)
                continue;
            fork.Add(one.Median);
            pause.Add(two.Median);
            resume.Add(three.Median);
        }
        report.Add(fork);
        report.Add(pause);
        report.Add(resume);
    }
}
