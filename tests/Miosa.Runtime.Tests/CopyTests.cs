using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>Forks and snapshots: of one moment, independent afterwards, at any state of the source.</summary>
public sealed class CopyTests(RuntimeFixture runtime) : IAsyncLifetime
{
    private readonly List<string> snapshots = [];
    private readonly List<string> machines = [];
    private RuntimeClient? client;

    private RuntimeClient Client => client ?? throw new InvalidOperationException("not connected");

    public ValueTask InitializeAsync()
    {
        client = runtime.Connect();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        using var last = runtime.Connect();
        foreach (var id in machines) await last.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = id }, RuntimeWireJson.Default.RuntimeNothing);
        foreach (var id in snapshots) await last.OkAsync(new RuntimeRequest { Op = RuntimeOps.DeleteSnapshot, Snapshot = id }, RuntimeWireJson.Default.RuntimeNothing);
        Client.Dispose();
    }

    [Fact]
    public async Task A_fork_has_every_kind_of_file_its_source_has()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, """
            set -e
            echo text > /file && ln -s /file /link && ln /file /hard && mkfifo /pipe && mkdir -p /a/b && echo deep > /a/b/c
            rm /bin/ls && rm -rf /home && mkdir /home && echo mine > /home/this
            echo s > /set && chmod 4755 /set && chown 1000:1001 /a/b/c && chmod 1777 /a
            dd if=/dev/zero of=/sparse bs=1 count=1 seek=5000000 2>/dev/null
            """);

        var fork = await ForkAsync(source.Info.Machine);

        Assert.NotEqual(source.Info.BaseId, fork.BaseId);
        Assert.True(fork.FrozenMs > 0);
        await OkAsync(fork, """
            set -e
            test "$(cat /file)" = text && test "$(readlink /link)" = /file && test -p /pipe && test "$(cat /a/b/c)" = deep
            test "$(stat -c %i /file)" = "$(stat -c %i /hard)"
            test ! -e /bin/ls && test -e /bin/cat && test "$(echo /home/*)" = /home/this
            test "$(stat -c %a:%u:%g /set)" = 4755:0:0 && test "$(stat -c %u:%g /a/b/c)" = 1000:1001 && test "$(stat -c %a /a)" = 1777
            test "$(stat -c %s /sparse)" = 5000001 && test "$(stat -c %b /sparse)" -lt 100
            echo changed > /file && chown 5:6 /a/b/c && echo new > /new && mkdir /bin/ls
            """);
    }

    [Fact]
    public async Task Siblings_and_their_source_do_not_see_each_other_s_writes()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, "echo before > /file");
        var first = await ForkAsync(source.Info.Machine);
        var second = await ForkAsync(source.Info.Machine);

        await OkAsync(source.Info, "echo source > /file");
        await OkAsync(first, "echo first > /file; echo x > /only");

        Assert.Equal("before\n", (await Guest.ShellAsync(second.Socket, "cat /file; test ! -e /only")).Output);
        Assert.Equal("source\n", (await source.ShAsync("cat /file; test ! -e /only")).Output);
        await source.DestroyAsync();
        Assert.Equal("first\n", (await Guest.ShellAsync(first.Socket, "cat /file")).Output);
    }

    [Fact]
    public async Task A_frozen_machine_is_copied_and_stays_frozen()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, "echo here > /file");
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Freeze, Machine = source.Info.Machine }, RuntimeWireJson.Default.MachineInfo);

        var fork = await ForkAsync(source.Info.Machine);

        Assert.Equal("here\n", (await Guest.ShellAsync(fork.Socket, "cat /file")).Output);
        Assert.Equal(MachineStates.Frozen, (await source.InspectAsync()).State);
    }

    [Fact]
    public async Task A_fork_of_a_fork_of_a_fork_keeps_what_each_added()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, "echo 0 > /0");
        var last = source.Info;
        for (var depth = 1; depth <= 5; depth++)
        {
            last = await ForkAsync(last.Machine);
            await OkAsync(last, $"echo {depth} > /{depth}");
        }
        Assert.Equal("0\n1\n2\n3\n4\n5\n", (await Guest.ShellAsync(last.Socket, "cat /0 /1 /2 /3 /4 /5")).Output);
    }

    [Fact]
    public async Task A_snapshot_outlives_its_machine_and_the_runtime()
    {
        string snapshot;
        await using (var source = await runtime.LaunchAsync())
        {
            await OkAsync(source.Info, "echo kept > /file");
            snapshot = (await SnapshotAsync(source.Info.Machine)).Snapshot;
            await OkAsync(source.Info, "echo later > /file");
        }
        runtime.Stop(9);
        await runtime.StartAsync();
        using var again = runtime.Connect();

        var list = await again.OkAsync(new RuntimeRequest { Op = RuntimeOps.Snapshots }, RuntimeWireJson.Default.SnapshotList);
        Assert.Contains(list.Snapshots, info => info.Snapshot == snapshot);
        foreach (var _ in new[] { 1, 2 })
        {
            var id = NewMachine();
            var info = await again.OkAsync(
                new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, From = snapshot, Vcpus = 1, MemoryMb = 128, DiskMb = 128, Pids = 128 }, RuntimeWireJson.Default.MachineInfo);
            Assert.Equal("kept\n", (await Guest.ShellAsync(info.Socket, "cat /file; echo changed > /file")).Output);
        }
    }

    [Fact]
    public async Task The_same_snapshot_again_is_the_same_and_another_machine_s_is_refused()
    {
        await using var source = await runtime.LaunchAsync();
        await using var other = await runtime.LaunchAsync();
        var first = await SnapshotAsync(source.Info.Machine);
        var request = new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = source.Info.Machine, Snapshot = first.Snapshot };

        Assert.Equal(first.CreatedAt, (await Client.OkAsync(request, RuntimeWireJson.Default.SnapshotInfo)).CreatedAt);
        Assert.Equal(RuntimeErrors.Exists, (await Client.RefusedAsync(request with { Machine = other.Info.Machine })).Code);
    }

    [Fact]
    public async Task What_is_not_there_is_refused_and_leaves_nothing()
    {
        var id = NewMachine();
        Assert.Equal(RuntimeErrors.NotFound, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Fork, Machine = id, Source = "nobody" })).Code);
        Assert.Equal(RuntimeErrors.NotFound, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, From = "nothing" })).Code);
        Assert.Equal(RuntimeErrors.NotFound, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = id, Snapshot = "s" })).Code);
        Assert.Equal(RuntimeErrors.BadRequest, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, From = "../x" })).Code);
        Assert.False(Directory.Exists($"{runtime.Data}/machines/{id}"));
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.DeleteSnapshot, Snapshot = "nothing" }, RuntimeWireJson.Default.RuntimeNothing);
    }

    [Fact]
    public async Task A_deleted_snapshot_is_gone_from_the_disk_and_its_copies_live_on()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, "echo kept > /file");
        var snapshot = (await SnapshotAsync(source.Info.Machine)).Snapshot;
        var id = NewMachine();
        var copy = await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = id, From = snapshot }, RuntimeWireJson.Default.MachineInfo);
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.DeleteSnapshot, Snapshot = snapshot }, RuntimeWireJson.Default.RuntimeNothing);

        Assert.False(Directory.Exists($"{runtime.Data}/snapshots/{snapshot}"));
        Assert.Equal("kept\n", (await Guest.ShellAsync(copy.Socket, "cat /file")).Output);
        Assert.Equal(RuntimeErrors.NotFound, (await Client.RefusedAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = NewMachine(), From = snapshot })).Code);
    }

    [Fact]
    public async Task A_fork_has_a_disk_limit_of_its_own_and_a_full_disk_can_be_copied()
    {
        await using var source = await runtime.LaunchAsync(request => request with { DiskMb = 48 });
        Assert.NotEqual(0, (await source.ShAsync("dd if=/dev/urandom of=/big bs=1M count=200 && sync")).ExitCode);

        var snapshot = await SnapshotAsync(source.Info.Machine);
        var fork = await ForkAsync(source.Info.Machine);

        var result = await Guest.ShellAsync(fork.Socket, "dd if=/dev/urandom of=/more bs=1M count=200; sync; du -sm /more | cut -f1");
        Assert.InRange(int.Parse(result.Output.Trim()), 0, 60);
        Assert.NotEmpty(snapshot.Snapshot);
    }

    [Fact]
    public async Task Nothing_is_lost_and_every_copy_is_a_whole_prefix_while_a_writer_runs()
    {
        await using var source = await runtime.LaunchAsync();
        await OkAsync(source.Info, "cat > /write.sh <<'E'\ni=0\nwhile [ ! -e /stop ]; do i=$((i+1)); printf 'record %08d end\\n' $i >> /log; [ $((i % 10)) = 0 ] && sync /log 2>/dev/null; echo $i > /last.new && mv /last.new /last; done\necho $i > /done\nE\nsh /write.sh </dev/null >/dev/null 2>&1 &");
        await OkAsync(source.Info, "while [ ! -s /last ]; do :; done");

        for (var round = 0; round < 12; round++)
        {
            var before = int.Parse((await source.ShAsync("cat /last")).Output.Trim());
            var copy = round % 2 == 0 ? await ForkAsync(source.Info.Machine) : await FromAsync((await SnapshotAsync(source.Info.Machine)).Snapshot);
            await FreezeAndThawAsync(source.Info.Machine);
            // Records whole, in order, without a gap, and none missing that was written before the copy was asked for.
            var counted = await Guest.ShellAsync(copy.Socket, "awk '{ n++; if ($0 != sprintf(\"record %08d end\", n)) bad=1 } END { print n, bad+0 }' /log");
            var words = counted.Output.Trim().Split(' ');
            Assert.Equal("0", words[1]);
            Assert.True(int.Parse(words[0]) >= before, $"{words[0]} records of at least {before}");
            await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Destroy, Machine = copy.Machine }, RuntimeWireJson.Default.RuntimeNothing);
        }
        await OkAsync(source.Info, "touch /stop; while [ ! -e /done ]; do :; done; test \"$(wc -l < /log)\" = \"$(cat /done)\"");
    }

    private async Task FreezeAndThawAsync(string machine)
    {
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Freeze, Machine = machine }, RuntimeWireJson.Default.MachineInfo);
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Thaw, Machine = machine }, RuntimeWireJson.Default.MachineInfo);
    }

    private async Task<MachineInfo> ForkAsync(string source) =>
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Fork, Machine = NewMachine(), Source = source }, RuntimeWireJson.Default.MachineInfo);

    private async Task<MachineInfo> FromAsync(string snapshot) =>
        await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Launch, Machine = NewMachine(), From = snapshot, MemoryMb = 128, Pids = 128 }, RuntimeWireJson.Default.MachineInfo);

    private async Task<SnapshotInfo> SnapshotAsync(string machine)
    {
        var id = $"snap-{Guid.NewGuid():N}";
        snapshots.Add(id);
        return await Client.OkAsync(new RuntimeRequest { Op = RuntimeOps.Snapshot, Machine = machine, Snapshot = id }, RuntimeWireJson.Default.SnapshotInfo);
    }

    private string NewMachine()
    {
        var id = runtime.NewId();
        machines.Add(id);
        return id;
    }

    private static async Task OkAsync(MachineInfo machine, string command)
    {
        var ran = await Guest.ShellAsync(machine.Socket, command);
        Assert.True(ran.ExitCode == 0, $"{ran.ExitCode}: {ran.Output} {ran.Errors}");
    }
}
