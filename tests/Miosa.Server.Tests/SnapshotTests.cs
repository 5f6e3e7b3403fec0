using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class SnapshotTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_restored_sandbox_has_the_files_of_the_moment_and_the_settings_of_its_source()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","env":{"A":"1"},"metadata":{"k":"v"},"external_user_id":"u1","memory_mb":256}""");
        await Api.RunAsync(id, "echo then > /workspace/file");
        var snapshot = (await Api.PostAsync($"sandboxes/{id}/snapshots", """{"label":"first","retention_seconds":600}""")).Expect(201);
        var name = snapshot.Text("id");
        Assert.StartsWith("snap_", name, StringComparison.Ordinal);
        Assert.Equal((name, id, "ready", "first"), (snapshot.Text("snapshot_id"), snapshot.Text("sandbox_id"), snapshot.Text("status"), snapshot.Text("comment")));
        Assert.Equal(600, snapshot.Json.GetProperty("retention_seconds").GetInt64());
        Assert.Equal(name, snapshot.Json.GetProperty("data").GetProperty("id").GetString());
        await Api.RunAsync(id, "echo now > /workspace/file");

        var restored = (await Api.PostAsync($"sandboxes/{id}/restore/{name}")).Expect(200);

        Assert.NotEqual(id, restored.Text("id"));
        Assert.Equal(("running", "u1", 256, "snapshot"), (restored.Text("state"), restored.Text("external_user_id"), restored.Json.GetProperty("memory_mb").GetInt32(), restored.Text("boot_path")));
        Assert.Equal("then\n1\n", await Api.RunAsync(restored.Text("id"), "cat /workspace/file; echo $A"));
        await Api.RunAsync(restored.Text("id"), "echo mine > /workspace/file");
        Assert.Equal("now\n", await Api.RunAsync(id, "cat /workspace/file"));
        Assert.Equal("then\n", await Api.RunAsync((await Api.PostAsync($"sandboxes/{id}/fork", $$"""{"snapshot_id":"{{name}}","name":"of-snapshot"}""")).Expect(201).Text("id"), "cat /workspace/file"));
        Assert.NotEqual(JsonValueKind.Null, (await Api.GetAsync($"snapshots/{name}")).Expect(200).Json.GetProperty("last_used_at").ValueKind);
    }

    [Fact]
    public async Task Snapshots_outlive_their_sandbox_and_are_listed_newest_first_until_they_are_deleted()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await Api.RunAsync(id, "echo kept > /workspace/file");
        var first = (await Api.PostAsync($"sandboxes/{id}/snapshot")).Expect(200).Text("snapshot_id");
        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        var second = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);

        var list = (await Api.GetAsync($"sandboxes/{id}/snapshots")).Expect(200);
        Assert.Equal([second, first], list.Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("id").GetString()));
        Assert.Single(list.Json.EnumerateObject());
        Assert.Equal(409, (await Api.PostAsync($"sandboxes/{id}/snapshots")).Status);
        foreach (var name in (string[])[first, second])
            Assert.Equal("kept\n", await Api.RunAsync((await Api.PostAsync($"sandboxes/{id}/restore/{name}")).Expect(200).Text("id"), "cat /workspace/file"));

        (await Api.DeleteAsync($"sandboxes/{id}/snapshots/{first}")).Expect(200);
        (await Api.DeleteAsync($"snapshots/{second}")).Expect(200);
        foreach (var name in (string[])[first, second])
        {
            Assert.Equal(404, (await Api.GetAsync($"snapshots/{name}")).Status);
            Assert.Equal(404, (await Api.PostAsync($"sandboxes/{id}/restore/{name}")).Status);
            Assert.Equal(404, (await Api.PostAsync($"sandboxes/{id}/fork", $$"""{"snapshot_id":"{{name}}"}""")).Status);
        }
    }

    [Fact]
    public async Task A_snapshot_is_deleted_when_its_retention_ends_unless_it_is_kept()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var brief = (await Api.PostAsync($"sandboxes/{id}/snapshots", """{"expiration_seconds":1}""")).Expect(201).Text("id");
        var kept = (await Api.PostAsync($"sandboxes/{id}/snapshots", """{"retention_seconds":1,"keep":true}""")).Expect(201);
        Assert.Equal(JsonValueKind.Null, kept.Json.GetProperty("expires_at").ValueKind);

        await Until("it is expired", async () => (await Api.GetAsync($"snapshots/{brief}")).Status == 404);
        await Until("its disk is gone", async () => !(await DisksAsync()).Contains(brief));

        Assert.Equal("ready", (await Api.GetAsync($"snapshots/{kept.Text("id")}")).Expect(200).Text("status"));
        Assert.Contains(kept.Text("id"), await DisksAsync());
    }

    [Fact]
    public async Task Another_tenant_sees_no_snapshot_and_can_use_none()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var name = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");
        var other = await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N")[..12]);
        using var foreign = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(other));
        var own = await foreign.CreateAsync("""{"image":"miosa-busybox"}""");

        Assert.Equal(404, (await foreign.GetAsync($"snapshots/{name}")).Status);
        Assert.Equal(404, (await foreign.GetAsync($"sandboxes/{id}/snapshots")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{id}/snapshots")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{id}/restore/{name}")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{own}/restore/{name}")).Status);
        Assert.Equal(404, (await foreign.PostAsync($"sandboxes/{own}/fork", $$"""{"snapshot_id":"{{name}}"}""")).Status);
        Assert.Equal(404, (await foreign.DeleteAsync($"snapshots/{name}")).Status);
        Assert.Equal(404, (await foreign.DeleteAsync($"sandboxes/{own}/snapshots/{name}")).Status);
        await foreign.DeleteAsync($"sandboxes/{own}");
        Assert.Equal(200, (await Api.GetAsync($"snapshots/{name}")).Status);
    }

    [Fact]
    public async Task A_snapshot_of_another_sandbox_is_not_found_under_this_one()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var other = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var name = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");

        Assert.Equal(404, (await Api.PostAsync($"sandboxes/{other}/restore/{name}")).Status);
        Assert.Equal(404, (await Api.DeleteAsync($"sandboxes/{other}/snapshots/{name}")).Status);
    }

    [Fact]
    public async Task The_same_idempotency_key_takes_one_snapshot()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var key = Guid.NewGuid().ToString("N");

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Api.PostAsync($"sandboxes/{id}/snapshots", "{}", ("Idempotency-Key", key))));

        Assert.Single(answers.Select(answer => answer.Expect(201).Text("id")).Distinct());
        Assert.Equal(1, (await Api.GetAsync($"sandboxes/{id}/snapshots")).Json.GetProperty("data").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"retention_seconds":0}""", "retention_seconds")]
    [InlineData("""{"retention_seconds":"long"}""", "retention_seconds")]
    [InlineData("""{"expiration_days":99999}""", "expiration_days")]
    [InlineData("""{"keep":"yes please"}""", "keep")]
    public async Task A_faulty_field_is_named_and_nothing_is_taken(string body, string field)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var answer = await Api.PostAsync($"sandboxes/{id}/snapshots", body);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal(0, (await Api.GetAsync($"sandboxes/{id}/snapshots")).Json.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task The_event_of_a_snapshot_reaches_the_readers()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        using var events = await Api.EventsAsync($"sandboxes/{id}/events?types=sandbox.snapshot.ready");
        var name = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");

        var told = await events.NextAsync();

        Assert.Equal("sandbox.snapshot.ready", told?.Type);
        Assert.Contains(name, told?.Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_line_that_was_synced_before_a_snapshot_is_in_it()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var writer = Api.PostAsync(
            $"sandboxes/{id}/exec", """{"command":"i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo line $i >> /workspace/log; sync /workspace/log; echo $i > /tmp/n.new; mv /tmp/n.new /tmp/n; done"}""");
        for (var round = 0; round < 5; round++)
        {
            await Until("the writer has begun", async () => (await Api.GetAsync($"sandboxes/{id}/files/read?path=/tmp/n")).Status == 200);
            var told = int.Parse((await Api.GetAsync($"sandboxes/{id}/files/read?path=/tmp/n")).Expect(200).Body, System.Globalization.CultureInfo.InvariantCulture);
            var name = (await Api.PostAsync($"sandboxes/{id}/snapshots")).Expect(201).Text("id");
            var copy = (await Api.PostAsync($"sandboxes/{id}/restore/{name}")).Expect(200).Text("id");

            var lines = (await Api.RunAsync(copy, "cat /workspace/log")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

            Assert.True(lines.Length >= told, $"{told} lines were written before the snapshot, {lines.Length} are in it");
            Assert.Equal(Enumerable.Range(1, lines.Length).Select(i => $"line {i}"), lines);
            await Api.DeleteAsync($"sandboxes/{copy}");
        }
        await Api.RunAsync(id, "touch /tmp/stop");
        (await writer).Expect(200);
    }

    [Fact]
    public async Task A_disk_that_no_row_wants_is_swept()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "snapshot", ["machine"] = id, ["snapshot"] = "snap_stray" });
        await Until("the stray disk is gone", async () => !(await DisksAsync()).Contains("snap_stray"));
    }

    [Fact]
    public async Task A_server_killed_while_it_takes_snapshots_leaves_whole_ones_only()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","timeout_sec":600}""");
        await Api.RunAsync(id, "echo kept > /workspace/file");
        var calls = Enumerable.Range(0, 12).Select(_ => AnswerOrLossAsync($"sandboxes/{id}/snapshots")).ToList();
        await Task.WhenAny(calls);
        await tenant.Platform.KillServerAsync();
        var told = (await Task.WhenAll(calls)).OfType<string>().ToList();
        await tenant.Platform.StartServerAsync();

        await Until("rows and disks agree", async () =>
        {
            var rows = (await Api.GetAsync($"sandboxes/{id}/snapshots")).Expect(200).Json.GetProperty("data").EnumerateArray().ToList();
            var disks = (await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "snapshots" })).GetProperty("snapshots").EnumerateArray()
                .Where(disk => disk.GetProperty("machine").GetString() == id).Select(disk => disk.GetProperty("snapshot").GetString()).ToHashSet();
            return rows.All(row => row.GetProperty("status").GetString() == "ready") && disks.SetEquals(rows.Select(row => row.GetProperty("id").GetString()));
        });
        Assert.NotEmpty(told);
        foreach (var name in told)
            (await Api.GetAsync($"snapshots/{name}")).Expect(200);
        Assert.Equal("kept\n", await Api.RunAsync((await Api.PostAsync($"sandboxes/{id}/restore/{told[0]}")).Expect(200).Text("id"), "cat /workspace/file"));
    }

    private async Task<string?> AnswerOrLossAsync(string path)
    {
        try
        {
            return (await Api.PostAsync(path)) is { Status: 201 } answer ? answer.Text("id") : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private async Task<HashSet<string?>> DisksAsync() =>
        (await tenant.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "snapshots" })).GetProperty("snapshots").EnumerateArray()
            .Select(disk => disk.GetProperty("snapshot").GetString()).ToHashSet();

    private static Task Until(string fact, Func<Task<bool>> isTrue) => Miosa.Platform.Platform.UntilAsync(fact, isTrue, TimeSpan.FromSeconds(60));
}
