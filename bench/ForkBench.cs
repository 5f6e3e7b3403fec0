namespace Miosa.Bench;

/// <summary>
/// A fork to a running sandbox, from a running source and from a snapshot, of 10 files and of 500 MB in 3,000 files; the floor is a cold create, which
/// does the same without a copy. Pause and resume stand here, too: both are one write of the freezer and one transaction.
/// </summary>
internal static class ForkBench
{
    private const int Rounds = 40;
    private const int Warmups = 5;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0", "--max-snapshots", "1000");
        var create = new Times("floor: cold create");
        for (var i = -Warmups; i < Rounds; i++)
        {
            var one = new Times("");
            await using var made = await one.MeasureAsync(() => bed.Client.Sandboxes.CreateAsync(image: Bed.Image));
            if (i >= 0)
                create.Add(one.Median);
        }
        report.Add(create);
        var small = await ForkAsync(bed, report, "10 files", "for i in $(seq 10); do echo $i > /workspace/$i; done");
        var large = await ForkAsync(
            bed, report, "500 MB in 3,000 files", "mkdir /workspace/d; for i in $(seq 3000); do head -c 174763 /dev/urandom > /workspace/d/$i; done; sync");
        report.Ratio(small.Running, large.Running);
        report.Ratio(small.Stored, large.Stored);
        await PauseAsync(bed, report);
    }

    private static async Task<(Times Running, Times Stored)> ForkAsync(Bed bed, Report report, string what, string fill)
    {
        var running = new Times($"fork of a running source, {what}");
        var stored = new Times($"fork of a snapshot, {what}");
        await using var source = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        if ((await source.RunAsync(fill, timeout: TimeSpan.FromMinutes(4))) is { ExitCode: not 0 } failed)
            throw new InvalidOperationException(failed.Stderr);
        var snapshot = await source.Snapshots.CreateAsync();
        for (var i = -Warmups; i < Rounds; i++)
        {
            var (one, two) = (new Times(""), new Times(""));
            await using var first = await one.MeasureAsync(() => source.ForkAsync());
            await using var second = await two.MeasureAsync(() => source.ForkAsync(new() { SnapshotId = snapshot.Id }));
            if (i < 0)
                continue;
            running.Add(one.Median);
            stored.Add(two.Median);
        }
        await source.Snapshots.DeleteAsync(snapshot.Id);
        report.Add(running);
        report.Add(stored);
        return (running, stored);
    }

    private static async Task PauseAsync(Bed bed, Report report)
    {
        var (pause, resume, ask) = (new Times("pause"), new Times("resume"), new Times("floor: GET of the sandbox"));
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        for (var i = -20; i < 300; i++)
        {
            var (one, two, three) = (new Times(""), new Times(""), new Times(""));
            await one.MeasureAsync(() => sandbox.PauseAsync());
            await two.MeasureAsync(() => sandbox.ResumeAsync());
            await three.MeasureAsync(() => sandbox.RefreshAsync());
            if (i < 0)
                continue;
            pause.Add(one.Median);
            resume.Add(two.Median);
            ask.Add(three.Median);
        }
        report.Add(pause);
        report.Add(resume);
        report.Add(ask);
    }
}
