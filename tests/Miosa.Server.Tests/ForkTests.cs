using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class ForkTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_fork_has_the_files_shape_and_environment_of_its_source_and_an_id_of_its_own()
    {
        var source = await Api.CreateAsync("""{"image":"miosa-busybox","name":"src-fork","env":{"A":"1"},"metadata":{"k":"v"},"external_user_id":"u1","memory_mb":256}""");
        await Api.RunAsync(source, "echo here > /workspace/file");

        var fork = (await Api.PostAsync($"sandboxes/{source}/fork", """{"name":"copy-fork"}""")).Expect(201);

        Assert.NotEqual(source, fork.Text("id"));
        Assert.Equal(("running", "copy-fork", "u1", 256), (fork.Text("state"), fork.Text("name"), fork.Text("external_user_id"), fork.Json.GetProperty("memory_mb").GetInt32()));
        Assert.Equal("v", fork.Json.GetProperty("metadata").GetProperty("k").GetString());
        Assert.Equal("here\n1\n", await Api.RunAsync(fork.Text("id"), "cat /workspace/file; echo $A"));
        await Api.RunAsync(fork.Text("id"), "echo changed > /workspace/file");
        Assert.Equal("here\n", await Api.RunAsync(source, "cat /workspace/file"));
    }

    [Fact]
    public async Task A_paused_sandbox_is_forked_without_being_resumed()
    {
        var source = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await Api.RunAsync(source, "echo here > /workspace/file");
        (await Api.PostAsync($"sandboxes/{source}/pause")).Expect(200);

        var fork = (await Api.PostAsync($"sandboxes/{source}/fork")).Expect(201);

        Assert.Equal("here\n", await Api.RunAsync(fork.Text("id"), "cat /workspace/file"));
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{source}")).Text("state"));
    }

    [Fact]
    public async Task The_same_idempotency_key_gives_the_same_fork()
    {
        var source = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var key = Guid.NewGuid().ToString("N");

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Api.PostAsync($"sandboxes/{source}/fork", "{}", ("Idempotency-Key", key))));

        Assert.Single(answers.Select(answer => answer.Expect(201).Text("id")).Distinct());
    }

    [Fact]
    public async Task Many_forks_at_once_are_all_whole()
    {
        var source = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        await Api.RunAsync(source, "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i > /workspace/$i; done");

        var forks = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Api.PostAsync($"sandboxes/{source}/fork")));

        foreach (var fork in forks)
            Assert.Equal("200\n", await Api.RunAsync(fork.Expect(201).Text("id"), "ls /workspace | wc -l"));
    }

    [Theory]
    [InlineData("""{"name":"taken-name"}""", 409)]
    [InlineData("""{"timeout_sec":0}""", 422)]
    [InlineData("""{"slug":"Not A Slug"}""", 422)]
    [InlineData("""{"template_id":"another"}""", 422)]
    [InlineData("""{"snapshot_id":"snap_x"}""", 404)]
    public async Task A_faulty_fork_is_refused_and_makes_nothing(string body, int status)
    {
        if (body.Contains("taken", StringComparison.Ordinal))
            (await Api.PostAsync("sandboxes", """{"image":"miosa-busybox","name":"taken-name"}""")).Expect(201);
        var source = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var before = (await Api.GetAsync("sandboxes?per_page=100")).Json.GetProperty("data").GetArrayLength();

        (await Api.PostAsync($"sandboxes/{source}/fork", body)).Expect(status);

        Assert.Equal(before, (await Api.GetAsync("sandboxes?per_page=100")).Json.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task What_is_destroyed_unknown_or_another_tenant_s_cannot_be_forked()
    {
        var source = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("other-" + Guid.NewGuid().ToString("N")[..8])));
        (await other.PostAsync($"sandboxes/{source}/fork")).Expect(404);
        (await Api.PostAsync("sandboxes/sbx_unknown/fork")).Expect(404);
        (await Api.DeleteAsync($"sandboxes/{source}")).Expect(200);

        (await Api.PostAsync($"sandboxes/{source}/fork")).Expect(409);
    }
}
