using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>Machines under runsc: the same guest on a kernel of its own, and memory that can be written to disk.</summary>
public sealed class GvisorTests(RuntimeFixture runtime) : IAsyncLifetime
{
    private readonly List<string> snapshots = [];
    private readonly List<string> machines = [];
    private RuntimeClient? client;

    private RuntimeClient Client => client ?? throw new InvalidOperationException("not connected");

    public async ValueTask InitializeAsync()
    {
        client = runtime.Connect();
        var hello = await client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Hello }, RuntimeWireJson.Default.RuntimeHello);
        Assert.SkipUnless(hello.Isolations?.Contains(Isolations.Gvisor) == true, "this host has no gVisor tier: " + string.Join("; ", hello.Notes));
    }

    public async ValueTask DisposeAsync()
    {
        using var last = runtime.Connect();
        foreach (var id in machines) await last.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = id }, RuntimeWireJson.Default.RuntimeNothing);
        foreach (var id in snapshots) await last.OkAsync(new RuntimeRequest { Op = RuntimeOps.DeleteSnapshot, Snapshot = id }, RuntimeWireJson.Default.RuntimeNothing);
        Client.Dispose();
    }

    [Fact]
    public async Task A_machine_has_a_kernel_of_its_own_and_nothing_of_it_is_root_on_the_host()
    {
        await using var machine = await LaunchAsync();
        var kernel = await machine.ShAsync("cat /proc/version; id -u; cat /proc/sys/kernel/hostname; ls /data /var/lib/miosa 2>&1");
        Assert.DoesNotContain(await File.ReadAllTextAsync("/proc/version"), kernel.Output, StringComparison.Ordinal);
        Assert.Contains("\n0\n", kernel.Output, StringComparison.Ordinal);
        var pids = Pids(machine.Info.Machine);
        Assert.True(pids.Count >= 2, "runsc has a kernel and a gofer");
        Assert.All(pids, pid => Assert.InRange(Owner(pid), machine.Info.BaseId, machine.Info.BaseId + 65_535));
    }

    [Fact]
    public async Task Destroy_leaves_nothing_behind()
    {
        var machine = await LaunchAsync();
        await machine.ShAsync("sleep 100 >/dev/null 2>&1 & echo x > /tmp/x");
        var pids = Pids(machine.Info.Machine);
        await machine.DestroyAsync();
        await HostTraces.AssertNoneAsync(runtime, machine.Info);
        await Eventually.TrueAsync(() => pids.All(pid => !Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}"))), "the end of every process of the machine");
        Assert.DoesNotContain(await File.ReadAllLinesAsync("/proc/self/mountinfo"), line => line.Contains($"/{machine.Info.Machine} ", StringComparison.Ordinal));
        machine.Client.Dispose();
    }

    [Fact]
    public async Task A_machine_reaches_no_address_of_the_host_but_itself()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        await using var machine = await LaunchAsync();
        Assert.NotEqual(0, (await machine.ShAsync($"nc -w 2 {HostTraces.HostSide(machine.Info.Address!)} {((IPEndPoint)listener.LocalEndpoint).Port} </dev/null")).ExitCode); // it has a network
        Assert.Equal("self", (await machine.ShAsync("(echo self | nc -l -p 4000 &) ; for i in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 4000 </dev/null && exit; sleep 0.1; done")).Output.Trim());
    }

    [Fact]
    public async Task Files_are_on_the_disk_those_in_tmp_too_over_forks_stops_and_a_killed_runtime()
    {
        await using var machine = await LaunchAsync();
        await OkAsync(machine.Info, "echo here > /workspace/file && echo there > /tmp/file && ln -s file /tmp/link && chown 5:6 /tmp/file");
        const string look = """test "$(cat /workspace/file /tmp/link)" = "$(printf 'here\nthere')" && test "$(stat -c %u:%g /tmp/file)" = 5:6""";

        var fork = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Fork, Source = machine.Info.Machine, Machine = NewMachine() }, RuntimeWireJson.Default.MachineInfo);
        Assert.Equal(Isolations.Gvisor, fork.Isolation);
        await OkAsync(fork, look);

        runtime.Stop(9);
        await runtime.StartAsync();
        using var again = runtime.Connect();
        await OkAsync(machine.Info, look);
        await again.OkAsync(new RuntimeRequest { Op = RuntimeOps.Stop, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        var started = await again.OkAsync(new RuntimeRequest { Op = RuntimeOps.Start, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        await OkAsync(started, look);
        client = runtime.Connect();
    }

    [Fact]
    public async Task A_fork_with_memory_goes_on_where_its_source_was_and_so_does_the_source()
    {
        await using var machine = await LaunchAsync();
        await CountAsync(machine.Info);
        await Guest.SuspendAsync(machine.Info.Socket);

        var fork = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Fork, Source = machine.Info.Machine, Machine = NewMachine(), Memory = true }, RuntimeWireJson.Default.MachineInfo);

        Assert.NotEqual(machine.Info.BaseId, fork.BaseId);
        foreach (var info in new[] { machine.Info, fork }) await GoesOnAsync(info);
        // Independent from here on, and each with the address that it has on the host.
        await OkAsync(fork, $"kill $(cat /workspace/pid) && ip -o -4 addr show eth0 | grep -q ' {fork.Address}/'");
        await GoesOnAsync(machine.Info);
    }

    [Fact]
    public async Task A_snapshot_with_memory_outlives_its_machine_and_the_runtime_and_can_be_used_twice_or_without()
    {
        var id = "";
        await using (var machine = await LaunchAsync())
        {
            await CountAsync(machine.Info);
            await Guest.SuspendAsync(machine.Info.Socket);
            id = $"s{machine.Info.Machine}";
            snapshots.Add(id);
            var snapshot = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = machine.Info.Machine, Snapshot = id, Memory = true }, RuntimeWireJson.Default.SnapshotInfo);
            Assert.True(snapshot.Memory);
            await GoesOnAsync(machine.Info);
        }
        runtime.Stop(9);
        await runtime.StartAsync();
        client = runtime.Connect();
        foreach (var memory in new[] { true, true, false })
        {
            var info = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = NewMachine(), From = id, MemoryMb = 256, DiskMb = 128, Memory = memory }, RuntimeWireJson.Default.MachineInfo);
            if (memory) await GoesOnAsync(info);
            else await OkAsync(info, "test -e /workspace/count && ! kill -0 $(cat /workspace/pid) 2>/dev/null");
        }
    }

    [Fact]
    public async Task A_machine_stopped_with_its_memory_goes_on_after_the_runtime_and_everything_else_has_ended()
    {
        await using var machine = await LaunchAsync(durable: true);
        await CountAsync(machine.Info);
        await Guest.SuspendAsync(machine.Info.Socket);
        var stopped = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Stop, Machine = machine.Info.Machine, Memory = true }, RuntimeWireJson.Default.MachineInfo);
        Assert.Equal((MachineStates.Dead, true), (stopped.State, stopped.Memory));
        Assert.Empty(HostTraces.Cgroups(runtime, machine.Info.Machine));

        // A copy of what stands on disk goes on, too.
        var fork = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Fork, Source = machine.Info.Machine, Machine = NewMachine(), Memory = true }, RuntimeWireJson.Default.MachineInfo);
        await GoesOnAsync(fork);

        runtime.Stop(9);
        await runtime.StartAsync();
        client = runtime.Connect();
        var count = await CountOfAsync(fork);
        var started = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Start, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo);
        Assert.True(started.Memory);
        Assert.Null((await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Inspect, Machine = machine.Info.Machine }, RuntimeWireJson.Default.MachineInfo)).Memory);
        await GoesOnAsync(started);
        Assert.True(count > 0);
    }

    [Fact]
    public async Task A_machine_whose_guest_was_not_suspended_goes_on_as_if_nothing_had_been_asked()
    {
        await using var machine = await LaunchAsync();
        await CountAsync(machine.Info);
        var refused = await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Stop, Machine = machine.Info.Machine, Memory = true });
        Assert.Equal(RuntimeErrors.Failed, refused.Code);
        await GoesOnAsync(machine.Info);
        Assert.Equal(MachineStates.Running, (await machine.InspectAsync()).State);
    }

    [Fact]
    public async Task A_guest_that_was_suspended_for_nothing_opens_its_door_again()
    {
        await using var machine = await LaunchAsync();
        await Guest.SuspendAsync(machine.Info.Socket);
        // Refused at once, because there is such a snapshot of another machine; the door must open all the same.
        await using var other = await LaunchAsync();
        snapshots.Add("taken");
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = other.Info.Machine, Snapshot = "taken" }, RuntimeWireJson.Default.SnapshotInfo);
        Assert.Equal(RuntimeErrors.Exists, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = machine.Info.Machine, Snapshot = "taken", Memory = true })).Code);
        Assert.Equal("back\n", (await machine.ShAsync("echo back")).Output);
    }

    [Fact]
    public async Task Memory_of_other_machines_is_refused()
    {
        await using var machine = await runtime.LaunchAsync();
        foreach (var request in new[]
        {
            new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = machine.Info.Machine, Snapshot = "none", Memory = true },
            new RuntimeRequest { Op = RuntimeOps.Fork, Source = machine.Info.Machine, Machine = NewMachine(), Memory = true },
            new RuntimeRequest { Op = RuntimeOps.Stop, Machine = machine.Info.Machine, Memory = true },
        })
            Assert.Equal(RuntimeErrors.BadRequest, (await Client.RefusedAsync(request)).Code);
        Assert.Equal(MachineStates.Running, (await machine.InspectAsync()).State);
    }

    [Theory]
    [InlineData("rm -rf /run/miosa/* ; ln -s /etc/passwd /run/miosa/guest.sock")]
    [InlineData("rm -rf /run/miosa/* ; echo x > /run/miosa/guest.sock")]
    [InlineData("rm -rf /run/miosa/* ; mkdir -p /run/miosa/guest.sock/a/b")]
    public async Task What_a_machine_puts_where_its_socket_was_never_becomes_its_door(string plant)
    {
        await using var machine = await LaunchAsync();
        await machine.ShAsync(plant);
        var door = $"{runtime.Run}/machines/{machine.Info.Machine}/door/guest.sock";
        await Eventually.TrueAsync(() => new FileInfo(door) is { Exists: false, LinkTarget: null } && !Directory.Exists(door), "the end of what was planted");
        Assert.Equal("mine\n", (await machine.ShAsync("echo mine")).Output);
        Assert.Null(new FileInfo(machine.Info.Socket).LinkTarget);
    }

    [Fact]
    public async Task A_machine_cannot_fill_the_host_through_the_folder_it_shares_and_others_in_it_cannot_enter()
    {
        await using var machine = await LaunchAsync();
        var ran = await machine.ShAsync("echo someone:x:1000:1000::/tmp:/bin/sh >> /etc/passwd; dd if=/dev/zero of=/run/miosa/big bs=1M count=10; for i in $(seq 200); do touch /run/miosa/$i; done 2>/dev/null; du -k /run/miosa | tail -1 | cut -f1");
        Assert.True(int.Parse(ran.Output.Trim(), CultureInfo.InvariantCulture) < 100, ran.Output);
        Assert.NotEqual(0, (await Guest.ShellAsync(machine.Info.Socket, "ls /run/miosa", user: "someone")).ExitCode);
        Assert.Equal("lives\n", (await machine.ShAsync("echo lives")).Output);
    }

    [Fact]
    public async Task Too_much_memory_ends_the_machine_and_nothing_else()
    {
        await using var other = await LaunchAsync();
        await using var machine = await LaunchAsync();
        try
        {
            await machine.ShAsync("dd if=/dev/zero of=/dev/shm/a bs=1M count=100; dd if=/dev/zero of=/run/b bs=1M count=60; head -c 300000000 /dev/zero | tail -c 300000000 | wc -c");
        }
        catch (IOException)
        {
            // Its guest went with it.
        }
        await Eventually.TrueAsync(async () => (await machine.InspectAsync()).State == MachineStates.Dead, "the end of the machine");
        Assert.Equal("out of memory", (await machine.InspectAsync()).Reason);
        Assert.Equal("lives\n", (await other.ShAsync("echo lives")).Output);
    }

    [Theory]
    [InlineData("door")]
    [InlineData("runsc")]
    [InlineData("record")]
    public async Task A_launch_that_fails_at_a_step_undoes_the_others(string step)
    {
        runtime.Stop(15);
        await runtime.StartAsync(failAt: step);
        try
        {
            using var failing = runtime.Connect();
            var id = runtime.NewId();
            await failing.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, Image = RuntimeFixture.Image, Isolation = Isolations.Gvisor });
            Assert.False(Directory.Exists($"{runtime.Data}/machines/{id}"), "the disk stays");
            Assert.False(Directory.Exists($"{runtime.Run}/machines/{id}"), "the run directory stays");
            Assert.Empty(HostTraces.Cgroups(runtime, id));
        }
        finally
        {
            runtime.Stop(15);
            await runtime.StartAsync();
            client = runtime.Connect();
        }
    }

    private Task<TestMachine> LaunchAsync(bool durable = false) =>
        runtime.LaunchAsync(request => request with { Isolation = Isolations.Gvisor, MemoryMb = 256, Pids = 1024, Durable = durable });

    // A count that lives in the memory of a process alone; what it writes tells how far it is.
    private static Task OkAsync(MachineInfo info, string command) => OkAsync(info.Socket, command);

    private static async Task OkAsync(string socket, string command)
    {
        var ran = await Guest.ShellAsync(socket, command);
        Assert.True(ran.ExitCode == 0, $"{command}: {ran.Output}{ran.Errors}");
    }

    private static async Task CountAsync(MachineInfo info)
    {
        await OkAsync(info, "(i=1000; while :; do i=$((i+1)); echo $i > /workspace/count; sleep 0.05; done) >/dev/null 2>&1 & echo $! > /workspace/pid");
        Assert.True(await CountOfAsync(info) > 1000);
    }

    /// <summary>The next count that is told: a process that had begun anew would not be past the one before.</summary>
    private static async Task<int> CountOfAsync(MachineInfo info)
    {
        var ran = await Guest.ShellAsync(info.Socket, "rm -f /workspace/count; until n=$(cat /workspace/count 2>/dev/null) && [ -n \"$n\" ]; do sleep 0.02; done; echo $n");
        return int.Parse(ran.Output.Trim(), CultureInfo.InvariantCulture);
    }

    private static async Task GoesOnAsync(MachineInfo info)
    {
        var before = await CountOfAsync(info);
        var after = await CountOfAsync(info);
        Assert.True(before > 1000 && after > before, $"{before}, {after}");
        await OkAsync(info, "kill -0 $(cat /workspace/pid)");
    }

    private string NewMachine()
    {
        var id = runtime.NewId();
        machines.Add(id);
        return id;
    }

    private IReadOnlyList<int> Pids(string machine) =>
        [.. HostTraces.Cgroups(runtime, machine).SelectMany(cgroup => File.ReadLines(cgroup + "/cgroup.procs")).Select(line => int.Parse(line, CultureInfo.InvariantCulture)).Distinct()];

    private static long Owner(int pid) =>
        long.Parse(File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/status")).First(line => line.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[1], CultureInfo.InvariantCulture);
}
