using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>Launch, death, destroy, and the runtime's own death.</summary>
public sealed class LifeTests(RuntimeFixture runtime)
{
    [Fact]
    public async Task Destroy_leaves_nothing_behind_and_can_be_repeated()
    {
        var machine = await runtime.LaunchAsync();
        await machine.ShAsync("sleep 100 >/dev/null 2>&1 & echo x > /tmp/x");
        Assert.NotEmpty(HostTraces.Cgroups(runtime, machine.Info.Machine));
        await machine.DestroyAsync();
        await HostTraces.AssertNoneAsync(runtime, machine.Info);
        await machine.DestroyAsync();
        machine.Client.Dispose();
    }

    [Theory]
    [InlineData("socket")]
    [InlineData("cgroup")]
    [InlineData("clone")]
    [InlineData("ids")]
    [InlineData("layers")]
    [InlineData("veth")]
    [InlineData("root")]
    [InlineData("masks")]
    [InlineData("network")]
    [InlineData("bounds")]
    [InlineData("guest")]
    [InlineData("record")]
    public async Task A_launch_that_fails_at_a_step_undoes_the_others(string step)
    {
        runtime.Stop(15);
        await runtime.StartAsync(failAt: step);
        try
        {
            using var client = runtime.Connect();
            var id = runtime.NewId();
            var error = await client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, Image = RuntimeFixture.Image });
            Assert.Equal(RuntimeErrors.Failed, error.Code);
            Assert.Contains(step, error.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists($"{runtime.Data}/machines/{id}"), "the disk stays");
            Assert.False(Directory.Exists($"{runtime.Run}/machines/{id}"), "the run directory stays");
            Assert.Empty(HostTraces.Cgroups(runtime, id));
            Assert.Empty(Children(runtime.DaemonPid, "miosa-guest"));
        }
        finally
        {
            runtime.Stop(15);
            await runtime.StartAsync();
        }
    }

    [Fact]
    public async Task A_guest_that_is_killed_makes_the_machine_dead_with_a_reason()
    {
        using var watcher = runtime.Connect();
        await using var machine = await runtime.LaunchAsync();
        await watcher.SendLineAsync("""{"id":9,"op":"watch"}""");
        await machine.ShAsync("sleep 100 >/dev/null 2>&1 &");
        _ = Native.kill(machine.Info.Pid, 9);

        var change = await NextChangeAsync(watcher, machine.Info.Machine);
        Assert.Equal(MachineStates.Dead, change.State);
        Assert.Equal("guest killed by signal 9", change.Reason);
        Assert.Empty(HostTraces.Cgroups(runtime, machine.Info.Machine));
        var info = await machine.InspectAsync();
        Assert.Equal((MachineStates.Dead, 0), (info.State, info.Pid));
        await machine.DestroyAsync();
        await HostTraces.AssertNoneAsync(runtime, machine.Info);
    }

    [Fact]
    public async Task Machines_outlive_a_killed_runtime_and_are_taken_over()
    {
        await using var machine = await runtime.LaunchAsync();
        await machine.ShAsync("echo kept > /tmp/kept");
        runtime.Stop(9);
        Assert.Equal("kept", (await Guest.ShellAsync(machine.Info.Socket, "cat /tmp/kept")).Output.Trim());
        await runtime.StartAsync();

        using var client = runtime.Connect();
        var inspect = new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = machine.Info.Machine };
        var info = await client.OkAsync(inspect, RuntimeWireJson.Default.MachineInfo);
        Assert.Equal((MachineStates.Running, machine.Info.Pid, machine.Info.Address), (info.State, info.Pid, info.Address));
        // Another machine may not get the same numbers.
        await using var next = await runtime.LaunchAsync();
        Assert.NotEqual(info.BaseId, next.Info.BaseId);
        Assert.NotEqual(info.Address, next.Info.Address);

        using var watcher = runtime.Connect();
        await watcher.SendLineAsync("""{"id":9,"op":"watch"}""");
        _ = Native.kill(info.Pid, 9);
        Assert.Equal("guest killed by signal 9", (await NextChangeAsync(watcher, machine.Info.Machine)).Reason);
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = machine.Info.Machine }, RuntimeWireJson.Default.RuntimeNothing);
        await HostTraces.AssertNoneAsync(runtime, machine.Info);
    }

    [Fact]
    public async Task A_machine_that_died_while_no_runtime_ran_is_dead_after_the_start()
    {
        await using var machine = await runtime.LaunchAsync();
        runtime.Stop(15);
        _ = Native.kill(machine.Info.Pid, 9);
        await runtime.StartAsync();
        using var client = runtime.Connect();
        await Eventually.TrueAsync(() => HostTraces.Cgroups(runtime, machine.Info.Machine).Count == 0, "the end of the cgroup");
        var info = await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        Assert.Equal(MachineStates.Dead, info.State);
        await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = machine.Info.Machine }, RuntimeWireJson.Default.RuntimeNothing);
    }

    [Fact]
    public async Task A_launcher_that_is_killed_is_started_again()
    {
        await using var before = await runtime.LaunchAsync();
        foreach (var pid in Children(runtime.DaemonPid, "miosa-launcher")) _ = Native.kill(pid, 9);
        await using var after = await runtime.LaunchAsync();
        Assert.Equal("fine", (await before.ShAsync("echo fine")).Output.Trim());
        Assert.Equal("fine", (await after.ShAsync("echo fine")).Output.Trim());
    }

    [Fact]
    public async Task Leftovers_without_a_record_are_removed_at_the_start()
    {
        runtime.Stop(15);
        Directory.CreateDirectory($"{runtime.Data}/machines/ghost/disk/upper");
        Directory.CreateDirectory($"{runtime.Run}/machines/ghost");
        await runtime.StartAsync();
        Assert.False(Directory.Exists($"{runtime.Data}/machines/ghost"));
        Assert.False(Directory.Exists($"{runtime.Run}/machines/ghost"));
    }

    private static async Task<MachineChange> NextChangeAsync(RuntimeClient watcher, string machine)
    {
        while (true)
        {
            var answer = await watcher.ReadAsync();
            var change = System.Text.Json.JsonSerializer.Deserialize(answer.Progress!.Value, RuntimeWireJson.Default.MachineChange)!; // watch sends nothing else
            if (change.Machine == machine) return change;
        }
    }

    private static List<int> Children(int parent, string name) =>
        [.. Directory.EnumerateDirectories("/proc").Select(path => int.TryParse(Path.GetFileName(path), out var pid) ? pid : 0).Where(pid => pid > 0 && IsChild(pid, parent, name))];

    private static bool IsChild(int pid, int parent, string name)
    {
        try
        {
            var command = File.ReadAllText($"/proc/{pid}/cmdline").Split('\0')[0];
            return command.EndsWith(name, StringComparison.Ordinal) && File.ReadAllText($"/proc/{pid}/status").Contains($"PPid:\t{parent}\n", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
