using System.Diagnostics;
using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

public sealed class ExecTests(SharedMachine shared) : IClassFixture<SharedMachine>
{
    private readonly Machine _machine = shared.Machine;

    [Fact]
    public async Task Exec_returns_output_and_the_exit_code()
    {
        var outcome = await _machine.RunAsync("echo out; echo err >&2; exit 3");
        Assert.Equal(("out\n", "err\n", 3), (outcome.Stdout, outcome.Stderr, outcome.ExitCode));
        Assert.Null(outcome.Reply.Signal);
        Assert.True(outcome.Reply.DurationMs >= 1);
    }

    [Fact]
    public async Task Argv_runs_without_a_shell() =>
        Assert.Equal("$HOME *\n", (await _machine.RunAsync(new ExecCall { Argv = ["echo", "$HOME *"] })).Stdout);

    [Fact]
    public async Task Environment_is_that_of_a_login_shell_and_the_image_and_the_call()
    {
        var call = new ExecCall { Argv = ["sh", "-c", "echo $HOME $USER $IMAGE_SAYS $MINE; pwd"], Env = new() { ["MINE"] = "42" } };
        Assert.Equal("/root root hello 42\n/workspace\n", (await _machine.RunAsync(call)).Stdout);
    }

    [Fact]
    public async Task Stdin_reaches_the_command_and_ends() =>
        Assert.Equal("3\n", (await _machine.RunAsync("wc -c", stdin: "abc")).Stdout);

    [Fact]
    public async Task Without_stdin_input_is_empty() => Assert.Equal("0\n", (await _machine.RunAsync("wc -c")).Stdout);

    [Fact]
    public async Task Stdin_that_nobody_reads_does_not_hang() =>
        Assert.Equal(0, (await _machine.RunAsync("exec <&-; true", stdin: new string('x', 2_000_000))).ExitCode);

    [Fact]
    public async Task Death_by_signal_is_128_plus_n()
    {
        var outcome = await _machine.RunAsync("kill -TERM $$");
        Assert.Equal((143, 15), (outcome.ExitCode, outcome.Reply.Signal));
    }

    [Theory]
    [InlineData("nosuchcommand", 127, "nosuchcommand: command not found\n")]
    [InlineData("/no/such/file", 127, "/no/such/file: no such file or directory\n")]
    [InlineData("/etc/passwd", 126, "/etc/passwd: permission denied\n")]
    [InlineData("/etc", 126, "/etc: permission denied\n")]
    [InlineData("", 127, ": command not found\n")]
    public async Task A_command_that_cannot_run_ends_as_a_shell_says(string program, int code, string message)
    {
        var outcome = await _machine.RunAsync(new ExecCall { Argv = [program] });
        Assert.Equal((code, message), (outcome.ExitCode, outcome.Stderr));
    }

    [Fact]
    public async Task A_script_without_a_first_line_runs_in_sh()
    {
        await _machine.RunAsync("printf 'echo ran $1' > script; chmod +x script");
        Assert.Equal("ran x\n", (await _machine.RunAsync(new ExecCall { Argv = ["./script", "x"] })).Stdout);
    }

    [Fact]
    public async Task A_missing_cwd_is_not_found() => await RefusedAsync(GuestErrorCode.NotFound, new ExecCall { Shell = "true", Cwd = "/none" });

    [Fact]
    public async Task A_cwd_that_is_a_file_is_not_a_directory() =>
        await RefusedAsync(GuestErrorCode.NotDirectory, new ExecCall { Shell = "true", Cwd = "/etc/passwd" });

    [Fact]
    public async Task An_unknown_user_is_not_found() => await RefusedAsync(GuestErrorCode.NotFound, new ExecCall { Shell = "true", User = "zork" });

    [Fact]
    public async Task A_call_that_makes_no_sense_is_a_bad_request()
    {
        await RefusedAsync(GuestErrorCode.BadRequest, new ExecCall());
        await RefusedAsync(GuestErrorCode.BadRequest, new ExecCall { Shell = "true", Argv = ["true"] });
        await RefusedAsync(GuestErrorCode.BadRequest, new ExecCall { Shell = "true", TimeoutMs = 0 });
        await RefusedAsync(GuestErrorCode.BadRequest, new ExecCall { Argv = ["a\0b"] });
        await RefusedAsync(GuestErrorCode.BadRequest, new ExecCall { Shell = "true", Env = new() { ["A=B"] = "" } });
    }

    [Fact]
    public async Task Another_user_has_its_own_rights_and_home()
    {
        var outcome = await _machine.RunAsync(new ExecCall { Shell = "id -u; id -g; echo $USER; cat /etc/shadow", User = "nobody", Cwd = "/" });
        Assert.StartsWith("65534\n65534\nnobody\n", outcome.Stdout, StringComparison.Ordinal);
        Assert.NotEqual(0, outcome.ExitCode);
    }

