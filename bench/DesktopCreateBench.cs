using System.Globalization;

namespace Miosa.Bench;

/// <summary>
/// A computer from nothing to its first screenshot, cold and from the warm pool, against a sandbox of the same image in which the same X server, window manager, panel
/// and wallpaper are started by hand, with <c>scrot</c> for the screenshot. And what an idle computer costs the host.
/// </summary>
internal static class DesktopCreateBench
{
    public const string Image = "miosa-desktop";

    private const int Rounds = 20;
    private const int Warmups = 2;
    private const int Idle = 5;

    /// <summary>Prints the milliseconds from nothing to a written screenshot.</summary>
    private const string ByHand = """
        import os, subprocess, sys, time
        display = ':' + sys.argv[1]
        env = dict(os.environ, DISPLAY=display, HOME='/home/user', XDG_RUNTIME_DIR='/tmp')
        since = time.perf_counter()
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        x = subprocess.Popen(['Xvnc', display, '-geometry', '1280x720', '-depth', '24', '-SecurityTypes', 'None', '-extension', 'GLX', '-rfbport', '-1',
            '-rfbunixpath', '/tmp/by-hand.' + sys.argv[1], '-noreset'], **quiet)
        while not os.path.exists('/tmp/.X11-unix/X' + sys.argv[1]):
            time.sleep(0.002)
        others = [subprocess.Popen(['openbox'], **quiet)]
        while b'_NET_NUMBER_OF_DESKTOPS(CARDINAL) =' not in subprocess.run(['xprop', '-root', '_NET_NUMBER_OF_DESKTOPS'], env=env, capture_output=True).stdout:
            time.sleep(0.005)
        others.append(subprocess.Popen(['tint2'], **quiet))
        subprocess.run(['feh', '--no-fehbg', '--bg-fill', '/usr/share/backgrounds/miosa.png'], **quiet)
        while subprocess.run(['xdotool', 'search', '--onlyvisible', '--class', 'tint2'], **quiet).returncode:
            time.sleep(0.005)
        subprocess.run(['scrot', '-o', '/tmp/by-hand.png'], check=True, **quiet)
        print((time.perf_counter() - since) * 1000)
        for process in [*others, x]:
            process.kill()
        """;

    public static async Task RunAsync(Report report)
    {
        await using (var bed = await Bed.WithAsync(Image, "--pool-size", "0"))
        {
            var whole = await ComputersAsync(bed, "cold", () => Task.CompletedTask, report);
            await ByHandAsync(bed, whole, report);
            await IdleAsync(bed, report);
        }
        await using (var bed = await Bed.WithAsync(Image, "--pool-size", "1", "--pool-max", "1"))
            await ComputersAsync(bed, "warm pool", () => FullAsync(bed), report);
    }

    /// <summary>A computer waits, and a sandbox: nothing of the refill is in the figure, nor hidden by it.</summary>
    private static Task FullAsync(Bed bed) => Miosa.Platform.Platform.UntilAsync(
        "the pool is full",
        async () =>
        {
            using var nobody = bed.Platform.Api(null);
            var checks = (await nobody.GetAsync("health")).Json.GetProperty("checks");
            return checks.GetProperty("warm_computers").GetInt32() == 1 && checks.GetProperty("warm_machines").GetInt32() == 2;
        },
        TimeSpan.FromMinutes(1));

    private static async Task<Times> ComputersAsync(Bed bed, string path, Func<Task> ready, Report report)
    {
        var (create, running, whole) = (new Times("  of it create (the call)"), new Times("  of it until running"), new Times("computer: create to first screenshot, " + path));
        for (var i = -Warmups; i < Rounds; i++)
        {
            await ready();
            var (made, up, all) = (new Times(""), new Times(""), new Times(""));
            var computer = await all.MeasureAsync(async () =>
            {
                var computer = await made.MeasureAsync(() => bed.Client.Computers.CreateAsync(size: "small"));
                await up.MeasureAsync(() => computer.WaitUntilRunningAsync());
                await computer.Desktop.ScreenshotAsync();
                return computer;
            });
            await computer.DeleteAsync();
            if (i < 0)
                continue;
            create.Add(made.Median);
            running.Add(up.Median);
            whole.Add(all.Median);
        }
        report.Add(whole);
        report.Add(create);
        report.Add(running);
        return whole;
    }

    private static async Task ByHandAsync(Bed bed, Times ours, Report report)
    {
        var (byHand, whole) = (new Times("  of it in the machine"), new Times("peer: create, then Xvnc, openbox, tint2, feh, scrot by exec"));
        for (var i = -Warmups; i < Rounds; i++)
        {
            var all = new Times("");
            var (sandbox, took) = await all.MeasureAsync(async () =>
            {
                // A machine without a desktop of ours: the same image as a sandbox.
                var sandbox = await bed.Client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = Image, Size = "small" });
                await sandbox.Files.WriteAsync("/workspace/by-hand.py", ByHand);
                var ran = await sandbox.ExecAsync(["python3", "/workspace/by-hand.py", "50"], timeout: TimeSpan.FromMinutes(1));
                return (sandbox, ran.Success ? double.Parse(ran.Stdout, CultureInfo.InvariantCulture) : throw new InvalidOperationException($"the desktop by hand failed: {ran.Stderr}"));
            });
            await sandbox.DestroyAsync();
            if (i < 0)
                continue;
            whole.Add(all.Median);
            byHand.Add(took);
        }
        report.Add(whole);
        report.Add(byHand);
        report.Ratio(ours, whole);
    }

    private static async Task IdleAsync(Bed bed, Report report)
    {
        var first = await bed.Client.Computers.CreateAsync(size: "small");
        await first.WaitUntilRunningAsync();
        // What the second computer shares with the first is not its own.
        await SettleAsync();
        var (before, serverBefore) = (HostMemory.AvailableKb(), HostMemory.ResidentKb(bed.Platform.ServerPid));
        var computers = new List<Computer>();
        for (var i = 0; i < Idle; i++)
        {
            computers.Add(await bed.Client.Computers.CreateAsync(size: "small"));
            await computers[^1].WaitUntilRunningAsync();
        }
        await SettleAsync();
        report.Line(string.Create(CultureInfo.InvariantCulture,
            $"an idle computer (1280x720, no application open) costs {(before - HostMemory.AvailableKb()) / 1024.0 / Idle:F1} MiB of host memory, everything counted (of it the server {(HostMemory.ResidentKb(bed.Platform.ServerPid) - serverBefore) / 1024.0 / Idle:F2})"));
        var own = (await computers[^1].GetMetricsAsync("5m")).Current;
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  by its own control group it holds {own["memory_used_mb"]:F1} MiB, the pages of files that it read included"));
        foreach (var computer in (Computer[])[first, .. computers])
            await computer.DeleteAsync();
    }

    /// <summary>Memory is counted after the kernel has taken back what launching left behind.</summary>
    private static async Task SettleAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(5));
        await File.WriteAllTextAsync("/proc/sys/vm/drop_caches", "3");
        await Task.Delay(TimeSpan.FromSeconds(1));
    }
}
