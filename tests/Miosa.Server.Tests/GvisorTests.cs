using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Sandboxes under gVisor through the API: the same calls, and memory that goes along.</summary>
public sealed class GvisorTests(Tenant tenant) : IClassFixture<Tenant>, IAsyncLifetime
{
    private const string Counter = "i=1000; while :; do i=$((i+1)); echo $i > /workspace/count; sleep 0.05; done";

    private Api Api => tenant.Api;

    public async ValueTask InitializeAsync()
    {
        var hello = await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "hello" });
        Assert.SkipUnless(
            hello.GetProperty("isolations").EnumerateArray().Any(isolation => isolation.GetString() == "gvisor"),
            "this host has no gVisor tier: " + hello.GetProperty("notes"));
    }

    /// <summary>What counts in a loop must not slow the next test down.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var sandbox in (await Api.GetAsync("sandboxes")).Expect(200).Json.GetProperty("data").EnumerateArray())
            await Api.DeleteAsync("sandboxes/" + sandbox.GetProperty("id").GetString());
    }

    private Task<string> SandboxAsync(string more = "") => Api.CreateAsync($$"""{"image":"miosa-busybox","isolation":"gvisor","memory_mb":256{{more}}}""");

    [Fact]
    public async Task Commands_files_processes_terminals_watches_and_ports_are_those_of_every_sandbox()
    {
        var made = (await Api.PostAsync("sandboxes", """{"image":"miosa-busybox","isolation":"gvisor","memory_mb":256,"env":{"A":"one"}}""")).Expect(201);
        Assert.Equal(("gvisor", "cold"), (made.Text("isolation"), made.Text("boot_path")));
        var id = made.Text("id");
        Assert.Equal("one\n", await Api.RunAsync(id, "echo $A"));
        Assert.DoesNotContain(await File.ReadAllTextAsync("/proc/version"), await Api.RunAsync(id, "cat /proc/version"), StringComparison.Ordinal);

        using var changes = await Api.EventsAsync($"sandboxes/{id}/files/watch?path=/workspace");
        (await Api.PostAsync($"sandboxes/{id}/files", """{"path":"/workspace/f","content":"aGVsbG8="}""")).Expect(200);
        Assert.Equal("/workspace/f", (await changes.NextAsync())?.Json.GetProperty("path").GetString());
        Assert.Equal("hello", (await Api.GetAsync($"sandboxes/{id}/files/download?path=/workspace/f")).Expect(200).Body);

        // At the limit everything is gone, also what has left its session.
        var ended = (await Api.PostAsync($"sandboxes/{id}/exec", """{"command":"setsid sleep 8181 & (sleep 8181 &) ; sleep 8181","timeout_ms":1500}""")).Expect(200);
        Assert.Equal(124, ended.Json.GetProperty("exit_code").GetInt32());
        Assert.Equal("0\n", await Api.RunAsync(id, "ps | grep -c '[s]leep 8181'; true"));

        var process = (await Api.PostAsync($"sandboxes/{id}/processes", """{"command":"echo begun; exec nc -l -p 3000"}""")).Expect(201).Text("pid");
        await Until("it listens", async () => (await Api.GetAsync($"sandboxes/{id}/processes/{process}")).Expect(200).Json.GetProperty("port") is { ValueKind: JsonValueKind.Number } port && port.GetInt32() == 3000);
        Assert.Contains("begun", (await Api.GetAsync($"sandboxes/{id}/processes/{process}/logs")).Expect(200).Text("logs"), StringComparison.Ordinal);
        (await Api.DeleteAsync($"sandboxes/{id}/processes/{process}")).Expect(200);

        var terminal = (await Api.PostAsync($"sandboxes/{id}/terminal", """{"cols":90,"rows":20}""")).Expect(201).Text("session_id");
        using (var wire = await TerminalTests.Wire.ConnectAsync(Api, $"sandboxes/{id}/terminal/{terminal}/ws"))
        {
            await wire.TypeAsync("stty size; echo so-$((6*7))\n");
            await wire.UntilAsync("20 90\r\n");
            await wire.UntilAsync("so-42");
        }
        Assert.Contains(terminal, (await Api.GetAsync($"sandboxes/{id}/terminal")).Expect(200).Body, StringComparison.Ordinal);

        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        (await Api.PostAsync($"sandboxes/{id}/resume")).Expect(200);
        var usage = (await Api.GetAsync($"sandboxes/{id}/usage")).Expect(200).Json;
        Assert.True(usage.GetProperty("active_cpu_ms").GetInt64() > 0);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.False((await tenant.Platform.MachinesAsync()).ContainsKey(id));
    }

    [Fact]
    public async Task What_runs_goes_on_in_a_fork_and_in_every_sandbox_made_of_a_snapshot_with_memory()
    {
        var id = await SandboxAsync();
        var process = (await Api.PostAsync($"sandboxes/{id}/processes", Command(Counter))).Expect(201).Text("pid");
        await GoesOnAsync(id);

        var fork = (await Api.PostAsync($"sandboxes/{id}/fork", """{"memory":true}""")).Expect(201);
        Assert.Equal(("gvisor", "memory"), (fork.Text("isolation"), fork.Text("boot_path")));
        await GoesOnAsync(fork.Text("id"));
        await GoesOnAsync(id);
        // The same process, and it can be stopped there without harm here.
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{fork.Text("id")}/processes/{process}")).Expect(200).Text("status"));
        (await Api.DeleteAsync($"sandboxes/{fork.Text("id")}/processes/{process}")).Expect(200);
        await GoesOnAsync(id);

        var snapshot = (await Api.PostAsync($"sandboxes/{id}/snapshots", """{"memory":true}""")).Expect(201);
        Assert.True(snapshot.Json.GetProperty("memory").GetBoolean());
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        await GoesOnAsync((await Api.PostAsync($"sandboxes/{id}/restore/{snapshot.Text("id")}")).Expect(200).Text("id"));
        await GoesOnAsync((await Api.PostAsync($"sandboxes/{id}/fork", $$"""{"snapshot_id":"{{snapshot.Text("id")}}"}""")).Expect(201).Text("id"));
        var files = (await Api.PostAsync($"sandboxes/{id}/restore/{snapshot.Text("id")}", """{"memory":false}""")).Expect(200).Text("id");
        Assert.Equal("0\n", await Api.RunAsync(files, "test -e /workspace/count; echo $?"));
        Assert.Equal(0, (await Api.GetAsync($"sandboxes/{files}/processes")).Expect(200).Json.GetProperty("data").EnumerateArray().Count(p => p.GetProperty("status").GetString() == "running"));
    }

    [Fact]
    public async Task A_pause_with_memory_survives_the_end_of_everything_on_the_host_and_the_next_call_goes_on_with_it()
    {
        var id = await SandboxAsync($$""","persistent":true,"timeout_sec":600,"entrypoint":{{JsonSerializer.Serialize("echo life >> /workspace/lives; " + Counter)}}""");
        await GoesOnAsync(id);
        Assert.Equal("paused", (await Api.PostAsync($"sandboxes/{id}/pause", """{"memory":true}""")).Expect(200).Text("state"));
        Assert.Equal("dead", (await tenant.Platform.MachinesAsync())[id]);
        // A paused one is paused: nothing to do, nothing lost.
        (await Api.PostAsync($"sandboxes/{id}/pause", """{"memory":true}""")).Expect(200);

        await tenant.Platform.KillServerAsync();
        await tenant.Platform.KillRuntimeAsync();
        tenant.Platform.StartRuntime();
        await tenant.Platform.StartServerAsync();

        await GoesOnAsync(id);
        Assert.Equal("life\n", await Api.RunAsync(id, "cat /workspace/lives"));
        // What stands on disk can be copied as it stands.
        (await Api.PostAsync($"sandboxes/{id}/pause", """{"memory":true}""")).Expect(200);
        await GoesOnAsync((await Api.PostAsync($"sandboxes/{id}/fork", """{"memory":true}""")).Expect(201).Text("id"));
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }

    [Fact]
    public async Task Memory_is_refused_where_it_cannot_be_had_and_nothing_changes()
    {
        var plain = await Api.CreateAsync("""{"image":"miosa-busybox","persistent":true}""");
        foreach (var verb in (string[])["fork", "snapshots", "pause"])
        {
            var refused = await Api.PostAsync($"sandboxes/{plain}/{verb}", """{"memory":true}""");
            Assert.Equal((verb, 422), (verb, refused.Status));
            Assert.True(refused.Json.GetProperty("details").TryGetProperty("memory", out _), refused.Body);
        }
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{plain}")).Text("state"));

        var id = await SandboxAsync();
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/pause", """{"memory":true}""")).Status);
        var files = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");
        Assert.Equal(422, (await Api.PostAsync($"sandboxes/{id}/restore/{files}", """{"memory":true}""")).Status);
        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/fork", """{"memory":true}""")).Status);
        (await Api.PostAsync($"sandboxes/{id}/resume")).Expect(200);

        // A command that its caller waits for would be cut: the caller of the snapshot has to wait instead.
        var running = Api.PostAsync($"sandboxes/{id}/exec", """{"command":"echo $$ > /workspace/begun; while ! [ -e /workspace/go ]; do sleep 0.1; done; echo whole"}""");
        await Until("it runs", async () => (await Api.GetAsync($"sandboxes/{id}/files/stat?path=/workspace/begun")).Status == 200);
        var busy = await Api.PostAsync($"sandboxes/{id}/snapshots", """{"memory":true}""");
        Assert.Equal((409, "CONFLICT"), (busy.Status, busy.Code));
        await Api.RunAsync(id, "touch /workspace/go");
        Assert.Equal("whole\n", (await running).Expect(200).Text("stdout"));
        (await Api.PostAsync($"sandboxes/{id}/snapshots", """{"memory":true}""")).Expect(201);
    }

    [Fact]
    public async Task What_gvisor_cannot_write_is_told_and_the_sandbox_goes_on()
    {
        var id = await SandboxAsync();
        // A file that was deleted and is still open has no name to be found by again.
        (await Api.PostAsync($"sandboxes/{id}/processes", Command("exec 9> /workspace/gone; rm /workspace/gone; " + Counter))).Expect(201);
        await GoesOnAsync(id);
        var refused = await Api.PostAsync($"sandboxes/{id}/snapshots", """{"memory":true}""");
        Assert.True(refused.Status is 409 or 201, refused.Body);
        if (refused.Status == 409)
            Assert.Contains("could not be written", refused.Text("message"), StringComparison.Ordinal);
        await GoesOnAsync(id);
    }

    [Theory]
    [InlineData("kata")]
    [InlineData("GVISOR")]
    [InlineData("")]
    public async Task An_isolation_that_there_is_not_is_422_and_names_the_field(string isolation)
    {
        var refused = await Api.PostAsync("sandboxes", $$"""{"image":"miosa-busybox","isolation":"{{isolation}}"}""");
        Assert.Equal(422, refused.Status);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty("isolation", out _), refused.Body);
    }

    [Fact]
    public async Task A_template_gives_its_sandboxes_its_isolation_and_a_create_may_ask_for_another()
    {
        var slug = "gv-" + Guid.NewGuid().ToString("N")[..8];
        var template = (await Api.PostAsync("sandbox-templates", $$"""{"name":"{{slug}}","slug":"{{slug}}","image":"miosa-busybox","isolation":"gvisor"}""")).Expect(201);
        Assert.Equal("gvisor", template.Text("isolation"));
        Assert.Equal("gvisor", (await Api.PostAsync("sandboxes", $$"""{"image":"{{slug}}"}""")).Expect(201).Text("isolation"));
        Assert.Equal("namespace", (await Api.PostAsync("sandboxes", $$"""{"image":"{{slug}}","isolation":"namespace"}""")).Expect(201).Text("isolation"));
    }

    [Fact]
    public async Task A_closed_sandbox_under_gvisor_resolves_and_reaches_nothing()
    {
        var id = await SandboxAsync(""","egress":{"mode":"closed"}""");
        Assert.Equal("no\n", await Api.RunAsync(id, "nslookup example.com 2>/dev/null | grep -q 'Name:' && echo yes || echo no"));
        Assert.Equal("no\n", await Api.RunAsync(id, "nc -w 2 203.0.113.9 80 </dev/null && echo yes || echo no"));
        await Until("the refusal is told", async () => (await Api.GetAsync($"sandboxes/{id}/egress/refused")).Expect(200).Body.Contains("203.0.113.9", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_line_that_was_synced_is_in_every_copy_whole_and_in_order()
    {
        var id = await SandboxAsync(""","persistent":true""");
        (await Api.PostAsync($"sandboxes/{id}/processes", Command("i=0; while :; do i=$((i+1)); echo $i >> /workspace/log; sync /workspace/log; echo $i > /workspace/synced; done"))).Expect(201);
        await Until("it writes", async () => (await Api.GetAsync($"sandboxes/{id}/files/stat?path=/workspace/synced")).Status == 200);
        for (var round = 0; round < 4; round++)
        {
            var before = int.Parse((await Api.RunAsync(id, "until cat /workspace/synced | grep .; do :; done")).Trim(), CultureInfo.InvariantCulture);
            var memory = round % 2 == 0 ? "true" : "false";
            var copy = (await Api.PostAsync($"sandboxes/{id}/fork", $$"""{"memory":{{memory}}}""")).Expect(201).Text("id");
            var lines = (await Api.RunAsync(copy, "cat /workspace/log")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(lines.Length >= before, $"{lines.Length} of {before}");
            Assert.Equal(Enumerable.Range(1, lines.Length).Select(n => n.ToString(CultureInfo.InvariantCulture)), lines);
            (await Api.DeleteAsync($"sandboxes/{copy}")).Expect(200);
        }
    }

    private static string Command(string command) => JsonSerializer.Serialize(new Dictionary<string, string> { ["command"] = command });

    /// <summary>A count that lives in the memory of a process alone is past where it began, and moves.</summary>
    private async Task GoesOnAsync(string id)
    {
        // The file is empty for a moment each time it is written: what was read is asked, not the file.
        const string next = "rm -f /workspace/count; until n=$(cat /workspace/count 2>/dev/null) && [ -n \"$n\" ]; do sleep 0.02; done; echo $n";
        var before = int.Parse((await Api.RunAsync(id, next)).Trim(), CultureInfo.InvariantCulture);
        var after = int.Parse((await Api.RunAsync(id, next)).Trim(), CultureInfo.InvariantCulture);
        Assert.True(before > 1000 && after > before, $"{before}, {after}");
    }

    private static Task Until(string fact, Func<Task<bool>> isTrue) => Miosa.Platform.Platform.UntilAsync(fact, isTrue);
}
