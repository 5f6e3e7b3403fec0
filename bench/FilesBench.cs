using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Miosa.Bench;

/// <summary>
/// What the default data directory (btrfs on a file, an overlay above it) costs work with files: the same script in a sandbox, in a persistent one,
/// and on the host's own file system beside that file.
/// </summary>
internal static class FilesBench
{
    private const int Rounds = 7;

    private const string Script = """
        import json, os, shutil, sys, time
        root = sys.argv[1] + '/bench'
        shutil.rmtree(root, ignore_errors=True); os.makedirs(root)
        content = os.urandom(20_000); big = os.urandom(1 << 20); took = {}
        def timed(name, action):
            start = time.perf_counter(); action(); took[name] = (time.perf_counter() - start) * 1000
        def write():
            for i in range(3000):
                with open(f'{root}/{i}', 'wb') as f: f.write(content)
        def read():
            for i in range(3000):
                with open(f'{root}/{i}', 'rb') as f: f.read()
        def rename():
            for i in range(3000): os.rename(f'{root}/{i}', f'{root}/r{i}')
        def delete():
            for i in range(3000): os.unlink(f'{root}/r{i}')
        def large():
            with open(f'{root}/large', 'wb') as f:
                for i in range(256): f.write(big)
        def sync():
            with open(f'{root}/log', 'wb') as f:
                for i in range(100): f.write(b'line'); f.flush(); os.fsync(f.fileno())
        timed('3,000 files written', write); timed('3,000 files read', read); timed('3,000 files renamed', rename); timed('3,000 files deleted', delete)
        timed('256 MiB written', large); timed('100 fsyncs', sync)
        shutil.rmtree(root); print(json.dumps(took))
        """;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        await using var plain = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        await using var durable = await bed.Client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = Bed.Image, Persistent = true });
        var host = new Dictionary<string, Times>();
        var inside = new Dictionary<string, Times>();
        var kept = new Dictionary<string, Times>();
        foreach (var sandbox in (Sandbox[])[plain, durable])
            await sandbox.Files.WriteAsync("/workspace/bench.py", Script);
        for (var i = -1; i < Rounds; i++)
        {
            // One after the other, so that what else the host does hits all alike.
            foreach (var (times, what, run) in ((Dictionary<string, Times>, string, Func<Task<string>>)[])
            [
                (host, "floor: on the host", OnHostAsync),
                (inside, "in a sandbox", () => InAsync(plain)),
                (kept, "in a persistent sandbox", () => InAsync(durable)),
            ])
            {
                var took = JsonSerializer.Deserialize<Dictionary<string, double>>(await run()) ?? throw new InvalidOperationException("nothing was measured");
                foreach (var (name, milliseconds) in took.Where(_ => i >= 0))
                {
                    if (!times.TryGetValue(name, out var known))
                        times[name] = known = new Times($"{name}, {what}");
                    known.Add(milliseconds);
                }
            }
        }
        foreach (var name in host.Keys)
        {
            report.Add(host[name]);
            report.Add(inside[name]);
            report.Add(kept[name]);
            report.Line(string.Create(CultureInfo.InvariantCulture, $"  => {inside[name].Median / host[name].Median:F2} x and {kept[name].Median / host[name].Median:F2} x the time of the host"));
        }
    }

    private static async Task<string> InAsync(Sandbox sandbox) => (await sandbox.RunAsync("python3 bench.py /workspace", timeout: TimeSpan.FromMinutes(5))).Stdout;

    private static async Task<string> OnHostAsync()
    {
        // Beside the data volume: what sandboxes would have if their disks were folders.
        using var process = Process.Start(new ProcessStartInfo("python3", ["-c", Script, "/var/lib"]) { RedirectStandardOutput = true }) ?? throw new InvalidOperationException("python3 did not start");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output;
    }
}
