using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Checkpoints of computers: taken, copied into new computers, and gone back to.</summary>
public sealed class ComputerSnapshotTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    [Fact]
    public async Task A_checkpoint_is_told_bare_and_under_data_and_lists_have_two_keys()
    {
        await computer.RunAsync("echo then > /workspace/file");
        var made = (await computer.PostAsync("snapshots", new { comment = "before upgrade" })).Expect(201);
        var id = made.Text("id");
        foreach (var one in (JsonElement[])[made.Json, made.Json.GetProperty("data")])
            Assert.Equal((id, computer.Id, "ready", "before upgrade", "before upgrade"), (one.GetProperty("id").GetString(), one.GetProperty("computer_id").GetString(), one.GetProperty("status").GetString(), one.GetProperty("comment").GetString(), one.GetProperty("name").GetString()));
        var second = (await computer.PostAsync("checkpoints", new { name = "other word" })).Expect(201);
        Assert.Equal("other word", second.Text("comment"));
        foreach (var path in (string[])["snapshots", "checkpoints"])
        {
            var list = (await computer.GetAsync(path)).Expect(200);
            Assert.Equal(["data", "total"], list.Json.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
            Assert.Equal([second.Text("id"), id], list.Json.GetProperty("data").EnumerateArray().Take(2).Select(s => s.GetProperty("id").GetString() ?? ""));
            Assert.Equal(id, (await computer.GetAsync($"{path}/{id}")).Expect(200).Text("id"));
        }
        // The address that names nothing else, in the words of computers.
        Assert.Equal(computer.Id, (await Api.GetAsync("snapshots/" + id)).Expect(200).Text("computer_id"));
        using var reader = computer.Platform.Api(await computer.Platform.NewKeyAsync(computer.Tenant, ["sandboxes:write"]));
        (await reader.GetAsync("snapshots/" + id)).Expect(404);
        (await reader.DeleteAsync("snapshots/" + id)).Expect(404);
        using var other = await computer.Platform.NewApiAsync();
        (await other.GetAsync($"computers/{computer.Id}/snapshots/{id}")).Expect(404);
        (await other.PostAsync($"computers/{computer.Id}/restore/{id}")).Expect(404);

        // Late readers get the last frame at once.
        using (var events = await Api.EventsAsync($"computers/{computer.Id}/snapshots/{id}/events"))
        {
            var told = Assert.Single(await events.ToEndAsync());
            Assert.Equal(("snapshot_progress", "snapshot_progress", "ready", 100), (told.Type, told.Json.GetProperty("type").GetString(), told.Json.GetProperty("status").GetString(), told.Json.GetProperty("progress").GetInt32()));
        }
        var deleted = (await Api.DeleteAsync($"computers/{computer.Id}/snapshots/{id}")).Expect(200);
        Assert.Equal("deleted", deleted.Json.GetProperty("data").GetProperty("status").GetString());
        (await computer.GetAsync("snapshots/" + id)).Expect(404);
        (await computer.GetAsync($"snapshots/{id}/events")).Expect(404);
        Assert.Equal("deleted", (await Api.DeleteAsync($"computers/{computer.Id}/checkpoints/{second.Text("id")}")).Expect(200).Text("status"));
        await computer.AuditedAsync("computer.snapshot.create");
    }

    [Fact]
    public async Task Restore_makes_a_new_computer_with_the_disk_of_the_moment_and_the_settings_and_services_of_the_source()
    {
        var source = await Api.NewComputerAsync(""","metadata":{"k":"v"} """, "miosa-sandbox");
        (await Api.PostAsync($"computers/{source}/env", """{"name":"A","value":"1"}""")).Expect(201);
        (await Api.PostAsync($"computers/{source}/services", """{"name":"web","command":"sleep 8080"}""")).Expect(201);
        await OneComputer.RunAsync(Api, source, "echo then > /root/file");
        var snapshot = (await Api.PostAsync($"computers/{source}/snapshots")).Expect(201).Text("id");
        await OneComputer.RunAsync(Api, source, "echo now > /root/file");
        foreach (var path in (string[])[$"computers/{source}/restore/{snapshot}", $"snapshots/{snapshot}/restore"])
        {
            var restored = (await Api.PostAsync(path)).Expect(201);
            Assert.Equal(["data", "snapshot"], restored.Json.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal));
            Assert.Equal(snapshot, restored.Json.GetProperty("snapshot").GetProperty("id").GetString());
            var id = restored.Json.GetProperty("data").GetProperty("id").GetString() ?? "";
            Assert.NotEqual(source, id);
            await Api.UntilStatusAsync(id, "running");
            Assert.Equal("then\n1\n", await OneComputer.RunAsync(Api, id, "cat /root/file; echo $A"));
            Assert.Equal("v", (await Api.GetAsync($"computers/{id}")).Json.GetProperty("metadata").GetProperty("k").GetString());
            await Miosa.Platform.Platform.UntilAsync("its service runs", async () => (await Api.GetAsync($"computers/{id}/services/web")).Text("status") == "running");
            (await Api.DeleteAsync("computers/" + id)).Expect(200);
        }
        Assert.Equal("now\n", await OneComputer.RunAsync(Api, source, "cat /root/file"));
    }

    [Fact]
    public async Task The_restore_of_a_checkpoint_puts_this_computer_back_whether_it_runs_or_not()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        (await Api.PostAsync($"computers/{id}/services", """{"name":"web","command":"exec sleep 8181"}""")).Expect(201);
        await OneComputer.RunAsync(Api, id, "echo then > /root/file");
        var snapshot = (await Api.PostAsync($"computers/{id}/snapshots")).Expect(201).Text("id");
        await OneComputer.RunAsync(Api, id, "echo now > /root/file; echo more > /root/more");

        var accepted = (await Api.PostAsync($"computers/{id}/checkpoints/{snapshot}/restore")).Expect(202);
        Assert.True(accepted.Json.GetProperty("success").GetBoolean());
        // Joined, not begun a second time: it ends with the one that is under way, or is a whole one of its own.
        using (var stream = await Api.EventsAsync($"computers/{id}/checkpoints/{snapshot}/restore/stream"))
        {
            var told = await stream.ToEndAsync();
            Assert.Equal(("progress", "restoring"), (told[0].Type, told[0].Json.GetProperty("status").GetString()));
            Assert.Equal(("done", "ready", 100), (told[^1].Type, told[^1].Json.GetProperty("status").GetString(), told[^1].Json.GetProperty("progress").GetInt32()));
            Assert.All(told, frame => Assert.Equal(snapshot, frame.Json.GetProperty("snapshot_id").GetString()));
        }
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal("then\nfile\n", await OneComputer.RunAsync(Api, id, "cat /root/file; ls /root"));
        await Miosa.Platform.Platform.UntilAsync("its service runs", async () => (await Api.GetAsync($"computers/{id}/services/web")).Text("status") == "running");
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it is stopped", async () => await Api.StatusAsync(id) == "stopped");
        (await Api.PostAsync($"computers/{id}/checkpoints/{snapshot}/restore")).Expect(202);
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal("then\n", await OneComputer.RunAsync(Api, id, "cat /root/file"));
        (await Api.PostAsync($"computers/{id}/checkpoints/snap_none/restore")).Expect(404);
        (await Api.GetAsync($"computers/{id}/checkpoints/snap_none/restore/stream")).Expect(404);
        // Of another computer.
        (await computer.PostAsync($"checkpoints/{snapshot}/restore")).Expect(404);
        await computer.AuditedAsync("computer.snapshot.restore", id);
    }

    [Fact]
    public async Task A_server_that_dies_on_the_way_back_leaves_a_computer_that_gets_there_or_is_as_it_was()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        await OneComputer.RunAsync(Api, id, "echo then > /root/file; sync");
        var snapshot = (await Api.PostAsync($"computers/{id}/snapshots")).Expect(201).Text("id");
        await OneComputer.RunAsync(Api, id, "echo now > /root/file; sync");
        (await Api.PostAsync($"computers/{id}/checkpoints/{snapshot}/restore")).Expect(202);
        await computer.Platform.KillServerAsync();
        await computer.Platform.StartServerAsync();
        string status = "";
        await Miosa.Platform.Platform.UntilAsync("it is somewhere", async () => (status = await Api.StatusAsync(id)) is "running" or "stopped" or "error");
        if (status != "running")
            (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it runs", async () => await Api.StatusAsync(id) == "running");
        Assert.Contains(await OneComputer.RunAsync(Api, id, "cat /root/file"), (string[])["then\n", "now\n"]);
        using var stream = await Api.EventsAsync($"computers/{id}/checkpoints/{snapshot}/restore/stream");
        Assert.Equal("ready", (await stream.ToEndAsync())[^1].Json.GetProperty("status").GetString());
        Assert.Equal("then\n", await OneComputer.RunAsync(Api, id, "cat /root/file"));
    }

    [Fact]
    public async Task A_way_back_that_is_refused_is_not_gone_by_a_later_start()
    {
        using var own = computer.Platform.Api(await computer.Platform.NewKeyAsync(computer.Tenant));
        var id = await own.NewComputerAsync(""","external_user_id":"full" """, "miosa-sandbox");
        await OneComputer.RunAsync(own, id, "echo then > /root/file");
        var snapshot = (await own.PostAsync($"computers/{id}/snapshots")).Expect(201).Text("id");
        await OneComputer.RunAsync(own, id, "echo now > /root/file");
        (await own.PostAsync($"computers/{id}/stop")).Expect(200);
        (await own.PutAsync("quotas/external/full", """{"max_concurrent":1}""")).Expect(200);
        var other = await own.NewComputerAsync(""","external_user_id":"full" """);
        using (var stream = await own.EventsAsync($"computers/{id}/checkpoints/{snapshot}/restore/stream"))
            Assert.Equal("failed", (await stream.ToEndAsync())[^1].Json.GetProperty("status").GetString());
        Assert.Equal("stopped", await own.StatusAsync(id));
        (await own.DeleteAsync($"computers/{other}")).Expect(200);
        (await own.PostAsync($"computers/{id}/start")).Expect(200);
        await own.UntilStatusAsync(id, "running");
        Assert.Equal("now\n", await OneComputer.RunAsync(own, id, "cat /root/file"));
        (await own.DeleteAsync($"computers/{id}/snapshots/{snapshot}")).Expect(200);
        (await own.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task A_checkpoint_that_the_next_start_needs_cannot_be_deleted()
    {
        var id = await Api.NewComputerAsync(image: "miosa-sandbox");
        await OneComputer.RunAsync(Api, id, "echo then > /root/file");
        var snapshot = (await Api.PostAsync($"computers/{id}/snapshots")).Expect(201).Text("id");
        // Its old disk is thrown away, and the new one cannot be made: nothing but the checkpoint is left.
        var disk = Path.Combine(computer.Platform.RuntimeData, "snapshots", snapshot, "disk");
        Directory.Move(disk, disk + "-away");
        using (var stream = await Api.EventsAsync($"computers/{id}/checkpoints/{snapshot}/restore/stream"))
            Assert.Equal("failed", (await stream.ToEndAsync())[^1].Json.GetProperty("status").GetString());
        Assert.Equal("error", await Api.StatusAsync(id));
        foreach (var path in (string[])[$"snapshots/{snapshot}", $"computers/{id}/snapshots/{snapshot}"])
            (await Api.DeleteAsync(path)).Expect(409);
        Directory.Move(disk + "-away", disk);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it runs", async () => await Api.StatusAsync(id) == "running");
        Assert.Equal("then\n", await OneComputer.RunAsync(Api, id, "cat /root/file"));
        (await Api.DeleteAsync($"snapshots/{snapshot}")).Expect(200);
    }

    [Theory]
    [InlineData("""{"comment":7}""")]
    [InlineData("[]")]
    public async Task Bad_input_takes_none(string body) => (await Api.PostAsync($"computers/{computer.Id}/snapshots", body)).Expect(422);
}
