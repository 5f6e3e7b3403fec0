using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>A thousand idle machines at once: what each costs the host, and that each still answers.</summary>
internal static class DensityBench
{
    private const int Machines = 1000;
    private const int Workers = 4;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        // The first ones fill caches that all share.
        var sandboxes = new List<Sandbox>();
        await MakeAsync(bed, sandboxes, 20);
        await SettleAsync();
        var (before, serverBefore) = (HostMemory.AvailableKb(), HostMemory.ResidentKb(bed.Platform.ServerPid));
        var clock = Stopwatch.StartNew();
        await MakeAsync(bed, sandboxes, Machines);
        var rate = (Machines - 20) / clock.Elapsed.TotalSeconds;
        await SettleAsync();
        var each = (before - HostMemory.AvailableKb()) / 1024.0 / (Machines - 20);
        report.Line(string.Create(CultureInfo.InvariantCulture,
            $"{Machines} machines alive; {rate:F0} created per second; {each:F2} MiB of host memory each, everything counted (of it the server {(HostMemory.ResidentKb(bed.Platform.ServerPid) - serverBefore) / 1024.0 / (Machines - 20):F2})"));

        var answer = new Times($"exec in each of {Machines} machines");
        foreach (var sandbox in sandboxes)
        {
            var result = await answer.MeasureAsync(() => sandbox.ExecAsync(["/bin/echo", "here"]));
            if (result.Stdout != "here\n")
                throw new InvalidOperationException($"{sandbox.Id} answered \"{result.Stdout}{result.Stderr}\"");
        }
        report.Add(answer);

        clock.Restart();
        await Parallel.ForEachAsync(sandboxes, new ParallelOptions { MaxDegreeOfParallelism = Workers }, async (sandbox, ct) => await sandbox.DestroyAsync(ct));
        report.Line(string.Create(CultureInfo.InvariantCulture, $"destroyed at {Machines / clock.Elapsed.TotalSeconds:F0} per second"));
    }

    private static async Task MakeAsync(Bed bed, List<Sandbox> sandboxes, int until) =>
        await Parallel.ForEachAsync(Enumerable.Range(sandboxes.Count, until - sandboxes.Count), new ParallelOptions { MaxDegreeOfParallelism = Workers }, async (_, ct) =>
        {
            var sandbox = await bed.Client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = Bed.Image, MemoryMb = 512 }, cancellationToken: ct);
            lock (sandboxes)
                sandboxes.Add(sandbox);
        });

    /// <summary>Memory is counted after the kernel has taken back what launching left behind.</summary>
    private static async Task SettleAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(3));
        await File.WriteAllTextAsync("/proc/sys/vm/drop_caches", "3");
        await Task.Delay(TimeSpan.FromSeconds(1));
    }
}
