using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A platform with the image of a desktop.</summary>
public sealed class DesktopImagePlatform : IAsyncLifetime
{
    private Miosa.Platform.Platform? platform;
    private Api? api;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    public Api Api => api ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        platform = await Miosa.Platform.Platform.StartAsync("dsk", net: 238, ["miosa-busybox", "miosa-desktop"]);
        api = await platform.NewApiAsync();
    }

    public async ValueTask DisposeAsync()
    {
        api?.Dispose();
        if (platform is not null)
            await platform.DisposeAsync();
    }
}

/// <summary>The life of computers with a desktop: they run when a picture of their screen was taken.</summary>
public sealed class ComputerDesktopTests(DesktopImagePlatform desktop) : IClassFixture<DesktopImagePlatform>
{
    private static readonly TimeSpan Boot = TimeSpan.FromSeconds(120);

    private Api Api => desktop.Api;

    [Fact]
    public async Task The_default_is_a_desktop_that_runs_by_itself_and_comes_back_after_a_stop()
    {
        var id = (await Api.PostAsync("computers", """{"screen_width":1024,"screen_height":768}""")).Expect(201).Text("id");
        // The usual call right after create, which is too early for everything else.
        Assert.Equal("starting", (await Api.PostAsync($"computers/{id}/start")).Expect(200).Text("status"));
        Assert.Equal("COMPUTER_NOT_RUNNING", (await Api.GetAsync($"computers/{id}/apps")).Code);
        await Api.UntilStatusAsync(id, "running", Boot);
        var told = (await Api.GetAsync($"computers/{id}")).Expect(200);
        Assert.Equal(("miosa-desktop", 1024, 768), (told.Text("template_type"), told.Json.GetProperty("screen_width").GetInt32(), told.Json.GetProperty("screen_height").GetInt32()));
        Assert.Contains("Xvnc", await ProcessesAsync(id), StringComparison.Ordinal);
        Assert.NotEmpty((await Api.GetAsync($"computers/{id}/apps")).Expect(200).Json.GetProperty("data").EnumerateArray());
        await desktop.Platform.EnterAsync(id, "echo kept > /home/user/kept");

        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        Assert.Equal("COMPUTER_NOT_RUNNING", (await Api.GetAsync($"computers/{id}/apps")).Code);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running", Boot);
        Assert.Contains("Xvnc", await ProcessesAsync(id), StringComparison.Ordinal);
        Assert.Equal("kept\n", await desktop.Platform.EnterAsync(id, "cat /home/user/kept"));

        (await Api.PostAsync($"computers/{id}/restart")).Expect(200);
        await Api.UntilStatusAsync(id, "running", Boot);
        Assert.Contains("Xvnc", await ProcessesAsync(id), StringComparison.Ordinal);

        var clone = (await Api.PostAsync($"computers/{id}/clone")).Expect(201).Text("id");
        await Api.UntilStatusAsync(clone, "running", Boot);
        Assert.Equal("kept\n", await desktop.Platform.EnterAsync(clone, "cat /home/user/kept"));
        foreach (var one in (string[])[clone, id])
            (await Api.DeleteAsync($"computers/{one}")).Expect(200);
    }

    [Fact]
    public async Task A_desktop_that_the_server_did_not_survive_to_see_is_seen_by_the_next_one()
    {
        var id = (await Api.PostAsync("computers", "{}")).Expect(201).Text("id");
        Assert.Equal("starting", await Api.StatusAsync(id));
        await desktop.Platform.KillServerAsync();
        await desktop.Platform.StartServerAsync();
        await Api.UntilStatusAsync(id, "running", Boot);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task While_its_desktop_starts_a_computer_can_be_stopped_and_deleted()
    {
        var id = (await Api.PostAsync("computers", "{}")).Expect(201).Text("id");
        Assert.Equal("stopped", (await Api.PostAsync($"computers/{id}/stop")).Expect(200).Text("status"));
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        (await Api.PostAsync($"computers/{id}/restart")).Expect(200);
        await Api.UntilStatusAsync(id, "running", Boot);
        (await Api.PostAsync($"computers/{id}/restart")).Expect(200);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
        Assert.Equal(404, (await Api.GetAsync($"computers/{id}")).Status);
        Assert.DoesNotContain(id, (await desktop.Platform.MachinesAsync()).Keys);
    }

    [Fact]
    public async Task A_desktop_that_cannot_start_makes_the_status_error_which_says_why_and_a_start_tries_again()
    {
        var id = (await Api.PostAsync("computers", "{}")).Expect(201).Text("id");
        await Api.UntilStatusAsync(id, "running", Boot);
        await desktop.Platform.EnterAsync(id, "mv /usr/bin/Xvnc /usr/bin/Xvnc.away; mv /usr/bin/Xtigervnc /usr/bin/Xtigervnc.away || true");
        (await Api.PostAsync($"computers/{id}/restart")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it is in error", async () => await Api.StatusAsync(id) == "error", Boot);
        Assert.Contains("desktop", (await Api.GetAsync($"computers/{id}")).Text("error"), StringComparison.Ordinal);
        await Miosa.Platform.Platform.UntilAsync("it takes no memory", async () => (await desktop.Platform.MachinesAsync())[id] == "dead");
        Assert.Equal("COMPUTER_NOT_RUNNING", (await Api.GetAsync($"computers/{id}/apps")).Code);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it tried again", async () => await Api.StatusAsync(id) == "error", Boot);
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    [Fact]
    public async Task An_X_server_that_dies_is_started_again_and_told()
    {
        var id = (await Api.PostAsync("computers", "{}")).Expect(201).Text("id");
        await Api.UntilStatusAsync(id, "running", Boot);
        await desktop.Platform.EnterAsync(id, "for p in /proc/[0-9]*; do case \"$(cat $p/comm 2>/dev/null)\" in Xvnc*|Xtigervnc*) kill -9 ${p#/proc/};; esac; done");
        await Miosa.Platform.Platform.UntilAsync("it is told", async () => (await Api.GetAsync($"computers/{id}")).Json.GetProperty("error").GetString()?.Contains("started again", StringComparison.Ordinal) == true, Boot);
        Assert.Equal("running", await Api.StatusAsync(id));
        (await Api.DeleteAsync($"computers/{id}")).Expect(200);
    }

    private Task<string> ProcessesAsync(string id) => desktop.Platform.EnterAsync(id, "cat /proc/[0-9]*/comm 2>/dev/null || true");
}
