using System.Diagnostics;
using System.Globalization;

namespace Miosa.Bench;

/// <summary>
/// From a key typed at the client to its echo read there, through SDK, WebSocket, server, guest and pseudo-terminal. The floor is the same echo
/// of a bare pseudo-terminal in the machine.
/// </summary>
internal static class TerminalBench
{
    private const int Keys = 2000;
    private const int WarmUp = 100;

    private const string Bare = """
        import os, pty, time
        master, slave = pty.openpty()
        times = []
        for i in range(2100):
            since = time.perf_counter_ns()
            os.write(master, b'x')
            os.read(master, 100)
            times.append(time.perf_counter_ns() - since)
            os.write(master, b'\x15') if i % 100 == 99 else None
            if i % 100 == 99: os.read(master, 4096)
        print(' '.join('%.4f' % (t / 1e6) for t in times[100:]))
        """;

    public static async Task RunAsync(Report report)
    {
        await using var bed = await Bed.StartAsync("--pool-size", "0");
        await using var sandbox = await bed.Client.Sandboxes.CreateAsync(image: Bed.Image);
        var session = await sandbox.Terminals.CreateAsync(new() { Shell = "cat" });
        await using var terminal = await sandbox.Terminals.AttachAsync(session.Id);
        var ours = new Times("terminal: key to echo at the client");
        var buffer = new byte[4096];
        for (var i = 0; i < Keys + WarmUp; i++)
        {
            var since = Stopwatch.GetTimestamp();
            await terminal.WriteAsync("x"u8.ToArray());
            if (await terminal.ReadAsync(buffer) == 0)
                throw new InvalidOperationException("the terminal ended");
            if (i >= WarmUp)
                ours.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
            // A terminal's line has an end: ^U clears it.
            if (i % 100 != 99)
                continue;
            await terminal.WriteAsync(new byte[] { 21 });
            if (await terminal.ReadAsync(buffer) == 0)
                throw new InvalidOperationException("the terminal ended");
        }
        await sandbox.Files.WriteAsync("/workspace/echo.py", Bare);
        var bare = await sandbox.ExecAsync(["python3", "/workspace/echo.py"], timeout: TimeSpan.FromMinutes(2));
        var floor = new Times("floor: bare pseudo-terminal in the machine");
        foreach (var value in bare.Stdout.Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            floor.Add(double.Parse(value, CultureInfo.InvariantCulture));
        report.Add(ours);
        report.Add(floor);
    }
}
