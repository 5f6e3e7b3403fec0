using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class LifecycleTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_sandbox_is_found_by_id_slug_and_name()
    {
        var created = (await Api.PostAsync("sandboxes", """{"name":"My Build","slug":"my-build"}""")).Expect(201);
        foreach (var path in (string[])[created.Text("id"), "my-build", "My%20Build", "by-name/My%20Build"])
            Assert.Equal(created.Text("id"), (await Api.GetAsync("sandboxes/" + path)).Expect(200).Text("id"));
    }

    [Fact]
    public async Task Destroy_can_be_repeated_and_the_machine_is_gone()
    {
        var id = await Api.CreateAsync("""{"name":"gone"}""");
        for (var i = 0; i < 2; i++)
        {
            var answer = (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
            Assert.Equal(("destroyed", false), (answer.Text("state"), answer.Json.GetProperty("ready").GetBoolean()));
            Assert.NotNull(answer.Text("destroyed_at"));
        }
        Assert.DoesNotContain(id, (await tenant.Platform.MachinesAsync()).Keys);
        Assert.Equal("destroyed", (await Api.GetAsync($"sandboxes/{id}")).Expect(200).Text("state"));
        Assert.Equal(404, (await Api.GetAsync("sandboxes/by-name/gone")).Status);
        Assert.Equal((409, "CONFLICT"), await ExecStatusAsync(id));
    }

    [Fact]
    public async Task Pause_freezes_resume_goes_on_and_both_can_be_repeated()
    {
        var id = await Api.CreateAsync();
        await Api.RunAsync(id, "echo kept > /tmp/file");
        for (var i = 0; i < 2; i++)
            Assert.Equal("paused", (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200).Text("state"));
        Assert.Equal("frozen", (await tenant.Platform.MachinesAsync())[id]);
        Assert.Equal((409, "CONFLICT"), await ExecStatusAsync(id));
        for (var i = 0; i < 2; i++)
            Assert.Equal("running", (await Api.PostAsync($"sandboxes/{id}/resume", "{}")).Expect(200).Text("state"));
        Assert.Equal("kept\n", await Api.RunAsync(id, "cat /tmp/file"));
    }

    [Fact]
    public async Task A_paused_persistent_sandbox_resumes_by_itself_for_a_command()
    {
        var id = await Api.CreateAsync("""{"persistent":true}""");
        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        Assert.Equal("ok\n", await Api.RunAsync(id, "echo ok"));
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }

    [Theory]
    [InlineData("true", "paused")]
    [InlineData("false", "destroyed")]
    public async Task Stop_pauses_what_is_persistent_and_destroys_the_rest(string persistent, string state)
    {
        var id = await Api.CreateAsync($$"""{"persistent":{{persistent}}}""");
        for (var i = 0; i < 2; i++)
            Assert.Equal(state, (await Api.PostAsync($"sandboxes/{id}/stop")).Expect(200).Text("state"));
    }

    [Fact]
    public async Task Update_changes_what_is_given_and_leaves_the_rest()
    {
        var id = await Api.CreateAsync("""{"name":"before","tags":["a"],"metadata":{"x":1},"external_user_id":"u"}""");
        var changed = (await Api.PatchAsync($"sandboxes/{id}", """{"name":"after","metadata":{"y":2},"timeout":7200,"external_user_id":null}""")).Expect(200);
        Assert.Equal(("after", """{"y":2}""", 7200), (changed.Text("name"), changed.Json.GetProperty("metadata").GetRawText(), changed.Json.GetProperty("timeout_sec").GetInt32()));
        Assert.Equal("""["a"]""", changed.Json.GetProperty("tags").GetRawText());
        Assert.Equal("null", changed.Json.GetProperty("external_user_id").GetRawText());
        Assert.InRange(changed.Json.GetProperty("timeout_remaining_ms").GetInt64(), 7_100_000, 7_200_000);
        Assert.Equal(404, (await Api.GetAsync("sandboxes/by-name/before")).Status);
        Assert.Equal(id, (await Api.GetAsync("sandboxes/by-name/after")).Text("id"));
    }

    [Fact]
    public async Task Put_is_an_update_too_and_a_taken_name_is_409()
    {
        await Api.CreateAsync("""{"name":"first"}""");
        var id = await Api.CreateAsync("""{"name":"second"}""");
        Assert.Equal("third", (await Api.PutAsync($"sandboxes/{id}", """{"name":"third"}""")).Expect(200).Text("name"));
        Assert.Equal(409, (await Api.PutAsync($"sandboxes/{id}", """{"name":"first"}""")).Status);
        Assert.Equal("third", (await Api.GetAsync($"sandboxes/{id}")).Text("name"));
    }

    [Fact]
    public async Task Tags_replace_the_whole_list_and_an_empty_list_clears_it()
    {
        var id = await Api.CreateAsync("""{"tags":["a","b"]}""");
        Assert.Equal("""["c"]""", (await Api.PatchAsync($"sandboxes/{id}/tags", """{"tags":["c"]}""")).Expect(200).Json.GetProperty("tags").GetRawText());
        Assert.Equal("null", (await Api.PutAsync($"sandboxes/{id}/tags", """{"tags":[]}""")).Expect(200).Json.GetProperty("tags").GetRawText());
        Assert.Equal(422, (await Api.PatchAsync($"sandboxes/{id}/tags", "{}")).Status);
    }

    [Fact]
    public async Task Extend_restarts_the_limit_or_sets_a_new_one()
    {
        var id = await Api.CreateAsync("""{"timeout_sec":1000}""");
        await Miosa.Platform.Platform.UntilAsync("time passed", async () => await RemainingAsync(id) < 999_900);
        Assert.InRange((await Api.PostAsync($"sandboxes/{id}/extend")).Expect(200).Json.GetProperty("timeout_remaining_ms").GetInt64(), 999_900, 1_000_000);
        Assert.Equal(5000, (await Api.PostAsync($"sandboxes/{id}/extend", """{"timeout_sec":5000}""")).Expect(200).Json.GetProperty("timeout_sec").GetInt32());
        Assert.Equal(422, (await Api.PostAsync($"sandboxes/{id}/extend", """{"timeout":0}""")).Status);
    }

    [Fact]
    public async Task At_its_life_limit_a_sandbox_is_destroyed_and_a_persistent_one_paused()
    {
        var mortal = await Api.CreateAsync("""{"timeout_sec":1}""");
        var persistent = await Api.CreateAsync("""{"timeout_sec":1,"persistent":true}""");
        var always = await Api.CreateAsync("""{"timeout_sec":1,"idle_timeout_sec":1,"always_on":true}""");
        await UntilStateAsync(mortal, "destroyed");
        await UntilStateAsync(persistent, "paused");
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{always}")).Text("state"));
        Assert.DoesNotContain(mortal, (await tenant.Platform.MachinesAsync()).Keys);
    }

    [Fact]
    public async Task The_life_limit_of_a_persistent_sandbox_waits_while_a_command_runs()
    {
        var id = await Api.CreateAsync("""{"timeout_sec":1,"persistent":true}""");
        // The command sees for itself whether it stood still: the clock goes on while a machine is frozen.
        var output = await Api.RunAsync(id, "for i in 1 2 3 4 5 6; do sleep 0.5; cut -d' ' -f1 /proc/uptime; done");
        var stamps = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(s => double.Parse(s, System.Globalization.CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(6, stamps.Count);
        Assert.All(stamps.Zip(stamps.Skip(1)), pair => Assert.InRange(pair.Second - pair.First, 0.4, 5));
        await UntilStateAsync(id, "paused");
    }

    [Fact]
    public async Task The_idle_limit_waits_while_a_command_runs_and_counts_from_its_end()
    {
        var id = await Api.CreateAsync("""{"idle_timeout_sec":1}""");
        Assert.Equal("done\n", await Api.RunAsync(id, "sleep 2.5; echo done"));
        await UntilStateAsync(id, "destroyed");
    }

    [Fact]
    public async Task A_dead_guest_makes_the_state_error_with_a_reason_and_is_cleaned_up()
    {
        var id = await Api.CreateAsync();
        using var events = await Api.EventsAsync($"sandboxes/{id}/events?types=sandbox.error");
        await tenant.Platform.KillGuestAsync(id);
        var error = await events.NextAsync();
        Assert.Equal("sandbox.error", error?.Type);
        Assert.NotEqual("", error?.Json.GetProperty("data").GetProperty("reason").GetString());
        var sandbox = await Api.GetAsync($"sandboxes/{id}");
        Assert.Equal("error", sandbox.Text("state"));
        Assert.NotEqual("", sandbox.Text("error"));
        Assert.Equal((409, "CONFLICT"), await ExecStatusAsync(id));
        await Miosa.Platform.Platform.UntilAsync("the remains are gone", async () => !(await tenant.Platform.MachinesAsync()).ContainsKey(id));
        Assert.Equal("destroyed", (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200).Text("state"));
    }

    private async Task<long> RemainingAsync(string id) => (await Api.GetAsync($"sandboxes/{id}")).Json.GetProperty("timeout_remaining_ms").GetInt64();

    private async Task<(int Status, string Code)> ExecStatusAsync(string id)
    {
        var answer = await Api.PostAsync($"sandboxes/{id}/exec", """{"command":"true"}""");
        return (answer.Status, answer.Code);
    }

    private Task UntilStateAsync(string id, string state) => Miosa.Platform.Platform.UntilAsync(
        $"{id} is {state}", async () => (await Api.GetAsync($"sandboxes/{id}")).Text("state") == state, TimeSpan.FromSeconds(20));
}
