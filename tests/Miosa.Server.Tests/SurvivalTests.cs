using System.Text.Json.Nodes;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What is left when a process is killed without warning.</summary>
public sealed class SurvivalTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    private Miosa.Platform.Platform Platform => tenant.Platform;

    [Fact]
    public async Task Killing_the_server_touches_no_machine()
    {
        var running = await Api.CreateAsync("""{"name":"survivor","env":{"WORD":"kept"}}""");
        var paused = await Api.CreateAsync();
        await Api.RunAsync(running, "echo data > /tmp/file; sleep 1000 >/dev/null 2>&1 & echo $! > /tmp/pid");
        (await Api.PostAsync($"sandboxes/{paused}/pause")).Expect(200);
        await Platform.KillServerAsync();
        Assert.Equal(("running", "frozen"), ((await Platform.MachinesAsync())[running], (await Platform.MachinesAsync())[paused]));
        await Platform.StartServerAsync();
        Assert.Equal("running", (await Api.GetAsync("sandboxes/survivor")).Expect(200).Text("state"));
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{paused}")).Text("state"));
        Assert.Equal("data kept\n", await Api.RunAsync(running, "echo $(cat /tmp/file) $WORD; kill -0 $(cat /tmp/pid)"));
        (await Api.PostAsync($"sandboxes/{paused}/resume")).Expect(200);
        Assert.Equal("ok\n", await Api.RunAsync(paused, "echo ok"));
    }

    [Fact]
    public async Task A_machine_that_died_while_the_server_was_away_is_in_error_afterwards()
    {
        var id = await Api.CreateAsync();
        await Platform.KillServerAsync();
        await Platform.AskRuntimeAsync(new JsonObject { ["op"] = "destroy", ["machine"] = id });
        await Platform.StartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("the loss is told", async () => (await Api.GetAsync($"sandboxes/{id}")).Text("state") == "error");
        Assert.Contains("gone", (await Api.GetAsync($"sandboxes/{id}")).Text("error"));
    }

    [Fact]
    public async Task While_the_runtime_is_down_changes_are_503_and_nothing_is_half_done()
    {
        var id = await Api.CreateAsync();
        await Platform.KillRuntimeAsync();
        await Miosa.Platform.Platform.UntilAsync("the server noticed", async () => await Api.TryGetAsync(Api.Root + "/readyz") == System.Net.HttpStatusCode.ServiceUnavailable);
        try
        {
            foreach (var call in (Func<Task<Answer>>[])[() => Api.PostAsync("sandboxes", """{"name":"half"}"""), () => Api.PostAsync($"sandboxes/{id}/pause"), () => Api.DeleteAsync($"sandboxes/{id}")])
            {
                var answer = await call();
                Assert.Equal((503, "UNAVAILABLE"), (answer.Status, answer.Code));
                Assert.Equal("1", Assert.Single(answer.Headers.GetValues("Retry-After")));
                Assert.Equal(1, answer.Json.GetProperty("retry_after").GetInt32());
            }
            // Commands need no runtime.
            Assert.Equal("still\n", await Api.RunAsync(id, "echo still"));
            Assert.Equal("running", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
            Assert.Equal(404, (await Api.GetAsync("sandboxes/by-name/half")).Status);
        }
        finally
        {
            Platform.StartRuntime();
        }
        await Miosa.Platform.Platform.UntilAsync("the runtime is back", async () => await Api.TryGetAsync(Api.Root + "/readyz") == System.Net.HttpStatusCode.OK);
        Assert.Equal("still\n", await Api.RunAsync(id, "echo still"));
        (await Api.PostAsync("sandboxes", """{"name":"half"}""")).Expect(201);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
    }

    [Fact]
    public async Task A_machine_nobody_owns_is_swept()
    {
        await Platform.AskRuntimeAsync(new JsonObject
        {
            ["op"] = "launch", ["machine"] = "stray", ["image"] = "miosa-busybox", ["vcpus"] = 1, ["memory_mb"] = 128, ["disk_mb"] = 512, ["hostname"] = "stray", ["network"] = false,
        });
        await Miosa.Platform.Platform.UntilAsync("the stray is gone", async () => !(await Platform.MachinesAsync()).ContainsKey("stray"));
    }

    [Fact]
    public async Task A_stop_ends_open_streams_and_the_process()
    {
        var id = await Api.CreateAsync();
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events");
        Assert.Equal("sandbox.created", (await stream.NextAsync())?.Type);
        Assert.Equal(0, await Platform.StopServerAsync());
        await Platform.StartServerAsync();
        Assert.Equal("running", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }
}
