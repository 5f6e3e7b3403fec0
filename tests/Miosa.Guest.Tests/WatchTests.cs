using System.Diagnostics;
using System.Text;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

/// <summary>Watching folders of a real machine.</summary>
public sealed class WatchTests(SharedMachine shared) : IClassFixture<SharedMachine>
{
    private readonly Machine _machine = shared.Machine;

    [Fact]
    public async Task What_happens_to_files_is_told_in_order()
    {
        using var watch = await WatchAsync("/workspace/order", recursive: false);
        await _machine.RunAsync("cd /workspace/order; echo one > a; echo two >> a; mv a b; rm b");
        Assert.Equal(["created a", "modified a", "renamed a b", "deleted b"], Merged(await watch.UntilAsync("deleted b")));
    }

    [Fact]
    public async Task A_change_says_what_it_is_of_and_how_large()
    {
        using var watch = await WatchAsync("/workspace/facts", recursive: true);
        var before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        await _machine.RunAsync("cd /workspace/facts; printf 12345 > f; mkdir d");
        await watch.UntilAsync("created d");
        await _machine.RunAsync("rm /workspace/facts/f");
        await watch.UntilAsync("deleted f");
        var modified = watch.Seen.First(change => change is { Event: "modified" });
        Assert.Equal(("/workspace/facts/f", 5L, false), (modified.Path, modified.Size, modified.IsDir));
        Assert.True(modified.AtMs >= before - 1);
        Assert.Contains(watch.Seen, change => change is { Event: "created", Path: "/workspace/facts/d", IsDir: true, Size: null });
        Assert.Contains(watch.Seen, change => change is { Event: "deleted", Size: null });
    }

