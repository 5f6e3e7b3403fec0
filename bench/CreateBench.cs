namespace Miosa.Bench;

/// <summary>Create and first command, cold and from the pool, against <c>podman run</c> of the same image.</summary>
internal static class CreateBench
{
    private const int Rounds = 100;
    private const int Warmups = 10;

    public static async Task RunAsync(Report report)
    {
        var cold = new Times("create + first command, cold, through HTTP");
        var create = new Times("  of it create");
        var destroy = new Times("destroy");
        await using (var bed = await Bed.StartAsync("--pool-size", "0"))
        {
            for (var i = -Warmups; i < Rounds; i++)
            {
                var (whole, made, gone) = (new Times(""), new Times(""), new Times(""));
                await whole.MeasureAsync(async () =>
                {
                    var sandbox = await made.MeasureAsync(() => bed.Client.Sandboxes.CreateAsync(image: Bed.Image));
                    var result = await sandbox.ExecAsync(["/bin/echo", "hi"]);
                    if (result.Stdout != "hi\n" || sandbox.Info.BootPath != "cold")
                        throw new InvalidOperationException($"unexpected: \"{result.Stdout}\" by {sandbox.Info.BootPath}");
                    return sandbox.Id;
                }).ContinueWith(async id => await gone.MeasureAsync(async () =>
                {
                    await bed.Client.Sandboxes.DestroyAsync(await id);
                    return 0;
                }), TaskScheduler.Default).Unwrap();
                if (i < 0)
                    continue;
                cold.Add(whole.Median);
                create.Add(made.Median);
                destroy.Add(gone.Median);
            }
        }
        report.Add(cold);
        report.Add(create);
        report.Add(destroy);
        if (Podman.IsHere)
        {
            Podman.Import(Podman.ArchiveOf(Bed.Image));
            var peer = Podman.Run(20);
            report.Add(peer);
            report.Ratio(cold, peer);
        }
        else
        {
            report.Line("  (no podman here: apt-get install podman crun uidmap)");
        }

        var warm = new Times("create from the warm pool, through HTTP");
        var both = new Times("create from the warm pool + first command");
        await using (var bed = await Bed.StartAsync("--pool-size", "4"))
        {
            for (var tries = 0; warm.Count < Rounds && tries < Rounds * 20; tries++)
            {
                var (made, whole) = (new Times(""), new Times(""));
                var sandbox = await whole.MeasureAsync(async () =>
                {
                    var sandbox = await made.MeasureAsync(() => bed.Client.Sandboxes.CreateAsync(image: Bed.Image));
                    await sandbox.ExecAsync(["/bin/echo", "hi"]);
                    return sandbox;
                });
                if (sandbox.Info.BootPath == "warm" && tries >= Warmups)
                {
                    warm.Add(made.Median);
                    both.Add(whole.Median);
                }
                await sandbox.DestroyAsync();
                // The pool refills between users, as it would in life; nothing of the refill is in the figure, nor hidden by it.
                await Task.Delay(100);
            }
        }
        report.Add(warm);
        report.Add(both);
    }
}
