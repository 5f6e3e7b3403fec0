using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>A machine that takes more than its share, and what is left for the others.</summary>
public sealed class LimitTests(RuntimeFixture runtime)
{
    [Fact]
    public async Task A_process_that_takes_too_much_memory_is_killed_and_the_machine_lives()
    {
        await using var machine = await runtime.LaunchAsync(request => request with { MemoryMb = 64 });
        // tail keeps everything it reads until the end of the line that never comes.
        var ran = await machine.ShAsync("tail -n 1 /dev/zero");
        Assert.Equal(137, ran.ExitCode);
        Assert.Equal("alive", (await machine.ShAsync("echo alive")).Output.Trim());
        Assert.True((await machine.InspectAsync()).Usage!.OomKills > 0); // inspect always has usage
    }

    [Fact]
    public async Task A_fork_bomb_stops_at_the_limit_of_processes()
    {
        await using var bombed = await runtime.LaunchAsync(request => request with { Pids = 64 });
        await using var neighbour = await runtime.LaunchAsync();
        // Every copy is bounded in time, so that the test ends even where the limit does not hold.
        await bombed.ShAsync("i=0; while [ $i -lt 300 ]; do sleep 20 & i=$((i+1)); done; true");
        Assert.InRange((await bombed.InspectAsync()).Usage!.Pids, 8, 64); // inspect always has usage
        Assert.Equal("fine", (await neighbour.ShAsync("echo fine")).Output.Trim());
    }

    [Fact]
    public async Task A_full_disk_is_the_machine_s_own_trouble()
    {
        await using var full = await runtime.LaunchAsync(request => request with { DiskMb = 32 });
        await using var neighbour = await runtime.LaunchAsync();
        var ran = await full.ShAsync("dd if=/dev/urandom of=/tmp/big bs=1M count=100; sync; stat -c %s /tmp/big");
        Assert.Contains("quota", ran.Errors + ran.Output, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(long.Parse(ran.Output.Trim().Split('\n')[^1]), 1, 33L << 20);
        Assert.Equal(0, (await neighbour.ShAsync("dd if=/dev/zero of=/tmp/some bs=1M count=40")).ExitCode);
    }

    [Fact]
    public async Task A_raised_disk_limit_gives_room()
    {
        await using var machine = await runtime.LaunchAsync(request => request with { DiskMb = 24 });
        Assert.NotEqual(0, (await machine.ShAsync("dd if=/dev/urandom of=/tmp/big bs=1M count=40")).ExitCode);
        await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Limit, Machine = machine.Info.Machine, DiskMb = 128 }, RuntimeWireJson.Default.MachineInfo);
        Assert.Equal(0, (await machine.ShAsync("dd if=/dev/urandom of=/tmp/big bs=1M count=40")).ExitCode);
    }

    [Fact]
    public async Task Memory_can_be_raised_and_lowered_while_the_machine_runs()
    {
        await using var machine = await runtime.LaunchAsync();
        foreach (var memory in new long[] { 256, 96 })
        {
            var info = await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Limit, Machine = machine.Info.Machine, MemoryMb = memory }, RuntimeWireJson.Default.MachineInfo);
            Assert.Equal(memory, info.MemoryMb);
        }
        Assert.Equal(137, (await machine.ShAsync("tail -n 1 /dev/zero")).ExitCode);
        Assert.True((await machine.InspectAsync()).Usage!.MemoryPeakBytes <= 128L << 20); // inspect always has usage
    }

    [Fact]
    public async Task A_frozen_machine_does_nothing_until_it_is_thawed()
    {
        await using var machine = await runtime.LaunchAsync();
        await machine.ShAsync("(while :; do echo x >> /tmp/ticks; usleep 2000; done) >/dev/null 2>&1 &");
        var ticks = new FileInfo($"{runtime.Data}/machines/{machine.Info.Machine}/disk/upper/tmp/ticks");
        long Length()
        {
            ticks.Refresh();
            return ticks.Exists ? ticks.Length : 0;
        }
        await Eventually.TrueAsync(() => Length() > 4, "the first ticks");
        Assert.Equal(MachineStates.Frozen, (await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Freeze, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo)).State);
        var frozenAt = (await machine.InspectAsync()).Usage!.CpuUsec; // inspect always has usage
        Assert.Equal(frozenAt, (await machine.InspectAsync()).Usage!.CpuUsec); // inspect always has usage
        var length = Length();
        await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Thaw, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        await Eventually.TrueAsync(() => Length() > length, "ticks after the thaw");
    }

    [Fact]
    public async Task A_frozen_machine_can_be_destroyed()
    {
        var machine = await runtime.LaunchAsync();
        await machine.Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Freeze, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        await machine.DestroyAsync();
        await HostTraces.AssertNoneAsync(runtime, machine.Info);
        machine.Client.Dispose();
    }
}
