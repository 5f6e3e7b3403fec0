using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Computers when a process is killed without warning, between any two steps.</summary>
public sealed class ComputerSurvivalTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private Miosa.Platform.Platform Platform => tenant.Platform;

    [Fact]
    public async Task Killing_the_server_touches_no_computer()
    {
        var running = await Api.NewComputerAsync();
        var stopped = await Api.NewComputerAsync();
        (await Api.PostAsync($"computers/{stopped}/stop")).Expect(200);
        var pid = await Platform.PidAsync(running);
        await Platform.KillServerAsync();
        await Platform.StartServerAsync();
        Assert.Equal(("running", "stopped"), (await Api.StatusAsync(running), await Api.StatusAsync(stopped)));
        Assert.Equal(pid, await Platform.PidAsync(running));
        (await Api.PostAsync($"computers/{stopped}/start")).Expect(200);
        await Api.UntilStatusAsync(stopped, "running");
    }

    [Theory]
    [InlineData("start")]
    [InlineData("restart")]
    public async Task A_start_that_the_server_did_not_survive_is_brought_to_its_end(string verb)
    {
        var id = await Api.NewComputerAsync();
        if (verb == "start")
            (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        // Answered before the computer runs: the row says starting.
        (await Api.PostAsync($"computers/{id}/{verb}")).Expect(200);
        await Platform.KillServerAsync();
        await Platform.StartServerAsync();
        await Api.UntilStatusAsync(id, "running");
    }

    [Fact]
    public async Task What_the_runtime_did_and_the_row_does_not_know_is_put_right()
    {
        // A start that came as far as the machine: the row still says stopped.
        var id = await Api.NewComputerAsync();
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        await Platform.KillServerAsync();
        await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "start", ["machine"] = id, ["hostname"] = "computer", ["durable"] = true });
        await Platform.StartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("it is parked again", async () => (await Platform.MachinesAsync())[id] == "dead");
        Assert.Equal("stopped", await Api.StatusAsync(id));
        // A stop that came as far as the machine: it was running, so it runs again.
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
        await Platform.KillServerAsync();
        await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "stop", ["machine"] = id });
        await Platform.StartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("it runs again", async () => (await Platform.MachinesAsync())[id] == "running" && await Api.StatusAsync(id) == "running");
    }

    [Fact]
    public async Task A_creation_that_the_server_did_not_survive_leaves_a_computer_that_runs_or_nothing()
    {
        using var own = await Platform.NewApiAsync();
        // Taken once: what an earlier round left behind must fail a later one.
        var before = await ComputersAsync();
        for (var i = 0; i < 3; i++)
        {
            var creating = own.PostAsync("computers", """{"template_type":"miosa-busybox","vcpus":1,"memory_mb":256}""");
            if (i > 0)
                await Miosa.Platform.Platform.UntilAsync("the creation has begun or is over", async () => creating.IsCompleted || (await NewAsync()).Count > 0);
            await Platform.KillServerAsync();
            await creating.ContinueWith(_ => { }, TaskScheduler.Default);
            await Platform.StartServerAsync();
            await Miosa.Platform.Platform.UntilAsync("rows and machines agree", async () =>
            {
                var told = (await own.GetAsync("computers")).Expect(200).Json.GetProperty("data").EnumerateArray().ToDictionary(c => c.GetProperty("id").GetString() ?? "", c => c.GetProperty("status").GetString());
                return told.Values.All(status => status == "running") && (await NewAsync()).SetEquals(told.Keys);
            });
            foreach (var computer in (await own.GetAsync("computers")).Json.GetProperty("data").EnumerateArray())
                (await own.DeleteAsync("computers/" + computer.GetProperty("id").GetString())).Expect(200);
        }
        await Miosa.Platform.Platform.UntilAsync("nothing is left", async () => (await NewAsync()).Count == 0);

        async Task<HashSet<string>> ComputersAsync() => [.. (await Platform.MachinesAsync()).Keys.Where(id => id.StartsWith("cmp_", StringComparison.Ordinal))];
        async Task<HashSet<string>> NewAsync() => [.. (await ComputersAsync()).Except(before)];
    }

    [Fact]
    public async Task A_computer_that_died_runs_again_and_one_whose_disk_is_gone_says_so()
    {
        var id = await Api.NewComputerAsync();
        await Platform.EnterAsync(id, "echo kept > /kept");
        var first = await Platform.PidAsync(id);
        await Platform.KillGuestAsync(id);
        await Miosa.Platform.Platform.UntilAsync("it runs again", async () =>
            await Platform.PidAsync(id) is not 0 and var pid && pid != first && await Api.StatusAsync(id) == "running");
        Assert.Equal("kept\n", await Platform.EnterAsync(id, "cat /kept"));
        await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "destroy", ["machine"] = id });
        await Miosa.Platform.Platform.UntilAsync("the loss is told", async () => await Api.StatusAsync(id) == "error");
        Assert.NotEmpty((await Api.GetAsync($"computers/{id}")).Text("error"));
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task After_a_restart_of_the_runtime_what_ran_runs_and_what_was_stopped_stays_so()
    {
        var running = await Api.NewComputerAsync();
        var stopped = await Api.NewComputerAsync();
        (await Api.PostAsync($"computers/{stopped}/stop")).Expect(200);
        await Platform.KillServerAsync();
        await Platform.KillGuestAsync(running);
        await Platform.KillRuntimeAsync();
        Platform.StartRuntime();
        await Platform.StartServerAsync();
        await Api.UntilStatusAsync(running, "running");
        await Miosa.Platform.Platform.UntilAsync("its machine runs", async () => (await Platform.MachinesAsync())[running] == "running");
        Assert.Equal(("stopped", "dead"), (await Api.StatusAsync(stopped), (await Platform.MachinesAsync())[stopped]));
    }

    [Fact]
    public async Task One_that_dies_again_and_again_is_in_error_in_the_end_and_a_start_tries_again()
    {
        var id = await Api.NewComputerAsync();
        var deaths = 0;
        while (await Api.StatusAsync(id) == "running")
        {
            Assert.True(++deaths <= 4, "it was started for ever");
            var pid = await Platform.PidAsync(id);
            await Platform.KillGuestAsync(id);
            await Miosa.Platform.Platform.UntilAsync("its end was noticed", async () =>
                await Api.StatusAsync(id) is "error" || (await Platform.PidAsync(id) is not 0 and var now && now != pid && await Api.StatusAsync(id) == "running"));
        }
        Assert.Equal(4, deaths);
        Assert.Contains("died 4 times", (await Api.GetAsync($"computers/{id}")).Text("error"), StringComparison.Ordinal);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal(System.Text.Json.JsonValueKind.Null, (await Api.GetAsync($"computers/{id}")).Json.GetProperty("error").ValueKind);
    }
}
