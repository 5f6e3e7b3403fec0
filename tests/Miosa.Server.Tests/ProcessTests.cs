using System.Globalization;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class ProcessTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private Task<string> SandboxAsync() => Api.CreateAsync("""{"image":"miosa-sandbox","env":{"FROM_BOX":"box"}}""");

    private async Task<string> StartAsync(string sandbox, string command, string more = "") =>
        (await Api.PostAsync($"sandboxes/{sandbox}/processes", $$"""{"command":{{JsonSerializer.Serialize(command)}}{{more}}}""")).Expect(201).Text("pid");

    private async Task<Answer> UntilAsync(string sandbox, string pid, string status)
    {
        var until = DateTime.UtcNow.AddSeconds(60);
        while (true)
        {
            var process = (await Api.GetAsync($"sandboxes/{sandbox}/processes/{pid}")).Expect(200);
            if (process.Text("status") == status)
                return process;
            Assert.True(DateTime.UtcNow < until, process.Body);
            await Task.Delay(20);
        }
    }

    private async Task<string> LogsAsync(string sandbox, string pid, int tail = 200) => (await Api.GetAsync($"sandboxes/{sandbox}/processes/{pid}/logs?tail={tail}")).Expect(200).Text("logs");

    [Fact]
    public async Task A_started_process_answers_at_once_with_its_facts_and_runs_on()
    {
        var id = await SandboxAsync();
        var started = (await Api.PostAsync($"sandboxes/{id}/processes", """{"cmd":["sh","-c","echo $FROM_BOX $MORE; pwd; sleep 7777"],"name":"worker","env":{"MORE":"more"},"working_dir":"/tmp"}""")).Expect(201);
        var pid = started.Text("pid");
        Assert.Matches("^[0-9]+$", pid);
        Assert.Equal(("worker", "running", "running", "/tmp", "sh -c 'echo $FROM_BOX $MORE; pwd; sleep 7777'"),
            (started.Text("name"), started.Text("status"), started.Text("state"), started.Text("cwd"), started.Text("command")));
        Assert.Equal(JsonValueKind.Null, started.Json.GetProperty("exit_code").ValueKind);
        Assert.Equal(pid, started.Json.GetProperty("data").GetProperty("pid").GetString());

        // The number is the process's own.
        Assert.Contains("sleep 7777", await Api.RunAsync(id, $"tr '\\0' ' ' < /proc/{pid}/cmdline"), StringComparison.Ordinal);
        var list = (await Api.GetAsync($"sandboxes/{id}/processes")).Expect(200).Json;
        Assert.Single(list.EnumerateObject());
        Assert.Equal([pid], list.GetProperty("data").EnumerateArray().Select(p => p.GetProperty("pid").GetString()));
        var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream");
        Assert.Equal("box more", (await reader.NextAsync())!.Json.GetProperty("line").GetString());
        Assert.Equal("/tmp", (await reader.NextAsync())!.Json.GetProperty("line").GetString());
        reader.Dispose();
        Assert.Equal("running", (await UntilAsync(id, pid, "running")).Text("status"));
    }

    [Fact]
    public async Task An_ended_process_keeps_its_exit_code_and_its_output_in_order()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "for i in 1 2 3; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done; printf last; exit 7");
        var ended = await UntilAsync(id, pid, "exited");
        Assert.Equal(7, ended.Json.GetProperty("exit_code").GetInt32());
        Assert.NotEqual(JsonValueKind.Null, ended.Json.GetProperty("ended_at").ValueKind);
        Assert.Equal("out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nlast", await LogsAsync(id, pid));
        Assert.Equal("err 3\nlast", await LogsAsync(id, pid, 2));
        Assert.True((await Api.GetAsync($"sandboxes/{id}/processes/{pid}/logs?lines=1")).Expect(200).Json.GetProperty("truncated").GetBoolean());

        using var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream");
        var events = await reader.ToEndAsync();
        Assert.Equal(["stdout", "stderr", "stdout", "stderr", "stdout", "stderr", "stdout", "exit"], events.Select(e => e.Type));
        Assert.Equal("out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\nlast", string.Concat(events.SkipLast(1).Select(e => e.Json.GetProperty("data").GetString())));
        Assert.Equal((7, "exited"), (events[^1].Json.GetProperty("exit_code").GetInt32(), events[^1].Json.GetProperty("status").GetString()));
        // Stopping what has ended succeeds; a signal has nobody to go to.
        (await Api.DeleteAsync($"sandboxes/{id}/processes/{pid}")).Expect(200);
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/signal", """{"signal":"HUP"}""")).Status);
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", """{"data":"x"}""")).Status);
    }

    [Fact]
    public async Task A_reader_that_comes_back_with_the_last_id_misses_nothing_and_gets_nothing_twice()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "for i in $(seq 1 3000); do echo line $i; [ $((i % 50)) = 0 ] && sleep 0.01; done; echo Ümlaut ✓");
        var lines = new List<string>();
        string? last = null;
        var isOver = false;
        for (var take = 1; !isOver; take = take * 2 + 1)
        {
            using var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream", last);
            for (var i = 0; i < take && !isOver; i++)
            {
                var item = Assert.IsType<SseEvent>(await reader.NextAsync());
                last = item.Id;
                isOver = item.Type == "exit";
                if (!isOver)
                    lines.Add(item.Json.GetProperty("line").GetString()!);
            }
        }
        Assert.Equal([.. Enumerable.Range(1, 3000).Select(i => $"line {i}"), "Ümlaut ✓"], lines);
    }

    [Fact]
    public async Task Stop_asks_first_and_kills_what_does_not_listen_with_all_its_children()
    {
        var id = await SandboxAsync();
        var polite = await StartAsync(id, "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done");
        await WaitForLogAsync(id, polite, "ready");
        (await Api.DeleteAsync($"sandboxes/{id}/processes/{polite}")).Expect(200);
        var stopped = await UntilAsync(id, polite, "stopped");
        Assert.Equal(3, stopped.Json.GetProperty("exit_code").GetInt32());
        Assert.Contains("\nbye\n", await LogsAsync(id, polite), StringComparison.Ordinal);

        var deaf = await StartAsync(id, "trap '' TERM; setsid sh -c 'trap \"\" TERM; (sleep 4242; :) & wait' & (setsid sleep 4343 &) ; echo ready; while :; do sleep 4444; done");
        await WaitForLogAsync(id, deaf, "ready");
        (await Api.PostAsync($"sandboxes/{id}/processes/{deaf}/stop")).Expect(200);
        Assert.Equal(137, (await UntilAsync(id, deaf, "stopped")).Json.GetProperty("exit_code").GetInt32());
        Assert.Equal("", await Api.RunAsync(id, "ps -eo args | grep -E 'sleep 4(242|343|444)' | grep -v grep || true"));
    }

    [Fact]
    public async Task Signals_reach_the_process_and_the_killing_one_its_whole_tree()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done");
        await WaitForLogAsync(id, pid, "ready");
        foreach (var name in (string[])["HUP", "sighup", "1"])
            (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/signal", $$"""{"signal":"{{name}}"}""")).Expect(200);
        await WaitForLogAsync(id, pid, "hup");
        var tree = await StartAsync(id, "setsid sleep 5151 & sleep 5252");
        (await Api.PostAsync($"sandboxes/{id}/processes/{tree}/signal", """{"signal":"SIGKILL"}""")).Expect(200);
        Assert.Equal(137, (await UntilAsync(id, tree, "stopped")).Json.GetProperty("exit_code").GetInt32());
        Assert.Equal("", await Api.RunAsync(id, "ps -eo args | grep -E 'sleep 5[12]5[12]' | grep -v grep || true"));
        foreach (var bad in (string[])["NOPE", "0", "65", "-9", ""])
            Assert.Equal(422, (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/signal", $$"""{"signal":"{{bad}}"}""")).Status);
    }

    [Fact]
    public async Task Standard_input_is_written_in_order_and_closed_on_request()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "cat; echo over");
        (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", """{"data":"one\n"}""")).Expect(200);
        await WaitForLogAsync(id, pid, "one");
        (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", JsonSerializer.Serialize(new { data = new string('x', 200_000) + "\n", eof = true }))).Expect(200);
        await UntilAsync(id, pid, "exited");
        var logs = await LogsAsync(id, pid, 10_000);
        Assert.Equal("one\n" + new string('x', 200_000) + "\nover\n", logs);
    }

    [Fact]
    public async Task Input_that_nobody_reads_is_refused_after_a_while_and_says_how_much_was_taken()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "sleep 6363");
        var answer = await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", JsonSerializer.Serialize(new { data = new string('x', 200_000) }));
        Assert.Equal(409, answer.Status);
        Assert.Contains("took 65536 bytes", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_is_bounded_on_the_disk_and_a_reader_is_told_what_is_missing()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "head -c 12000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo end");
        await UntilAsync(id, pid, "exited");
        var used = long.Parse(await Api.RunAsync(id, $"du -sb /var/lib/miosa/processes/{pid} | cut -f1"), CultureInfo.InvariantCulture);
        Assert.InRange(used, 1_000_000, 2_300_000);
        Assert.EndsWith("\nend\n", await LogsAsync(id, pid, 10_000), StringComparison.Ordinal);
        // Who was at the beginning is told of the gap; who comes new gets what there is.
        using var late = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream", "103");
        var gap = (await late.NextAsync())!;
        Assert.Equal("gap", gap.Type);
        Assert.True(gap.Json.GetProperty("lost_bytes").GetInt64() > 9_000_000, gap.Json.GetRawText());
        using var fresh = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream");
        Assert.Equal("stdout", (await fresh.NextAsync())!.Type);
    }

    [Fact]
    public async Task A_full_disk_neither_stops_nor_kills_a_process_and_the_loss_is_told()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-sandbox","disk_size_mb":512}""");
        var pid = await StartAsync(id, "echo before; read go; seq 1 100000; touch /dev/shm/printed; read go; echo after; read go");
        await WaitForLogAsync(id, pid, "before");
        await Api.RunAsync(id, "for block in 1M 4k 1; do dd if=/dev/zero of=/workspace/fill-$block bs=$block 2>/dev/null; done; true");
        (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", """{"data":"\n"}""")).Expect(200);
        await Api.RunAsync(id, "until [ -e /dev/shm/printed ]; do sleep 0.05; done; rm /workspace/fill-*; sync");
        (await Api.PostAsync($"sandboxes/{id}/processes/{pid}/stdin", """{"data":"\n"}""")).Expect(200);

        using var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream");
        var lost = 0L;
        for (var item = (await reader.NextAsync())!; item.Type == "gap" || item.Json.GetProperty("line").GetString() != "after"; item = (await reader.NextAsync())!)
            lost += item.Type == "gap" ? item.Json.GetProperty("lost_bytes").GetInt64() : 0;
        Assert.InRange(lost, 100_000, 1_100_000);
        Assert.Equal("running", (await UntilAsync(id, pid, "running")).Text("status"));
    }

    [Fact]
    public async Task A_server_killed_in_the_middle_loses_no_line_and_no_process()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "for i in $(seq 1 400); do echo line $i; sleep 0.01; done; exit 5");
        var lines = new List<string?>();
        string? last = null;
        using (var reader = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream"))
        {
            for (var i = 0; i < 20; i++)
                Take((await reader.NextAsync())!);
            await tenant.Platform.KillServerAsync();
            try
            {
                while (await reader.NextAsync() is { } more)
                    Take(more);
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
                // The connection died with the server.
            }
        }
        await tenant.Platform.StartServerAsync();
        using var again = await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream", last);
        foreach (var item in await again.ToEndAsync())
            Take(item);

        Assert.Equal(Enumerable.Range(1, 400).Select(i => (string?)$"line {i}"), lines);
        Assert.Equal(5, (await UntilAsync(id, pid, "exited")).Json.GetProperty("exit_code").GetInt32());

        void Take(SseEvent item)
        {
            last = item.Id;
            if (item.Type == "stdout")
                lines.Add(item.Json.GetProperty("line").GetString());
        }
    }

    [Fact]
    public async Task A_time_limit_stops_it_with_124_and_none_is_the_default()
    {
        var id = await SandboxAsync();
        var limited = await StartAsync(id, "sleep 9191", ""","timeout_sec":0.2""");
        Assert.Equal(124, (await UntilAsync(id, limited, "stopped")).Json.GetProperty("exit_code").GetInt32());
    }

    [Fact]
    public async Task What_cannot_be_started_is_failed_with_the_reason_in_its_log_or_refused_by_name()
    {
        var id = await SandboxAsync();
        var failed = (await Api.PostAsync($"sandboxes/{id}/processes", """{"command":["no-such-program"]}""")).Expect(201);
        Assert.Equal(("failed", 127), (failed.Text("status"), failed.Json.GetProperty("exit_code").GetInt32()));
        Assert.Equal("no-such-program: command not found\n", await LogsAsync(id, failed.Text("pid")));
        foreach (var (body, field) in ((string, string)[])[("{}", "command"), ("""{"command":"true","cwd":"/no/such"}""", "cwd"), ("""{"command":"true","name":"entrypoint"}""", "name"), ("""{"command":"true","name":"template"}""", "name"), ("""{"command":"true","timeout_sec":-1}""", "timeout_sec")])
        {
            var answer = await Api.PostAsync($"sandboxes/{id}/processes", body);
            Assert.Equal(422, answer.Status);
            Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        }
        foreach (var tail in (string[])["0", "10001", "x"])
            Assert.Equal(422, (await Api.GetAsync($"sandboxes/{id}/processes/{failed.Text("pid")}/logs?tail={tail}")).Status);
    }

    [Fact]
    public async Task An_unknown_process_and_another_tenants_are_404()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "sleep 5");
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12])));
        foreach (var (method, path, body) in ((HttpMethod, string, string?)[])[(HttpMethod.Get, "", null), (HttpMethod.Get, "/logs", null), (HttpMethod.Get, "/stream", null),
            (HttpMethod.Delete, "", null), (HttpMethod.Post, "/stdin", """{"data":"x"}"""), (HttpMethod.Post, "/signal", """{"signal":"TERM"}""")])
        {
            foreach (var unknown in (string[])["999999", "0", "-1", "abc", "99999999999999999999"])
                Assert.Equal(404, (await Api.SendAsync(method, $"sandboxes/{id}/processes/{unknown}{path}", body)).Status);
            Assert.Equal(404, (await other.SendAsync(method, $"sandboxes/{id}/processes/{pid}{path}", body)).Status);
        }
        Assert.Equal(404, (await other.PostAsync($"sandboxes/{id}/processes", """{"command":"true"}""")).Status);
        Assert.Equal(404, (await other.GetAsync($"sandboxes/{id}/processes")).Status);
        Assert.Equal("running", (await UntilAsync(id, pid, "running")).Text("status"));
    }

    [Fact]
    public async Task The_port_of_a_process_is_told_also_when_a_child_of_a_child_listens_on_it()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "sh -c 'sh -c \"setsid python3 -m http.server 4321 & sleep 9999\"; true'; true");
        var other = await StartAsync(id, "sleep 9999");
        var until = DateTime.UtcNow.AddSeconds(30);
        JsonElement port;
        while ((port = (await Api.GetAsync($"sandboxes/{id}/processes/{pid}")).Expect(200).Json.GetProperty("port")).ValueKind == JsonValueKind.Null)
            Assert.True(DateTime.UtcNow < until, "no port");
        Assert.Equal(4321, port.GetInt32());
        var list = (await Api.GetAsync($"sandboxes/{id}/processes")).Json.GetProperty("data").EnumerateArray().ToDictionary(p => p.GetProperty("pid").GetString()!, p => p.GetProperty("port").ToString());
        Assert.Equal(("4321", ""), (list[pid], list[other]));
    }

    [Fact]
    public async Task A_repeated_start_with_the_same_key_starts_one()
    {
        var id = await SandboxAsync();
        var first = await Api.PostAsync($"sandboxes/{id}/processes", """{"command":"sleep 3131"}""", ("Idempotency-Key", "start-1"));
        var again = await Api.PostAsync($"sandboxes/{id}/processes", """{"command":"sleep 3131"}""", ("Idempotency-Key", "start-1"));
        Assert.Equal(first.Text("pid"), again.Text("pid"));
        Assert.Single((await Api.GetAsync($"sandboxes/{id}/processes")).Json.GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task A_detached_command_becomes_a_process()
    {
        var id = await SandboxAsync();
        var answer = (await Api.PostAsync($"sandboxes/{id}/exec", """{"command":"cat; echo done","stdin":"in\n","background":true}""")).Expect(200);
        Assert.Equal(answer.Text("pid"), answer.Text("job_id"));
        await UntilAsync(id, answer.Text("pid"), "exited");
        Assert.Equal("in\ndone\n", await LogsAsync(id, answer.Text("pid")));
    }

    [Fact]
    public async Task The_output_of_the_entry_point_is_the_sandboxs_log()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-sandbox","entrypoint":"echo up and running; sleep 8181"}""");
        var until = DateTime.UtcNow.AddSeconds(60);
        Answer logs;
        while (!(logs = (await Api.GetAsync($"sandboxes/{id}/logs")).Expect(200)).Text("logs").Contains("running", StringComparison.Ordinal))
            Assert.True(DateTime.UtcNow < until, logs.Body);
        Assert.Equal("up and running", logs.Json.GetProperty("lines")[0].GetString());
        using (var stream = await Api.EventsAsync($"sandboxes/{id}/logs/stream"))
        {
            var line = (await stream.NextAsync())!;
            Assert.Equal(("log", "up and running"), (line.Type, line.Json.GetProperty("line").GetString()));
        }
        var plain = await SandboxAsync();
        Assert.Equal("", (await Api.GetAsync($"sandboxes/{plain}/logs")).Expect(200).Text("logs"));
        using var none = await Api.EventsAsync($"sandboxes/{plain}/logs/stream");
        Assert.Empty(await none.ToEndAsync());
    }

    [Fact]
    public async Task Readers_that_stop_reading_or_vanish_hold_up_nobody()
    {
        var id = await SandboxAsync();
        var pid = await StartAsync(id, "yes 0123456789012345678901234567890123456789 | head -c 3000000; echo end");
        var stuck = new List<EventReader>();
        for (var i = 0; i < 20; i++)
            stuck.Add(await Api.EventsAsync($"sandboxes/{id}/processes/{pid}/stream"));
        await UntilAsync(id, pid, "exited");
        stuck.ForEach(reader => reader.Dispose());
        Assert.EndsWith("end\n", await LogsAsync(id, pid, 5), StringComparison.Ordinal);
    }

    private async Task WaitForLogAsync(string sandbox, string pid, string text)
    {
        var until = DateTime.UtcNow.AddSeconds(60);
        string logs;
        while (!(logs = await LogsAsync(sandbox, pid, 10_000)).Contains(text, StringComparison.Ordinal))
        {
            Assert.True(DateTime.UtcNow < until, logs);
            await Task.Delay(20);
        }
    }
}
