using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class CreateTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task Create_answers_a_running_ready_sandbox_with_the_defaults()
    {
        var sandbox = (await Api.PostAsync("sandboxes", "{}")).Expect(201).Json;
        Assert.StartsWith("sbx_", sandbox.GetProperty("id").GetString());
        Assert.Equal("running", sandbox.GetProperty("state").GetString());
        Assert.True(sandbox.GetProperty("ready").GetBoolean());
        Assert.Equal(3600, sandbox.GetProperty("timeout_sec").GetInt32());
        Assert.False(sandbox.GetProperty("persistent").GetBoolean());
        Assert.Equal("cold", sandbox.GetProperty("boot_path").GetString());
        Assert.Equal("{}", sandbox.GetProperty("metadata").GetRawText());
    }

    [Theory]
    [InlineData("template_id")]
    [InlineData("image")]
    [InlineData("template")]
    [InlineData("template_type")]
    [InlineData("image_id")]
    public async Task Every_spelling_of_the_image_is_taken(string field)
    {
        var sandbox = (await Api.PostAsync("sandboxes", $$"""{"{{field}}":"miosa-busybox"}""")).Expect(201);
        Assert.Equal("miosa-busybox", sandbox.Text("template_id"));
    }

    [Fact]
    public async Task The_first_spelling_of_the_contract_wins() =>
        Assert.Equal("miosa-busybox", (await Api.PostAsync("sandboxes", """{"template":"nope","image":"nope","template_id":"miosa-busybox"}""")).Expect(201).Text("template_id"));

    [Fact]
    public async Task Aliases_of_numbers_reach_the_machine()
    {
        var sandbox = (await Api.PostAsync("sandboxes", """{"vcpus":1,"disk_mb":1024,"memory_mb":256,"timeout":120,"idle_timeout_seconds":60}""")).Expect(201);
        int Number(string name) => sandbox.Json.GetProperty(name).GetInt32();
        Assert.Equal((1, 1, 1024, 1024, 256, 120, 120, 60),
            (Number("cpu_count"), Number("vcpus"), Number("disk_size_mb"), Number("disk_mb"), Number("memory_mb"), Number("timeout_sec"), Number("timeout_seconds"), Number("idle_timeout_sec")));
        var machine = await tenant.Platform.AskRuntimeAsync(new() { ["op"] = "inspect", ["machine"] = sandbox.Text("id") });
        Assert.Equal((256, 1024), (machine.GetProperty("memory_mb").GetInt32(), machine.GetProperty("disk_mb").GetInt32()));
    }

    [Fact]
    public async Task Persistent_may_stand_in_the_metadata() =>
        Assert.True((await Api.PostAsync("sandboxes", """{"metadata":{"miosa_persistent":true}}""")).Expect(201).Json.GetProperty("persistent").GetBoolean());

    [Fact]
    public async Task The_environment_reaches_commands_and_never_an_answer()
    {
        var created = (await Api.PostAsync("sandboxes", """{"env":{"SECRET_WORD":"xyzzy-1"}}""")).Expect(201);
        Assert.DoesNotContain("xyzzy-1", created.Body);
        Assert.Equal("xyzzy-1\n", await Api.RunAsync(created.Text("id"), "echo $SECRET_WORD"));
    }

    [Fact]
    public async Task An_unknown_image_is_422_and_names_those_there_are()
    {
        var answer = await Api.PostAsync("sandboxes", """{"image":"no-such-image"}""");
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.Contains("miosa-busybox", answer.Json.GetProperty("details").GetProperty("template_id").GetString());
    }

    [Theory]
    [InlineData("""{"timeout_sec":-1}""", "timeout_sec")]
    [InlineData("""{"timeout_sec":0}""", "timeout_sec")]
    [InlineData("""{"timeout":2592001}""", "timeout_sec")]
    [InlineData("""{"timeout":99999999999999999999}""", "timeout_sec")]
    [InlineData("""{"timeout":"60"}""", "timeout_sec")]
    [InlineData("""{"timeout":1.5}""", "timeout_sec")]
    [InlineData("""{"idle_timeout":-1}""", "idle_timeout_sec")]
    [InlineData("""{"size":"gigantic"}""", "size")]
    [InlineData("""{"cpu_count":0}""", "cpu_count")]
    [InlineData("""{"cpu_count":65}""", "cpu_count")]
    [InlineData("""{"memory_mb":127}""", "memory_mb")]
    [InlineData("""{"memory_mb":1000000000}""", "memory_mb")]
    [InlineData("""{"disk_mb":1}""", "disk_size_mb")]
    [InlineData("""{"slug":"Not A Slug"}""", "slug")]
    [InlineData("""{"slug":"-a"}""", "slug")]
    [InlineData("""{"name":""}""", "name")]
    [InlineData("""{"name":5}""", "name")]
    [InlineData("""{"env":{"A":1}}""", "env")]
    [InlineData("""{"env":{"A=B":"x"}}""", "env")]
    [InlineData("""{"env":"A=B"}""", "env")]
    [InlineData("""{"tags":"x"}""", "tags")]
    [InlineData("""{"metadata":[]}""", "metadata")]
    [InlineData("""{"always_on":"yes"}""", "always_on")]
    [InlineData("""{"database":true}""", "database")]
    [InlineData("""{"services":[{"name":"web"}]}""", "services")]
    [InlineData("""{"github_repo_url":"https://example.org/x"}""", "github_repo_url")]
    [InlineData("""{"readiness_probe":{"type":"smoke"}}""", "readiness_probe")]
    [InlineData("""{"image":"../../etc"}""", "template_id")]
    public async Task A_faulty_field_is_422_under_its_own_name(string body, string field)
    {
        var before = (await tenant.Platform.MachinesAsync()).Count;
        var answer = await Api.PostAsync("sandboxes", body);
        Assert.Equal((422, "VALIDATION_ERROR"), (answer.Status, answer.Code));
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal(before, (await tenant.Platform.MachinesAsync()).Count);
    }

    [Fact]
    public async Task Several_faults_are_told_at_once()
    {
        var details = (await Api.PostAsync("sandboxes", """{"timeout":-1,"size":"x","tags":3}""")).Expect(422).Json.GetProperty("details");
        Assert.Equal(["size", "tags", "timeout_sec"], details.EnumerateObject().Select(p => p.Name).Order());
    }

    [Fact]
    public async Task Fields_nobody_knows_are_left_out_in_silence()
    {
        var answer = (await Api.PostAsync("sandboxes", """{"wait":true,"response_format":"compact","database":false,"services":[],"whatever":{"a":1}}""")).Expect(201);
        Assert.DoesNotContain("whatever", answer.Body);
    }

    [Fact]
    public async Task A_name_and_a_slug_belong_to_one_living_sandbox()
    {
        var id = await Api.CreateAsync("""{"name":"twin","slug":"twin-slug"}""");
        foreach (var body in (string[])["""{"name":"twin"}""", """{"slug":"twin-slug"}"""])
        {
            var answer = await Api.PostAsync("sandboxes", body);
            Assert.Equal((409, "CONFLICT"), (answer.Status, answer.Code));
        }
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        (await Api.PostAsync("sandboxes", """{"name":"twin","slug":"twin-slug"}""")).Expect(201);
    }

    [Fact]
    public async Task A_conflict_leaves_no_machine_behind()
    {
        await Api.CreateAsync("""{"name":"lonely"}""");
        var before = (await tenant.Platform.MachinesAsync()).Count;
        (await Api.PostAsync("sandboxes", """{"name":"lonely"}""")).Expect(409);
        Assert.Equal(before, (await tenant.Platform.MachinesAsync()).Count);
    }

    [Fact]
    public async Task The_entry_point_runs_and_the_probe_decides_readiness()
    {
        var sandbox = (await Api.PostAsync("sandboxes", """{"entrypoint":"while [ ! -e /tmp/go ]; do sleep 0.05; done; touch /tmp/up","readiness_probe":{"type":"exec","command":"test -e /tmp/up"}}""")).Expect(201);
        var id = sandbox.Text("id");
        Assert.False(sandbox.Json.GetProperty("ready").GetBoolean());
        Assert.Equal("pending", (await Api.GetAsync($"sandboxes/{id}/readiness")).Text("status"));
        using var stream = await Api.EventsAsync($"sandboxes/{id}/readiness/stream");
        await Api.RunAsync(id, "touch /tmp/go");
        Assert.Equal("ready", (await stream.NextAsync())?.Type);
        Assert.True((await Api.GetAsync($"sandboxes/{id}")).Json.GetProperty("ready").GetBoolean());
    }

    [Fact]
    public async Task A_tcp_probe_sees_a_listening_port()
    {
        var sandbox = (await Api.PostAsync("sandboxes", """{"readiness_probe":{"type":"tcp","port":7001}}""")).Expect(201);
        Assert.False(sandbox.Json.GetProperty("ready").GetBoolean());
        await Api.RunAsync(sandbox.Text("id"), "nc -l -p 7001 </dev/null >/dev/null 2>&1 &");
        using var stream = await Api.EventsAsync($"sandboxes/{sandbox.Text("id")}/readiness/stream");
        Assert.Equal("ready", (await stream.NextAsync())?.Type);
    }
}
