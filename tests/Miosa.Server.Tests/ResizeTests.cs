using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class ResizeTests(Tenant tenant) : IClassFixture<Tenant>
{
    private const string Needs200Mb = """{"command":"dd if=/dev/zero of=/dev/null bs=200M count=1"}""";

    private Api Api => tenant.Api;

    [Fact]
    public async Task A_running_sandbox_gets_more_memory_and_disk_at_once()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","cpu_count":1,"memory_mb":128,"disk_size_mb":512}""");
        Assert.NotEqual(0, (await Api.PostAsync($"sandboxes/{id}/exec", Needs200Mb)).Expect(200).Json.GetProperty("exit_code").GetInt32());
        Assert.NotEqual(0, (await Api.PostAsync($"sandboxes/{id}/exec", """{"command":"dd if=/dev/urandom of=/tmp/big bs=1M count=600"}""")).Expect(200).Json.GetProperty("exit_code").GetInt32());

        var changed = (await Api.PatchAsync($"sandboxes/{id}", """{"memory_mb":512,"disk_mb":1024}""")).Expect(200);

        Assert.Equal((512, 1024, 1), (Number(changed, "memory_mb"), Number(changed, "disk_size_mb"), Number(changed, "cpu_count")));
        await Api.RunAsync(id, "dd if=/dev/zero of=/dev/null bs=200M count=1; rm -f /tmp/big; dd if=/dev/urandom of=/tmp/big bs=1M count=600");
        Assert.Equal(512, Number((await Api.GetAsync($"sandboxes/{id}")).Expect(200), "memory_mb"));
    }

    [Fact]
    public async Task Less_memory_than_is_held_is_refused_and_nothing_changes()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","memory_mb":512}""");
        await Api.RunAsync(id, "mkfifo /tmp/f; (dd if=/tmp/f of=/dev/null bs=300M count=1 iflag=fullblock) >/dev/null 2>&1 & (head -c 299m /dev/zero; touch /tmp/full; sleep 1000) > /tmp/f 2>/dev/null & while [ ! -e /tmp/full ]; do sleep 0.1; done");

        var answer = await Api.PatchAsync($"sandboxes/{id}", """{"memory_mb":128,"name":"never"}""");

        Assert.Equal((422, true), (answer.Status, answer.Json.GetProperty("details").TryGetProperty("memory_mb", out _)));
        var row = (await Api.GetAsync($"sandboxes/{id}")).Expect(200);
        Assert.Equal((512, JsonValueKind.Null), (Number(row, "memory_mb"), row.Json.GetProperty("name").ValueKind));
        Assert.Equal("here\n", await Api.RunAsync(id, "pidof dd >/dev/null && echo here"));
    }

    [Theory]
    [InlineData("""{"disk_size_mb":512}""", "disk_size_mb")]
    [InlineData("""{"memory_mb":1}""", "memory_mb")]
    [InlineData("""{"cpu_count":1000}""", "cpu_count")]
    [InlineData("""{"size":"huge"}""", "size")]
    public async Task A_shape_that_cannot_be_is_refused_by_name(string body, string field)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","disk_size_mb":1024}""");
        var answer = await Api.PatchAsync($"sandboxes/{id}", body);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal(1024, Number((await Api.GetAsync($"sandboxes/{id}")).Expect(200), "disk_size_mb"));
    }

    [Fact]
    public async Task A_name_that_is_taken_leaves_the_size_as_it_was()
    {
        var taken = "taken-" + Guid.NewGuid().ToString("N")[..8];
        await Api.CreateAsync($$"""{"image":"miosa-busybox","name":"{{taken}}"}""");
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","memory_mb":128}""");

        Assert.Equal(409, (await Api.PatchAsync($"sandboxes/{id}", $$"""{"memory_mb":512,"name":"{{taken}}"}""")).Status);

        Assert.Equal(128, Number((await Api.GetAsync($"sandboxes/{id}")).Expect(200), "memory_mb"));
        Assert.NotEqual(0, (await Api.PostAsync($"sandboxes/{id}/exec", Needs200Mb)).Expect(200).Json.GetProperty("exit_code").GetInt32());
    }

    private static int Number(Answer answer, string field) => answer.Json.GetProperty(field).GetInt32();
}
