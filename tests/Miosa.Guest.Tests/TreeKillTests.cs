using Miosa.Server.Guests;

namespace Miosa.Guest.Tests;

/// <summary>Whatever a command did to get away, its end is the end of all it started.</summary>
public sealed class TreeKillTests(SharedMachine shared) : IClassFixture<SharedMachine>
{
    private readonly Machine _machine = shared.Machine;

    [Theory]
    [InlineData("sleep 7001", "sleep 7001")]
    [InlineData("setsid sleep 7002 & sleep 7002", "sleep 7002")]
    [InlineData("(setsid sh -c 'env -i sleep 7003 & env -i sleep 7003 &' &) ; sleep 7003", "sleep 7003")]
    [InlineData("trap '' TERM INT HUP; (trap '' TERM; sleep 7004) & sleep 7004; sleep 7004", "sleep 7004")]
    [InlineData("exec >&- 2>&-; sleep 7005", "sleep 7005")]
    [InlineData("python3 -c \"\nimport os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0:\n  os.closerange(0,100); os.execve('/bin/sleep',['sleep','7006'],{})\n os._exit(0)\ntime.sleep(1000)\"", "sleep 7006")]
    [InlineData("nohup sleep 7007 >/dev/null 2>&1 & kill -STOP $$", "sleep 7007")]
    public async Task Timeout_leaves_nothing(string shell, string mark)
    {
        var outcome = await _machine.RunAsync(shell, timeoutMs: 400);
        Assert.Equal((124, true, 9), (outcome.ExitCode, outcome.Reply.TimedOut, outcome.Reply.Signal));
        Assert.Equal(0, await _machine.CountAsync(mark));
    }

    [Fact]
    public async Task Cancelling_kills_the_tree_before_it_returns()
    {
        using var stop = new CancellationTokenSource();
        var started = new TaskCompletionSource();
        var run = _machine.Guest.ExecAsync(
            new ExecCall { Shell = "setsid sleep 7010 & echo started; sleep 7010" },
            (_, _, _) =>
            {
                started.TrySetResult();
                return ValueTask.CompletedTask;
            },
            null, stop.Token);
        await started.Task;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Equal(0, await _machine.CountAsync("sleep 7010"));
    }

    [Fact]
    public async Task Losing_the_connection_kills_the_tree()
    {
        var guest = await _machine.ConnectAsync();
        var started = new TaskCompletionSource();
        var run = guest.ExecAsync(
            new ExecCall { Shell = "setsid sleep 7011 & echo started; sleep 7011" },
            (_, _, _) =>
            {
                started.TrySetResult();
                return ValueTask.CompletedTask;
            },
            null, CancellationToken.None);
        await started.Task;
        await guest.DisposeAsync();
        Assert.Equal(GuestException.Disconnected, (await Assert.ThrowsAsync<GuestException>(() => run)).Code);
        Assert.True(await _machine.IsGoneAsync("sleep 7011"));
    }

    [Fact]
    public async Task A_command_that_ends_by_itself_may_leave_a_server_behind()
    {
        // Until it is what it is to become: nohup and setsid come first.
        await _machine.RunAsync("nohup setsid sleep 7012 >/dev/null 2>&1 & until grep -aq '^sleep' /proc/$!/cmdline; do :; done");
        Assert.Equal(1, await _machine.CountAsync("sleep 7012"));
    }

    [Fact]
    public async Task Killing_everything_one_can_does_not_end_the_machine()
    {
        await _machine.RunAsync("setsid sleep 7013 & kill -9 -1; sleep 7013");
        Assert.Equal("alive\n", (await _machine.RunAsync("echo alive")).Stdout);
        Assert.True(await _machine.IsGoneAsync("sleep 7013"));
    }

    [Fact]
    public async Task Killing_the_supervisor_ends_the_command()
    {
        var outcome = await _machine.RunAsync("sleep 7014 & kill -9 $PPID; sleep 7014");
        Assert.Equal(137, outcome.ExitCode);
        Assert.True(await _machine.IsGoneAsync("sleep 7014"), (await _machine.RunAsync("ps -efj")).Stdout + outcome);
    }

    [Fact]
    public async Task No_signal_ends_the_first_process()
    {
        await _machine.RunAsync("for s in $(seq 1 64); do kill -$s 1; done");
        Assert.Equal("alive\n", (await _machine.RunAsync("echo alive")).Stdout);
    }

    [Fact]
    public async Task Orphans_are_reaped()
    {
        await _machine.RunAsync("for i in $(seq 50); do (setsid sh -c 'sleep 0.05' &) ; done");
        for (var look = System.Diagnostics.Stopwatch.StartNew(); look.Elapsed < TimeSpan.FromSeconds(5) && (_machine.Zombies() > 0 || await _machine.CountAsync("sleep 0.05") > 0);)
            await Task.Yield();
        Assert.Equal((0, 0), (_machine.Zombies(), await _machine.CountAsync("sleep 0.05")));
    }
}

/// <summary>A machine at its process limit.</summary>
public sealed class ForkBombTests
{
    [Fact]
    public async Task A_fork_bomb_loses()
    {
        await using var machine = await Machine.StartAsync(pids: 200);
        await machine.RunAsync("true"); // the login shell, once
        var bomb = machine.RunAsync("b() { b | b & sleep 7100; }; b", timeoutMs: 1500);
        // While it burns, a second command is served or refused; the guest does neither hang nor die.
        try
        {
            await machine.RunAsync("true", timeoutMs: 20_000);
        }
        catch (GuestException e)
        {
            Assert.Equal(GuestErrorCode.Busy, e.Code);
        }
        Assert.Equal(124, (await bomb).ExitCode);
        Assert.Equal(0, await machine.CountAsync("7100"));
        Assert.Equal("alive\n", (await machine.RunAsync("echo alive")).Stdout);
        Assert.Equal(0, machine.Zombies());
    }
}
