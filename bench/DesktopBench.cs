using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;

namespace Miosa.Bench;

/// <summary>
/// The desktop through HTTP: screenshots of two sizes, split into grab, encode and the way to the client, against <c>scrot</c> and <c>import</c> forked in the same
/// machine; clicks, typing, and the tree of a web page. The screen shows a page in Chromium and a terminal.
/// </summary>
internal static class DesktopBench
{
    private const int Rounds = 300;
    private const int Warmups = 20;
    private const int Forked = 30;
    private const string Terminal = "XTerm";

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.WithAsync(DesktopCreateBench.Image, "--pool-size", "0");
        foreach (var (width, height) in ((int, int)[])[(1280, 720), (1920, 1080)])
        {
            var computer = await bed.Client.Computers.CreateAsync(new CreateComputerRequest { Size = "small", ScreenWidth = width, ScreenHeight = height });
            try
            {
                await computer.WaitUntilRunningAsync();
                await FillAsync(computer);
                var size = $"{width}x{height}";
                await ScreenshotsAsync(bed, computer, size, isChanging: false, report);
                await ScreenshotsAsync(bed, computer, size, isChanging: true, report);
                await ForkedAsync(computer, size, report);
                if (width == 1280)
                {
                    await TreeAsync(computer, report);
                    await InputAsync(computer, report);
                }
            }
            finally
            {
                await computer.DeleteAsync();
            }
        }
    }

    /// <summary>A page with some thousand elements in Chromium, of which the tree has those that are shown, and a terminal with a listing beside it.</summary>
    private static async Task FillAsync(Computer computer)
    {
        var items = string.Concat(Enumerable.Range(0, 500).Select(i => $"<p>Item {i} <a href='#{i}'>details of item {i}</a> <button>buy {i}</button></p>"));
        await computer.Files.WriteAsync("/home/user/page.html", $"<!doctype html><title>bench page</title><body style='background:linear-gradient(#fff,#9cf)'>{items}");
        await computer.Desktop.LaunchAsync("chromium", ["file:///home/user/page.html"]);
        await UntilAsync("Chromium shows the page", async () => (await computer.Desktop.ListWindowsAsync()).Any(window => window.Title.StartsWith("bench page", StringComparison.Ordinal)));
        await computer.Desktop.LaunchAsync("xterm", ["-geometry", "90x24+40+300", "-e", "ls -lR /usr/share | head -400; exec bash"]);
        await UntilAsync("the terminal is there", async () => (await computer.Desktop.ListWindowsAsync()).Any(window => window.App == Terminal));
    }

    private static async Task ScreenshotsAsync(Bed bed, Computer computer, string size, bool isChanging, Report report)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", bed.Key);
        var address = $"{bed.Platform.ApiUrl}/computers/{computer.Id}/desktop/screenshot";
        var what = isChanging ? "another picture each time" : "nothing changed";
        var (whole, grab, encode, rest) = (new Times($"screenshot {size}, {what}"), new Times("  of it grab"), new Times("  of it encode"), new Times("  of it the way and the rest"));
        long bytes = 0;
        for (var i = -Warmups; i < Rounds; i++)
        {
            if (isChanging)
                await computer.Desktop.TypeAsync("x");
            var since = Stopwatch.GetTimestamp();
            using var answer = await http.GetAsync(address);
            var picture = await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
            var took = Stopwatch.GetElapsedTime(since).TotalMilliseconds;
            if (i < 0)
                continue;
            var timing = answer.Headers.GetValues("Server-Timing").Single();
            var (grabbed, encoded) = (Timing(timing, "grab"), Timing(timing, "encode"));
            bytes += picture.Length;
            whole.Add(took);
            grab.Add(grabbed);
            encode.Add(encoded);
            rest.Add(took - grabbed - encoded);
        }
        foreach (var times in (Times[])[whole, grab, encode, rest])
            report.Add(times);
        report.Line(string.Create(CultureInfo.InvariantCulture, $"  {bytes / Rounds / 1024} KiB each"));
    }

    /// <summary>"grab;dur=0.14, encode;dur=4.2", in milliseconds.</summary>
    private static double Timing(string header, string name) => header.Split(',', StringSplitOptions.TrimEntries)
        .Where(part => part.StartsWith(name + ";dur=", StringComparison.Ordinal))
        .Select(part => double.Parse(part[(name.Length + 5)..], CultureInfo.InvariantCulture)).Single();

    /// <summary>What an agent pays without us: a program started for each picture, timed inside the machine, without the way to it.</summary>
    private static async Task ForkedAsync(Computer computer, string size, Report report)
    {
        var display = (await computer.Desktop.GetEnvironmentAsync()).Display;
        foreach (var (name, command) in ((string, string)[])[("scrot", "scrot -o /tmp/shot.png"), ("import", "import -window root /tmp/shot.png")])
        {
            if (!(await computer.RunAsync($"command -v {name}")).Success)
            {
                report.Line($"  (no {name} in the image)");
                continue;
            }
            var ran = await computer.RunAsync(
                $"export DISPLAY={display}; for i in $(seq {Forked + 3}); do s=$(date +%s%N); {command} || exit 1; e=$(date +%s%N); echo $((e - s)); done", timeout: TimeSpan.FromMinutes(3));
            if (!ran.Success)
                throw new InvalidOperationException($"{name} failed: {ran.Stderr}");
            var times = new Times($"peer: {name} forked in the machine, {size}");
            foreach (var line in ran.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(3))
                times.Add(long.Parse(line, CultureInfo.InvariantCulture) / 1e6);
            report.Add(times);
        }
    }

    private static async Task TreeAsync(Computer computer, Report report)
    {
        var tree = new Times("accessibility tree of a page in Chromium, through HTTP");
        var nodes = 0;
        await UntilAsync("the page is in the tree", async () => (await computer.Desktop.AccessibilityTreeAsync(maxNodes: 20_000)).Find(name: "buy 1") is not null);
        for (var i = -3; i < 30; i++)
        {
            var one = new Times("");
            var root = await one.MeasureAsync(() => computer.Desktop.AccessibilityTreeAsync(maxNodes: 20_000));
            nodes = root.FindAll(shownOnly: false).Count();
            if (i >= 0)
                tree.Add(one.Median);
        }
        report.Add(tree);
        report.Line($"  {nodes} elements");
    }

    private static async Task InputAsync(Computer computer, Report report)
    {
        var window = (await computer.Desktop.ListWindowsAsync()).Single(window => window.App == Terminal);
        var (x, y) = (window.X + (window.Width / 2), window.Y + (window.Height / 2));
        var (click, move, type) = (new Times("click, call to return"), new Times("move, call to return"), new Times("type 1,000 characters into xterm, call to return"));
        for (var i = -Warmups; i < Rounds; i++)
        {
            var (one, two) = (new Times(""), new Times(""));
            await one.MeasureAsync(() => DoneAsync(computer.Desktop.ClickAsync(x, y)));
            await two.MeasureAsync(() => DoneAsync(computer.Desktop.MoveAsync(x + (i & 1), y)));
            if (i < 0)
                continue;
            click.Add(one.Median);
            move.Add(two.Median);
        }
        await computer.Desktop.FocusWindowAsync(window.Id);
        // What was typed for the screenshots is no command.
        await computer.Desktop.KeyAsync("ctrl+c");
        for (var i = -2; i < 30; i++)
        {
            var one = new Times("");
            var name = $"/tmp/typed{i + 2}";
            var text = string.Concat(Enumerable.Range(0, 1000).Select(n => (char)('a' + ((n + i + 26) % 26))));
            await computer.Desktop.TypeAsync($"cat > {name}\n");
            await one.MeasureAsync(() => DoneAsync(computer.Desktop.TypeAsync(text)));
            await computer.Desktop.KeyAsync("Return");
            await computer.Desktop.KeyAsync("ctrl+d");
            // A fast call that loses characters would be no figure.
            await UntilAsync("what was typed is in the file", async () => (await computer.RunAsync($"cat {name} 2>/dev/null")).Stdout == text + "\n");
            if (i >= 0)
                type.Add(one.Median);
        }
        report.Add(click);
        report.Add(move);
        report.Add(type);
    }

    private static async Task<int> DoneAsync(Task task)
    {
        await task;
        return 0;
    }

    public static async Task UntilAsync(string fact, Func<Task<bool>> isTrue) => await Miosa.Platform.Platform.UntilAsync(fact, isTrue);
}