    [Fact]
    public async Task Only_a_recursive_watch_tells_what_is_in_folders_below()
    {
        await _machine.RunAsync("mkdir -p /workspace/depth/old/deep");
        using var flat = await WatchAsync("/workspace/depth", recursive: false);
        using var whole = await WatchAsync("/workspace/depth", recursive: true);
        await _machine.RunAsync("cd /workspace/depth; touch old/deep/x; mkdir -p new/er; echo 1 > new/er/y; touch end");
        await flat.UntilAsync("created end");
        await whole.UntilAsync("created end");
        Assert.Equal(["created new", "created end"], Created(flat));
        Assert.Equal(["created end", "created new", "created new/er", "created new/er/y", "created old/deep/x"], Created(whole).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Nothing_in_folders_made_in_the_same_instant_is_missed_or_told_twice()
    {
        using var watch = await WatchAsync("/workspace/burst", recursive: true);
        await _machine.RunAsync("cd /workspace/burst; i=0; while [ $i -lt 200 ]; do mkdir -p d$i/e/f; echo x > d$i/1; echo x > d$i/e/2; echo x > d$i/e/f/3; i=$((i+1)); done; touch end");
        await watch.UntilAsync("created end");
        // What is told by a look into a folder may come after what the kernel told of its neighbours.
        var expected = Enumerable.Range(0, 200).SelectMany(i => new[] { $"d{i}", $"d{i}/1", $"d{i}/e", $"d{i}/e/2", $"d{i}/e/f", $"d{i}/e/f/3" })
            .Append("end").Select(path => "created " + path).Order(StringComparer.Ordinal);
        Assert.Equal(expected, Created(watch).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Moves_over_the_border_are_creations_and_deletions()
    {
        await _machine.RunAsync("mkdir -p /workspace/outside/tree/sub; cd /workspace/outside; echo 1 > tree/a; echo 2 > tree/sub/b; echo 3 > lone");
        using var watch = await WatchAsync("/workspace/border", recursive: true);
        await _machine.RunAsync("cd /workspace/border; mv ../outside/lone .; mv ../outside/tree .; touch tree/sub/c; mv lone ..; mv tree ..; touch ../tree/sub/d; touch end");
        var seen = Merged(await watch.UntilAsync("created end"));
        Assert.Equal(
            ["created end", "created lone", "created tree", "created tree/a", "created tree/sub", "created tree/sub/b", "created tree/sub/c"],
            Created(watch).Order(StringComparer.Ordinal));
        Assert.Equal(["deleted lone", "deleted tree"], seen.Where(line => line.StartsWith("deleted", StringComparison.Ordinal)));
        Assert.DoesNotContain(seen, line => line.Contains("/d", StringComparison.Ordinal) || line.StartsWith("renamed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_renamed_folder_is_one_event_and_goes_on_being_watched()
    {
        await _machine.RunAsync("mkdir -p /workspace/ren/a/sub /workspace/ren/to");
        using var watch = await WatchAsync("/workspace/ren", recursive: true);
        await _machine.RunAsync("cd /workspace/ren; mv a to/b; touch to/b/sub/x");
        Assert.Equal(["renamed a to/b", "created to/b/sub/x"], Merged(await watch.UntilAsync("created to/b/sub/x")));
    }

    [Fact]
    public async Task A_file_written_by_the_host_is_one_event()
    {
        await _machine.RunAsync("mkdir -p /workspace/host");
        using var watch = await WatchAsync("/workspace/host", recursive: true);
        foreach (var text in (string[])["one", "two, longer"])
        {
            using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
            await _machine.Guest.WriteAsync(new WriteFileCall { Path = "/workspace/host/f" }, content, default);
        }
        await _machine.RunAsync("touch /workspace/host/end");
        var seen = Merged(await watch.UntilAsync("created end"));
        Assert.Equal(["created f", "modified f", "created end"], seen.Where(line => line != "modified end"));
    }

    [Fact]
    public async Task Hostile_names_are_told()
    {
        using var watch = await WatchAsync("/workspace/names", recursive: true);
        var longest = new string('n', 255);
        await _machine.RunAsync($"cd /workspace/names; touch 'a\nb' \"$(printf 'x\\377y')\" {longest} '\"q\\' end");
        await watch.UntilAsync("created end");
        Assert.Equal(
            new[] { "created a\nb", "created x\uFFFDy", "created " + longest, "created \"q\\", "created end" }.Order(StringComparer.Ordinal),
            Created(watch).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("rm -r /workspace/root", "deleted")]
    [InlineData("mv /workspace/root /workspace/elsewhere", "moved")]
    public async Task The_end_of_the_watched_folder_ends_the_watch_and_says_so(string command, string reason)
    {
        await _machine.RunAsync("rm -rf /workspace/elsewhere; mkdir -p /workspace/root");
        using var watch = await WatchAsync("/workspace/root", recursive: true);
        await _machine.RunAsync("touch /workspace/root/f; " + command);
        await watch.UntilEndAsync();
        Assert.Equal(reason, watch.Reason);
        Assert.Contains("created f", watch.Lines());
    }

    [Theory]
    [InlineData("/workspace/none", GuestErrorCode.NotFound)]
    [InlineData("/etc/passwd", GuestErrorCode.NotDirectory)]
    [InlineData("", GuestErrorCode.BadRequest)]
    public async Task What_cannot_be_watched_is_refused(string path, string code) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<GuestException>(() => GuestWatch.StartAsync(_machine.Guest, path, true, default))).Code);

    [Fact]
    public async Task A_slow_reader_loses_changes_and_is_told_so_once_and_the_others_are_not_held_up()
    {
        await using var other = await _machine.ConnectAsync();
        using var slow = await WatchAsync("/workspace/slow", recursive: true, other);
        using var quick = await WatchAsync("/workspace/slow", recursive: true);
        for (var i = 0; i < 4; i++)
        {
            await _machine.RunAsync($"cd /workspace/slow; i=0; while [ $i -lt 12000 ]; do : > {i}-$i; i=$((i+1)); done; touch end{i}");
            await quick.UntilAsync($"created end{i}");
        }
        Assert.DoesNotContain(quick.Seen, change => change.Event == "rescan");
        Assert.Equal(48_004, quick.Seen.Count(change => change.Event == "created"));
        await slow.UntilAsync("rescan ");
        await _machine.RunAsync("touch /workspace/slow/after");
        await slow.UntilAsync("created after");
        Assert.Equal(1, slow.Seen.Count(change => change.Event == "rescan"));
        Assert.Contains("created 0-0", slow.Lines());
    }

    [Fact]
    public async Task Nine_hundred_watchers_are_served_the_rest_refused_and_all_watches_are_freed()
    {
        await using var machine = await Machine.StartAsync();
        await machine.RunAsync("mkdir -p /workspace/many/a/b");
        await using var guest = await machine.ConnectAsync();
        await using var second = await machine.ConnectAsync();
        var watches = new List<Watching>();
        for (var i = 0; i < 900; i++)
            watches.Add(new Watching("/workspace/many", await GuestWatch.StartAsync(i % 2 == 0 ? guest : second, "/workspace/many", true, default)));
        Assert.Equal(GuestErrorCode.Busy, (await Assert.ThrowsAsync<GuestException>(() => GuestWatch.StartAsync(guest, "/workspace/many", true, default))).Code);
        await machine.RunAsync("touch /workspace/many/a/b/x");
        foreach (var watch in watches)
            await watch.UntilAsync("created a/b/x");
        Assert.True(await KernelWatchesAsync(machine) is > 0 and < 10);
        foreach (var watch in watches)
            watch.Dispose();
        var since = Stopwatch.StartNew();
        while (await KernelWatchesAsync(machine) > 0)
            Assert.True(since.Elapsed < TimeSpan.FromSeconds(5), "watches are left");
        using var again = await GuestWatch.StartAsync(guest, "/workspace/many", true, default);
    }

    [Fact]
    public async Task The_end_of_the_connection_frees_its_watches()
    {
        await using var machine = await Machine.StartAsync();
        var guest = await machine.ConnectAsync();
        var watch = await GuestWatch.StartAsync(guest, "/workspace", true, default);
        Assert.True(await KernelWatchesAsync(machine) > 0);
        await guest.DisposeAsync();
        watch.Dispose();
        var since = Stopwatch.StartNew();
        while (await KernelWatchesAsync(machine) > 0)
            Assert.True(since.Elapsed < TimeSpan.FromSeconds(5), "watches are left");
    }

    [Fact]
    public async Task What_the_kernel_had_no_room_for_is_told_as_a_rescan_and_folders_made_meanwhile_are_watched()
    {
        using var watch = await WatchAsync("/workspace/flood", recursive: true);
        var folder = $"/proc/{_machine.GuestPid}/root/workspace/flood/";
        var queue = int.Parse(await File.ReadAllTextAsync("/proc/sys/fs/inotify/max_queued_events", TestContext.Current.CancellationToken), System.Globalization.CultureInfo.InvariantCulture);
        await SignalAsync("STOP");
        try
        {
            for (var i = 0; i < queue; i++)
                await File.WriteAllBytesAsync(folder + i, [1], TestContext.Current.CancellationToken);
            Directory.CreateDirectory(folder + "late");
        }
        finally
        {
            await SignalAsync("CONT");
        }
        await watch.UntilAsync("rescan ");
        await _machine.RunAsync("touch /workspace/flood/late/after");
        await watch.UntilAsync("created late/after");
        Assert.Equal(1, watch.Seen.Count(change => change.Event == "rescan"));
        Assert.Contains("created 0", watch.Lines());
    }

    [Fact]
    public async Task More_folders_than_can_be_watched_are_an_error_and_not_silence()
    {
        await using var machine = await Machine.StartAsync();
        await machine.RunAsync("mkdir -p /tmp/wide; cd /tmp/wide; seq 1 32760 | xargs mkdir");
        using var watch = new Watching("/tmp/wide", await GuestWatch.StartAsync(machine.Guest, "/tmp/wide", true, default));
        await machine.RunAsync("cd /tmp/wide; seq 40001 40010 | xargs mkdir");
        var ended = await Assert.ThrowsAsync<GuestException>(watch.UntilEndAsync);
        Assert.Equal(GuestErrorCode.Busy, ended.Code);
        Assert.Contains("created 40001", watch.Lines());
        var refused = await Assert.ThrowsAsync<GuestException>(() => GuestWatch.StartAsync(machine.Guest, "/tmp/wide", true, default));
        Assert.Equal(GuestErrorCode.Busy, refused.Code);
        Assert.Contains("watch fewer folders", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await KernelWatchesAsync(machine));
        using var flat = await GuestWatch.StartAsync(machine.Guest, "/tmp/wide", false, default);
    }

    private async Task SignalAsync(string signal)
    {
        using var process = Process.Start("kill", ["-" + signal, _machine.GuestPid.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    private async Task<Watching> WatchAsync(string path, bool recursive, GuestConnection? guest = null)
    {
        await _machine.RunAsync("mkdir -p " + path);
        return new Watching(path, await GuestWatch.StartAsync(guest ?? _machine.Guest, path, recursive, default));
    }

    /// <summary>How many watches the guest's one descriptor holds, as the kernel tells.</summary>
    private static async Task<int> KernelWatchesAsync(Machine machine)
    {
        var outcome = await machine.RunAsync("cat /proc/1/fdinfo/* 2>/dev/null | grep -c ^inotify || true");
        return int.Parse(outcome.Stdout, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Modifications of one file that follow each other count once: how many the kernel tells is its business.</summary>
    private static List<string> Merged(IEnumerable<string> lines)
    {
        var merged = new List<string>();
        foreach (var line in lines)
        {
            if (merged.Count == 0 || merged[^1] != line || !line.StartsWith("modified", StringComparison.Ordinal))
                merged.Add(line);
        }
        return merged;
    }

    private static IEnumerable<string> Created(Watching watch) => watch.Lines().Where(line => line.StartsWith("created", StringComparison.Ordinal));

    private sealed class Watching(string path, GuestWatch watch) : IDisposable
    {
        public List<GuestChange> Seen { get; } = [];

        public string? Reason => watch.End?.Reason;

        public IEnumerable<string> Lines() => Seen.Select(LineOf);

        public async Task<IEnumerable<string>> UntilAsync(string line)
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            do
                Seen.Add(await watch.NextAsync(deadline.Token) ?? throw new InvalidOperationException("the watch ended: " + Reason));
            while (LineOf(Seen[^1]) != line);
            return Lines();
        }

        public async Task UntilEndAsync()
        {
            using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            while (await watch.NextAsync(deadline.Token) is { } change)
                Seen.Add(change);
        }

        public void Dispose() => watch.Dispose();

        private string LineOf(GuestChange change) => $"{change.Event} {Below(change.OldPath)}{(change.OldPath is null ? "" : " ")}{Below(change.Path)}";

        private string Below(string? full) => full is null || full.Length <= path.Length ? "" : full[(path.Length + 1)..];
    }
}
