using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Computers that wait with their desktop on, on a server of its own.</summary>
public sealed class ComputerPoolTests(ComputerPoolTests.WithPool pool) : IClassFixture<ComputerPoolTests.WithPool>
{
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(120);

    /// <summary>Those that a test made.</summary>
    private readonly List<string> taken = [];

    [Fact]
    public async Task A_warm_computer_is_what_was_asked_for_and_another_takes_its_place()
    {
        var warm = await WarmAsync();
        using var api = await pool.Platform.NewApiAsync();
        var created = (await api.PostAsync("computers", """{"screen_width":1024,"screen_height":768,"vcpus":1,"memory_mb":1500,"env":{"A":"b"},"external_user_id":"u"}""")).Expect(201);
        var id = created.Text("id");
        Assert.Equal(warm, id);
        taken.Add(id);
        Assert.Equal(($"computer-{id[^6..].ToLowerInvariant()}", "u"), (created.Text("name"), created.Text("external_user_id")));
        await api.UntilStatusAsync(id, "running", Boot);
        var machine = await pool.Platform.AskRuntimeAsync(new() { ["op"] = "inspect", ["machine"] = id });
        Assert.Equal((1500, 1), (machine.GetProperty("memory_mb").GetInt32(), (int)machine.GetProperty("vcpus").GetDouble()));
        Assert.Equal("computer b\n", await OneComputer.RunAsync(api, id, "echo $(hostname) $A"));
        await HasScreenAsync(api, id);

        // Its disk is a computer's: it outlives a stop.
        await OneComputer.RunAsync(api, id, "echo kept > /workspace/kept");
        (await api.PostAsync($"computers/{id}/stop")).Expect(200);
        (await api.PostAsync($"computers/{id}/start")).Expect(200);
        await api.UntilStatusAsync(id, "running", Boot);
        Assert.Equal("kept\n", await OneComputer.RunAsync(api, id, "cat /workspace/kept"));
        await HasScreenAsync(api, id);

        Assert.NotEqual(warm, await WarmAsync());
        (await api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task A_warm_computer_that_died_is_replaced_and_never_handed_out()
    {
        var warm = await WarmAsync();
        using var api = await pool.Platform.NewApiAsync();
        await pool.Platform.KillGuestAsync(warm);
        var id = (await api.PostAsync("computers")).Expect(201).Text("id");
        Assert.NotEqual(warm, id);
        taken.Add(id);
        await api.UntilStatusAsync(id, "running", Boot);
        Assert.NotEqual(warm, await WarmAsync());
        (await api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task Only_a_plain_computer_with_the_desktop_comes_from_the_pool()
    {
        var warm = await WarmAsync();
        using var api = await pool.Platform.NewApiAsync();
        var id = (await api.PostAsync("computers", """{"template_type":"miosa-busybox"}""")).Expect(201).Text("id");
        Assert.NotEqual(warm, id);
        taken.Add(id);
        var sandbox = (await api.PostAsync("sandboxes", """{"image":"miosa-desktop"}""")).Expect(201).Text("id");
        Assert.StartsWith("sbx_", sandbox, StringComparison.Ordinal);
        Assert.Equal(warm, await WarmAsync());
        (await api.DeleteAsync($"computers/{id}")).Expect(200);
        (await api.DeleteAsync($"sandboxes/{sandbox}")).Expect(200);
    }

    private static async Task HasScreenAsync(Api api, string id)
    {
        using var response = await api.Http.GetAsync($"computers/{id}/desktop/screenshot");
        using var picture = SkiaSharp.SKBitmap.Decode(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal((1024, 768), (picture.Width, picture.Height));
    }

    /// <summary>The computer that waits, once there is one: no tenant has it.</summary>
    private async Task<string> WarmAsync()
    {
        await Miosa.Platform.Platform.UntilAsync(
            "a computer waits",
            async () =>
            {
                using var nobody = pool.Platform.Api(null);
                return (await nobody.GetAsync("health")).Json.GetProperty("checks").GetProperty("warm_computers").GetInt32() == 1;
            },
            Boot);
        return (await pool.Platform.MachinesAsync())
            .Where(machine => machine.Key.StartsWith("cmp_", StringComparison.Ordinal) && machine.Value == "running").Select(machine => machine.Key).Except(taken).Single();
    }

    public sealed class WithPool : IAsyncLifetime
    {
        private Miosa.Platform.Platform? platform;

        public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

        public async ValueTask InitializeAsync() =>
            platform = await Miosa.Platform.Platform.StartAsync("cpl", net: 239, ["miosa-busybox", "miosa-desktop"], "--pool-size", "1", "--pool-max", "1", "--computer-pool-size", "1");

        public async ValueTask DisposeAsync()
        {
            if (platform is not null)
                await platform.DisposeAsync();
        }
    }
}