    [Fact]
    public async Task A_command_starts_with_clean_signals_and_no_foreign_descriptors()
    {
        var outcome = await _machine.RunAsync(new ExecCall { Argv = ["cat", "/proc/self/status"] });
        Assert.Contains("SigBlk:\t0000000000000000", outcome.Stdout, StringComparison.Ordinal);
        Assert.Contains("SigIgn:\t0000000000000000", outcome.Stdout, StringComparison.Ordinal);
        var fds = await _machine.RunAsync(new ExecCall { Argv = ["ls", "/proc/self/fd"] });
        Assert.Equal("0\n1\n2\n3\n", fds.Stdout); // 3 is the directory that ls reads
    }

    [Fact]
    public async Task A_background_child_that_holds_the_output_does_not_hold_the_answer()
    {
        var watch = Stopwatch.StartNew();
        var outcome = await _machine.RunAsync("sleep 4242 & echo hi");
        Assert.Equal("hi\n", outcome.Stdout);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2));
        Assert.Equal(1, await _machine.CountAsync("sleep 4242"));
    }

    [Fact]
    public async Task A_server_left_behind_may_go_on_printing()
    {
        await _machine.RunAsync("(while :; do head -c 100000 /dev/zero; echo x > /tmp/alive; done) & true");
        // Each round needs its 100,000 bytes taken by somebody: the file comes back only if they are.
        for (var round = 0; round < 3; round++)
        {
            var outcome = await _machine.RunAsync("rm -f /tmp/alive; while [ ! -e /tmp/alive ]; do :; done", timeoutMs: 10_000);
            Assert.Equal(0, outcome.ExitCode);
        }
    }

    [Fact]
    public async Task Output_may_be_closed_and_the_command_goes_on() =>
        Assert.Equal(7, (await _machine.RunAsync("exec >&- 2>&-; for i in 1 2 3; do :; done; exit 7")).ExitCode);

    [Fact]
    public async Task One_gigabyte_of_output_leaves_memory_flat()
    {
        long bytes = 0;
        var (guestBefore, hostBefore) = (_machine.MemoryKb("Private_Dirty"), GC.GetTotalMemory(true));
        var reply = await _machine.Guest.ExecAsync(
            new ExecCall { Shell = "head -c 1000000000 /dev/zero" },
            (_, chunk, _) =>
            {
                bytes += chunk.Length;
                return ValueTask.CompletedTask;
            },
            null, TestContext.Current.CancellationToken);
        Assert.Equal((0, 1_000_000_000L), (reply.ExitCode, bytes));
        Assert.True(_machine.MemoryKb("Private_Dirty") - guestBefore < 3000, "guest grew");
        Assert.True(GC.GetTotalMemory(true) - hostBefore < 8_000_000, "client grew");
    }

    [Fact]
    public async Task A_reader_that_stops_stops_the_command()
    {
        using var stop = new CancellationTokenSource();
        var blocked = new TaskCompletionSource();
        var run = _machine.Guest.ExecAsync(
            new ExecCall { Shell = "i=0; while :; do head -c 65536 /dev/zero; i=$((i+1)); echo $i > /tmp/pieces.new; mv /tmp/pieces.new /tmp/pieces; done" },
            async (_, _, ct) =>
            {
                blocked.TrySetResult();
                await Task.Delay(Timeout.Infinite, ct);
            },
            null, stop.Token);
        await blocked.Task;
        // 262,144 of window, one pipe of 65,536 and a piece under way: it cannot get beyond, however long we look.
        for (var look = 0; look < 40; look++)
        {
            var pieces = await _machine.RunAsync("cat /tmp/pieces 2>/dev/null || echo 0");
            Assert.True(int.Parse(pieces.Stdout.Trim(), System.Globalization.CultureInfo.InvariantCulture) <= 6, pieces.Stdout);
        }
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
    }

    [Fact]
    public async Task Many_commands_run_at_once_on_one_connection()
    {
        var runs = Enumerable.Range(0, 40).Select(i => _machine.RunAsync($"cat; echo {i}; exit {i}", stdin: $"in{i}\n")).ToArray();
        for (var i = 0; i < runs.Length; i++)
        {
            var outcome = await runs[i];
            Assert.Equal(($"in{i}\n{i}\n", i), (outcome.Stdout, outcome.ExitCode));
        }
    }

    [Fact]
    public async Task A_guest_stays_small_after_a_thousand_commands()
    {
        await using var machine = await Machine.StartAsync();
        for (var i = 0; i < 1000; i++)
            await machine.RunAsync(new ExecCall { Argv = ["/bin/true"] });
        Assert.InRange(machine.MemoryKb("Anonymous"), 1, 2500);
    }

    [Fact]
    public async Task Info_tells_what_the_guest_is()
    {
        var info = await _machine.Guest.InfoAsync(TestContext.Current.CancellationToken);
        Assert.Equal((1, "0.1.0"), (info.Generation, info.Version));
        Assert.True(info.Processes >= 1 && info.UptimeMs >= 0);
    }

    private async Task RefusedAsync(string code, ExecCall call) =>
        Assert.Equal(code, (await Assert.ThrowsAsync<GuestException>(() => _machine.RunAsync(call))).Code);
}
