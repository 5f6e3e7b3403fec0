
namespace Miosa.Server.Tests;

/// <summary>The warm pool, on a server of its own beside the shared one.</summary>
public sealed class PoolTests(PoolTests.WithPool pool) : IClassFixture<PoolTests.WithPool>
{
    [Fact]
    public async Task A_warm_machine_is_claimed_with_the_limits_asked_for_and_the_pool_fills_up_again()
    {
        await UntilWarmAsync(2);
        using var api = await pool.Platform.NewApiAsync();
        var created = (await api.PostAsync("sandboxes", """{"name":"warm","memory_mb":300,"cpu_count":1,"disk_mb":600,"env":{"A":"b"}}""")).Expect(201);
        Assert.Equal("warm", created.Text("boot_path"));
        var machine = await pool.Platform.AskRuntimeAsync(new() { ["op"] = "inspect", ["machine"] = created.Text("id") });
        Assert.Equal((300, 600, 1), (machine.GetProperty("memory_mb").GetInt32(), machine.GetProperty("disk_mb").GetInt32(), (int)machine.GetProperty("vcpus").GetDouble()));
        Assert.Equal("b\n", await api.RunAsync("warm", "echo $A"));
        using var events = await api.EventsAsync("sandboxes/warm/events");
        Assert.Equal(["sandbox.created", "build.started", "build.completed", "sandbox.ready"],
            [(await events.NextAsync())?.Type, (await events.NextAsync())?.Type, (await events.NextAsync())?.Type, (await events.NextAsync())?.Type]);
        await UntilWarmAsync(2);
        (await api.DeleteAsync("sandboxes/warm")).Expect(200);
    }

    [Fact]
    public async Task A_name_that_is_taken_costs_no_warm_machine()
    {
        using var api = await pool.Platform.NewApiAsync();
        var id = await api.CreateAsync("""{"name":"one"}""");
        await UntilWarmAsync(2);
        var before = (await pool.Platform.MachinesAsync()).Keys.Order().ToList();
        (await api.PostAsync("sandboxes", """{"name":"one"}""")).Expect(409);
        await UntilWarmAsync(2);
        Assert.Subset((await pool.Platform.MachinesAsync()).Keys.ToHashSet(), before.ToHashSet());
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
    }

    [Fact]
    public async Task A_warm_machine_that_died_is_replaced_and_never_handed_out()
    {
        await UntilWarmAsync(2);
        using var api = await pool.Platform.NewApiAsync();
        foreach (var machine in (await pool.Platform.MachinesAsync()).Keys)
            await pool.Platform.KillGuestAsync(machine);
        var id = await api.CreateAsync();
        Assert.Equal("ok\n", await api.RunAsync(id, "echo ok"));
        await UntilWarmAsync(2);
        (await api.DeleteAsync($"sandboxes/{id}")).Expect(200);
    }

    [Fact]
    public async Task After_a_kill_of_the_server_old_pool_machines_are_swept()
    {
        await UntilWarmAsync(2);
        var old = (await pool.Platform.MachinesAsync()).Keys.ToHashSet();
        using var api = await pool.Platform.NewApiAsync();
        var mine = await api.CreateAsync();
        old.Remove(mine);
        await pool.Platform.KillServerAsync();
        await pool.Platform.StartServerAsync();
        await Miosa.Platform.Platform.UntilAsync("the old pool is gone", async () =>
            !(await pool.Platform.MachinesAsync()).Keys.Any(m => old.Contains(m)), TimeSpan.FromSeconds(30));
        Assert.Equal("ok\n", await api.RunAsync(mine, "echo ok"));
        (await api.DeleteAsync($"sandboxes/{mine}")).Expect(200);
    }

    [Fact]
    public async Task The_catalogue_tells_a_template_whose_machines_wait_as_fast()
    {
        await UntilWarmAsync(2);
        using var api = await pool.Platform.NewApiAsync();
        var template = (await api.GetAsync("compute/catalog")).Expect(200).Json.GetProperty("products")[0].GetProperty("templates").EnumerateArray().Single(t => t.GetProperty("id").GetString() == "miosa-busybox");
        Assert.All(template.GetProperty("artifact_readiness").EnumerateArray(), readiness =>
            Assert.Equal(("fast_ready", 1, 0), (readiness.GetProperty("state").GetString(), readiness.GetProperty("ready_nodes").GetInt32(), readiness.GetProperty("cold_boot_nodes").GetInt32())));
    }

    private Task UntilWarmAsync(int count) => Miosa.Platform.Platform.UntilAsync($"{count} warm machines", async () =>
    {
        using var nobody = pool.Platform.Api(null);
        return (await nobody.GetAsync("health")).Json.GetProperty("checks").GetProperty("warm_machines").GetInt32() >= count;
    });

    public sealed class WithPool : IAsyncLifetime
    {
        private Miosa.Platform.Platform? platform;

        public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

        public async ValueTask InitializeAsync() =>
            platform = await Miosa.Platform.Platform.StartAsync("pool", net: 234, ["miosa-busybox"], "--pool-size", "2");

        public async ValueTask DisposeAsync()
        {
            if (platform is not null)
                await platform.DisposeAsync();
        }
    }
}
