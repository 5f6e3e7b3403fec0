using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>A gigabyte in and out: memory of server and guest must stay flat; the speed stands beside that of <c>cp</c>.</summary>
internal static class TransferBench
{
    private const long Size = 1L << 30;

    public static async Task RunAsync(Report report)
    {
        var source = "/var/tmp/miosa-bench-source";
        var target = "/var/tmp/miosa-bench-target";
        try
        {
            await using (var file = File.Create(source))
            {
                var block = new byte[1 << 20];
                for (var i = 0; i < Size / block.Length; i++)
                {
                    Random.Shared.NextBytes(block);
                    await file.WriteAsync(block);
                }
            }
            await using var bed = await Bed.StartAsync("--pool-size", "0");
            await using var sandbox = await bed.Client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = Bed.Image, DiskSizeMb = 8192 });
            await sandbox.Files.WriteAsync("/workspace/small", "warm up");
            var guest = await GuestPidAsync(sandbox.Id, bed);
            var (serverBefore, guestBefore) = (HostMemory.ResidentKb(bed.Platform.ServerPid), HostMemory.ResidentKb(guest));

            var clock = Stopwatch.StartNew();
            await using (var file = File.OpenRead(source))
                await sandbox.Files.WriteAsync("/workspace/big", file);
            Report("upload 1 GiB through HTTP", clock);

            clock.Restart();
            await using (var file = File.Create(target))
            await using (var stream = await sandbox.Files.OpenReadAsync("/workspace/big"))
                await stream.CopyToAsync(file);
            Report("download 1 GiB through HTTP", clock);
            if (new FileInfo(target).Length != Size)
                throw new InvalidOperationException("the download is short");

            clock.Restart();
            using (var copy = Process.Start("cp", [source, target + "2"]))
                await copy.WaitForExitAsync();
            Report("cp of the same file on the host", clock);

            report.Line(string.Create(CultureInfo.InvariantCulture,
                $"server resident {serverBefore / 1024} MiB before, {HostMemory.PeakKb(bed.Platform.ServerPid) / 1024} MiB at most; guest {guestBefore / 1024.0:F1} MiB before, {HostMemory.PeakKb(guest) / 1024.0:F1} MiB at most"));
        }
        finally
        {
            foreach (var file in new[] { source, target, target + "2" })
                File.Delete(file);
        }

        void Report(string what, Stopwatch clock) => report.Line(string.Create(CultureInfo.InvariantCulture,
            $"{what,-58} {Size / 1048576.0 / clock.Elapsed.TotalSeconds,8:F0} MiB/s"));
    }

    private static async Task<int> GuestPidAsync(string machine, Bed bed) =>
        (await bed.Platform.AskRuntimeAsync(new() { ["op"] = "inspect", ["machine"] = machine })).GetProperty("pid").GetInt32();
}
