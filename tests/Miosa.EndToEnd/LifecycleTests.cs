using System.Text.Json.Nodes;

namespace Miosa.EndToEnd;

public sealed class LifecycleTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Created_sandbox_is_what_was_asked_for_and_can_be_found(bool async)
    {
        using var client = platform.Client();
        var name = $"e2e-{Guid.NewGuid():N}";
        Task<Sandbox> CreateAsync() => Twins.CallAsync(
            async,
            () => client.Sandboxes.Create("miosa-sandbox", name, name, "usr_1", "proj_1", "ws_1", new JsonObject { ["env"] = "x" }, 300, false, 1, 256),
            () => client.Sandboxes.CreateAsync("miosa-sandbox", name, name, "usr_1", "proj_1", "ws_1", new JsonObject { ["env"] = "x" }, 300, false, 1, 256));

        await using var sandbox = await CreateAsync();
        var info = sandbox.Info;
        Assert.Equal((name, name, "running", true), (info.Name, info.Slug, info.State, info.Ready));
        Assert.Equal(("usr_1", "proj_1", "ws_1", "x"), (info.ExternalUserId, info.ExternalProjectId, info.ExternalWorkspaceId, (string?)info.Metadata["env"]));
        Assert.Equal((300, 1, 256, false), (info.TimeoutSec, info.CpuCount, info.MemoryMb, info.AlwaysOn));

        Assert.Equal(sandbox.Id, (await Twins.CallAsync(async, () => client.Sandboxes.Get(sandbox.Id), () => client.Sandboxes.GetAsync(sandbox.Id))).Id);
        Assert.Equal(sandbox.Id, (await Twins.CallAsync(async, () => client.Sandboxes.GetByName(name), () => client.Sandboxes.GetByNameAsync(name))).Id);
        var page = await Twins.CallAsync(async, () => client.Sandboxes.List(new() { Name = name }), () => client.Sandboxes.ListAsync(new() { Name = name }));
        Assert.Equal(sandbox.Id, page.Data.Single().Id);
        Assert.Equal(1, page.Meta?.Total);
        Assert.Contains(await Twins.AllAsync(async, () => client.Sandboxes.ListAll(), () => client.Sandboxes.ListAllAsync()), one => one.Id == sandbox.Id);
        Assert.Equal(sandbox.Id, (await Twins.CallAsync(async, () => client.Sandboxes.GetOrCreate(name), () => client.Sandboxes.GetOrCreateAsync(name))).Id);
        await Assert.ThrowsAsync<ConflictException>(CreateAsync);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Update_tags_and_extend_change_the_sandbox(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        var name = $"e2e-{Guid.NewGuid():N}";

        var changes = new UpdateSandboxRequest { Name = name, TimeoutSec = 600, AlwaysOn = true, Metadata = new() { ["version"] = "2" } };
        await Twins.CallAsync(async, () => sandbox.Update(changes), () => sandbox.UpdateAsync(changes));
        Assert.Equal((name, 600, true, "2"), (sandbox.Name, sandbox.Info.TimeoutSec, sandbox.Info.AlwaysOn, (string?)sandbox.Info.Metadata["version"]));
        await Twins.CallAsync(async, () => sandbox.SetTags(["a", "b"]), () => sandbox.SetTagsAsync(["a", "b"]));
        Assert.Equal(["a", "b"], sandbox.Info.Tags!);
        await Twins.CallAsync(async, () => sandbox.Extend(TimeSpan.FromSeconds(900)), () => sandbox.ExtendAsync(TimeSpan.FromSeconds(900)));
        Assert.Equal(900, sandbox.Info.TimeoutSec);
        Assert.Equal(name, (await Twins.CallAsync(async, sandbox.Refresh, () => sandbox.RefreshAsync())).Name);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Paused_sandbox_keeps_its_processes_and_files(bool async)
    {
        using var client = platform.Client();
        await using var sandbox = await LivePlatform.CreateAsync(client);
        await sandbox.RunAsync("echo kept > /workspace/f; nohup sleep 7654321 > /dev/null 2>&1 &");

        Assert.Equal("paused", (await Twins.CallAsync(async, () => sandbox.Pause(), () => sandbox.PauseAsync())).State);
        Assert.Equal("paused", (await sandbox.PauseAsync()).State);
        await Assert.ThrowsAsync<ConflictException>(() => Twins.CallAsync(async, () => sandbox.Run("true"), () => sandbox.RunAsync("true")));
        Assert.Equal("running", (await Twins.CallAsync(async, sandbox.Resume, () => sandbox.ResumeAsync())).State);
        await Twins.CallAsync(async, () => sandbox.WaitUntilReady(), () => sandbox.WaitUntilReadyAsync());

        Assert.Equal("kept\n", (await sandbox.RunAsync("cat /workspace/f")).Stdout);
        Assert.True((await sandbox.RunAsync("grep -l 765432[1] /proc/[0-9]*/cmdline")).Success);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task Destroyed_sandbox_stays_destroyed(bool async)
    {
        using var client = platform.Client();
        var sandbox = await LivePlatform.CreateAsync(client);

        await Twins.CallAsync(async, sandbox.Destroy, () => sandbox.DestroyAsync());
        Assert.Equal("destroyed", sandbox.State);
        await Twins.CallAsync(async, () => client.Sandboxes.Destroy(sandbox.Id), () => client.Sandboxes.DestroyAsync(sandbox.Id));

        var failure = await Assert.ThrowsAnyAsync<MiosaException>(() => sandbox.RunAsync("true"));
        Assert.Contains(failure.StatusCode ?? 0, new[] { 404, 409 });
        var missing = await Assert.ThrowsAsync<MiosaException>(() => sandbox.WaitUntilReadyAsync());
        Assert.Equal("destroyed", missing.Code);
    }

    [Fact]
    public async Task Stopped_sandbox_is_paused_when_persistent_and_else_destroyed()
    {
        using var client = platform.Client();
        await using var persistent = await client.Sandboxes.CreateAsync(new CreateSandboxRequest { TemplateId = "miosa-sandbox", Persistent = true });
        var other = await LivePlatform.CreateAsync(client);

        Assert.Equal("paused", (await persistent.StopAsync()).State);
        Assert.Equal("destroyed", (await other.StopAsync()).State);
    }

    [Fact]
    public async Task Same_idempotency_key_gives_the_same_sandbox()
    {
        using var client = platform.Client();
        var key = Guid.NewGuid().ToString();

        await using var first = await client.Sandboxes.CreateAsync("miosa-sandbox", idempotencyKey: key);
        var again = await client.Sandboxes.CreateAsync("miosa-sandbox", idempotencyKey: key);

        Assert.Equal(first.Id, again.Id);
    }

    [Fact]
    public async Task Failures_have_their_exceptions()
    {
        using var client = platform.Client();
        using var stranger = platform.Client(new MiosaOptions { ApiKey = "msk_live_" + new string('0', 40) });

        var refused = await Assert.ThrowsAsync<AuthenticationException>(() => stranger.Sandboxes.ListAsync());
        Assert.Equal((401, ErrorCodes.InvalidToken), (refused.StatusCode, refused.Code));
        Assert.NotNull(refused.RequestId);
        await Assert.ThrowsAsync<NotFoundException>(() => client.Sandboxes.GetAsync("nonexistent-id"));
        await Assert.ThrowsAsync<NotFoundException>(() => client.Sandboxes.GetByNameAsync("nobody has this name"));
        var faulty = await Assert.ThrowsAsync<ValidationException>(() => client.Sandboxes.CreateAsync(timeoutSec: -1, memoryMb: 1));
        Assert.Equal(["memory_mb", "timeout_sec"], faulty.Errors.Keys.Order());
        await Assert.ThrowsAnyAsync<MiosaException>(() => client.Sandboxes.CreateAsync(image: "no-such-image"));
    }
}
