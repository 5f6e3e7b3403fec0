using System.Globalization;

namespace Miosa.Bench;

/// <summary>
/// From a file's creation in the machine to its event in the client, while 10,000 files are written. The floor is a bare inotify reader in
/// the machine, on the same files at the same time; both read the one clock of the host, whose time of writing is the file's name.
/// </summary>
internal static class WatchBench
{
    private const int Files = 10_000;

    private const string Writer = """
        import ctypes, os, struct, threading, time
        libc = ctypes.CDLL(None)
        os.makedirs('/workspace/w', exist_ok=True)
        fd = libc.inotify_init1(0)
        libc.inotify_add_watch(fd, b'/workspace/w', 0x100)
        seen = []
        def read():
            while len(seen) < 10000:
                data = os.read(fd, 65536); now = time.time_ns(); at = 0
                while at < len(data):
                    size = struct.unpack_from('iIII', data, at)[3]
                    seen.append(now - int(data[at + 16:at + 16 + size].rstrip(b'\0')))
                    at += 16 + size
        reader = threading.Thread(target=read); reader.start()
        for i in range(10000):
            with open('/workspace/w/%d' % time.time_ns(), 'w') as f: f.write('x')
            time.sleep(0.0005)
        reader.join()
        print(' '.join('%.3f' % (v / 1e6) for v in seen))
        """;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        await sandbox.Files.MkdirAsync("/workspace/w");
        await sandbox.Files.WriteAsync("/workspace/writer.py", Writer);
        var ours = new Times("watch: creation to the client's event");
        var seen = new HashSet<string>();
        var rescans = 0;
        var started = new TaskCompletionSource();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var watching = Task.Run(async () =>
        {
            await foreach (var change in sandbox.Files.WatchDirAsync("/workspace/w", recursive: false, started: started.SetResult, cancellationToken: limit.Token))
            {
                if (change.Event == FileWatchEvents.Rescan)
                    rescans++;
                if (change.Event != FileWatchEvents.Created || change.Path is not { } path)
                    continue;
                var name = path[(path.LastIndexOf('/') + 1)..];
                ours.Add(((DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100 - long.Parse(name, CultureInfo.InvariantCulture)) / 1e6);
                if (seen.Add(name) && seen.Count == Files)
                    break;
            }
        });
        await started.Task;
        var written = await sandbox.ExecAsync(["python3", "/workspace/writer.py"], timeout: TimeSpan.FromMinutes(2));
        try
        {
            await watching;
        }
        catch (OperationCanceledException)
        {
            // The missing ones are told below.
        }
        var floor = new Times("floor: bare inotify in the machine");
        foreach (var value in written.Stdout.Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            floor.Add(double.Parse(value, CultureInfo.InvariantCulture));
        report.Add(ours);
        report.Add(floor);
        report.Line($"  {Files - seen.Count} of {Files} missed, {rescans} rescans");
    }
}
