using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What a persistent sandbox keeps when what ran in it has ended.</summary>
public sealed class RestartTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private Miosa.Platform.Platform Platform => tenant.Platform;

    private Task<string> SandboxAsync(string more = "") => Api.CreateAsync($$"""{"image":"miosa-busybox","persistent":true,"timeout_sec":600,"env":{"A":"kept"}{{more}}}""");

    [Fact]
    public async Task A_stopped_sandbox_has_no_process_and_starts_again_with_its_files_at_the_next_call()
    {
        var id = await SandboxAsync();
        await Api.RunAsync(id, "echo mine > /workspace/file; echo gone > /dev/shm/file; (sleep 6161 &)");
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
        Assert.Equal("dead", (await Platform.MachinesAsync())[id]);
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);

        Assert.Equal("mine kept\n", await Api.RunAsync(id, "echo $(cat /workspace/file) $A; cat /dev/shm/file 2>/dev/null; ps | grep -v grep | grep 'sleep 6161'; true"));

        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
        // With a network, too: a default route.
        Assert.Equal("0\n", await Api.RunAsync(id, "test $(wc -l < /proc/net/route) -ge 2; echo $?"));
        // And again, and by hand.
        await Api.RunAsync(id, "echo more >> /workspace/file");
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        Assert.Equal("running", (await Api.PostAsync($"sandboxes/{id}/resume")).Expect(200).Text("state"));
        Assert.Equal("mine\nmore\n", await Api.RunAsync(id, "cat /workspace/file"));
        using var events = await Api.EventsAsync($"sandboxes/{id}/events", "0");
        var types = new List<string>();
        while (types.Count(type => type == "sandbox.resumed") < 2)
            types.Add((await events.NextAsync())!.Type);
        Assert.Equal(["sandbox.paused", "sandbox.resumed", "sandbox.paused", "sandbox.resumed"], types.Where(type => type is "sandbox.paused" or "sandbox.resumed"));
    }

    [Fact]
    public async Task Fifty_first_calls_at_once_are_one_start()
    {
        var id = await SandboxAsync();
        await Api.RunAsync(id, "echo mine > /workspace/file");
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Api.RunAsync(id, "cat /workspace/file; cat /proc/sys/kernel/random/boot_id > /dev/null; stat -c %Y /proc/1")));
        Assert.Single(answers.Distinct());
        Assert.StartsWith("mine\n", answers[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_persistent_sandbox_whose_processes_were_killed_is_paused_and_another_is_in_error()
    {
        var kept = await SandboxAsync();
        var lost = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await Api.RunAsync(kept, "echo mine > /workspace/file");
        foreach (var id in (string[])[kept, lost])
            await Platform.KillGuestAsync(id);
        await Until(kept, "paused");
        await Until(lost, "error");
        Assert.Equal("mine\n", await Api.RunAsync(kept, "cat /workspace/file"));
    }

    [Fact]
    public async Task Files_survive_the_end_of_everything_on_the_host()
    {
        var running = await SandboxAsync();
        var paused = await SandboxAsync();
        var stopped = await SandboxAsync();
        foreach (var id in (string[])[running, paused, stopped])
            await Api.RunAsync(id, $"echo {id} > /workspace/file; sync");
        (await Api.PostAsync($"sandboxes/{paused}/pause")).Expect(200);
        (await Api.PostAsync($"sandboxes/{stopped}/stop")).Expect(200);
        // As a host that loses its power: server, runtime and every machine, at once, without a word.
        var pids = new List<int>();
        foreach (var id in (string[])[running, paused])
            pids.Add((await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "inspect", ["machine"] = id })).GetProperty("pid").GetInt32());
        await Platform.KillServerAsync();
        await Platform.KillRuntimeAsync();
        pids.ForEach(pid => Process.GetProcessById(pid).Kill());
        // Cgroups do not outlive a host either.
        foreach (var id in (string[])[running, paused])
            await WithoutCgroupsAsync(id);
        Platform.StartRuntime();
        await Platform.StartServerAsync();

        foreach (var id in (string[])[running, paused, stopped])
        {
            await Until(id, "paused");
            Assert.Equal($"{id}\n", await Api.RunAsync(id, "cat /workspace/file"));
        }
    }

    [Fact]
    public async Task The_entry_point_runs_in_every_life_and_a_stopped_sandbox_can_be_forked_and_destroyed()
    {
        var id = await SandboxAsync(",\"entrypoint\":\"echo life >> /workspace/lives; sleep 7373\"");
        await Lives(1);
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        await Api.RunAsync(id, "true");
        await Lives(2);
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        var fork = (await Api.PostAsync($"sandboxes/{id}/fork", "{}")).Expect(201).Text("id");
        Assert.StartsWith("life\nlife\n", await Api.RunAsync(fork, "cat /workspace/lives"), StringComparison.Ordinal);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.False((await Platform.MachinesAsync()).ContainsKey(id));

        async Task Lives(int count)
        {
            var until = DateTime.UtcNow.AddSeconds(30);
            while ((await Api.RunAsync(id, "cat /workspace/lives 2>/dev/null | wc -l")).Trim() != $"{count}")
                Assert.True(DateTime.UtcNow < until, $"not {count} lives");
        }
    }

    [Fact]
    public async Task A_stopped_sandbox_cannot_lose_its_files_by_becoming_another_kind()
    {
        var id = await SandboxAsync();
        await Api.RunAsync(id, "echo mine > /workspace/file");
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        (await Api.PatchAsync($"sandboxes/{id}", """{"persistent":false}""")).Expect(409);
        Assert.Equal("mine\n", await Api.RunAsync(id, "cat /workspace/file"));
    }

    [Fact]
    public async Task Every_line_that_was_synced_is_there_after_forks_pauses_snapshots_and_stops()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-sandbox","persistent":true,"timeout_sec":600}""");
        var acknowledged = 0;
        var copies = new List<(string Id, int AtLeast)>();
        const string writer = "import os\nfd = os.open('/workspace/log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)\ni = os.fstat(fd).st_size // 8\nwhile True:\n    i += 1\n    os.write(fd, b'%07d\\n' % i); os.fsync(fd); print(i, flush=True)";
        foreach (var act in (string[])["fork", "pause", "snapshot", "stop", "fork", "stop", "pause"])
        {
            var pid = (await Api.PostAsync($"sandboxes/{id}/processes", JsonSerializer.Serialize(new { command = new[] { "python3", "-c", writer } }))).Expect(201).Text("pid");
            using (var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream"))
            {
                for (var i = 0; i < 20; i++)
                    acknowledged = int.Parse((await reader.NextAsync())!.Json.GetProperty("line").GetString()!);
            }
            if (act == "fork")
                copies.Add(((await Api.PostAsync($"sandboxes/{id}/fork", "{}")).Expect(201).Text("id"), acknowledged));
            else if (act == "snapshot")
                copies.Add(((await Api.PostAsync($"sandboxes/{id}/restore/{(await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id")}")).Expect(200).Text("id"), acknowledged));
            else
                (await Api.PostAsync($"sandboxes/{id}/{act}")).Expect(200);
            if (act != "stop")
                (await Api.DeleteAsync($"sandboxes/{id}/processes/{pid}")).Expect(200);
        }
        copies.Add((id, acknowledged));
        foreach (var (copy, atLeast) in copies)
        {
            var lines = (await Api.RunAsync(copy, "cat /workspace/log")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(Enumerable.Range(1, lines.Length).Select(i => $"{i:0000000}"), lines);
            Assert.True(lines.Length >= atLeast, $"{copy}: {lines.Length} of {atLeast}");
        }
    }

    private static Task WithoutCgroupsAsync(string machine) => Miosa.Platform.Platform.UntilAsync("the cgroups are gone", () =>
    {
        var folders = Directory.EnumerateDirectories("/sys/fs/cgroup", machine, new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 6 }).ToList();
        // A frozen task does not even die.
        foreach (var freezer in folders.Select(folder => Path.Combine(folder, "freezer.state")).Where(File.Exists))
            File.WriteAllText(freezer, "THAWED");
        try
        {
            folders.ForEach(Directory.Delete);
        }
        catch (IOException)
        {
            return Task.FromResult(false);
        }
        return Task.FromResult(true);
    });

    [Fact]
    public async Task The_program_of_a_template_is_started_anew_in_a_new_life()
    {
        var id = await SandboxAsync();
        const string order = """{"start_command":"exec httpd -f -p 3000 -h /workspace","port":3000}""";
        await Api.RunAsync(id, "echo up > /workspace/index.html");
        (await Api.PostAsync($"sandboxes/{id}/template/start", order)).Expect(200);
        (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200);
        (await Api.PostAsync($"sandboxes/{id}/template/start", order)).Expect(200);
        Assert.Equal("up\n", await Api.RunAsync(id, "wget -q -O - http://127.0.0.1:3000/"));
    }

    [Fact]
    public async Task Only_in_a_persistent_sandbox_does_fsync_reach_the_disk()
    {
        var kept = await SandboxAsync();
        var passing = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        const string options = "grep ' / ' /proc/mounts";
        Assert.DoesNotContain("volatile", await Api.RunAsync(kept, options), StringComparison.Ordinal);
        Assert.Contains("volatile", await Api.RunAsync(passing, options), StringComparison.Ordinal);
        (await Api.PostAsync($"sandboxes/{kept}/stop")).Expect(200);
        Assert.DoesNotContain("volatile", await Api.RunAsync(kept, options), StringComparison.Ordinal);
    }

    private async Task Until(string id, string state)
    {
        var until = DateTime.UtcNow.AddSeconds(30);
        string now;
        while ((now = (await Api.GetAsync($"sandboxes/{id}")).Text("state")) != state)
            Assert.True(DateTime.UtcNow < until, $"{id} is {now}, not {state}");
    }
}
