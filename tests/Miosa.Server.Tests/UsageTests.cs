using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class UsageTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task Usage_counts_the_processor_time_and_the_disk_of_commands()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","timeout_sec":600}""");
        var before = await UsageAsync(id);

        await Api.RunAsync(id, "dd if=/dev/urandom of=/tmp/big bs=1M count=20; sync; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done");
        var after = await UsageAsync(id);

        Assert.True(Number(after, "active_cpu_ms") - Number(before, "active_cpu_ms") > 50, after.ToString());
        Assert.True(Number(after, "disk_bytes") - Number(before, "disk_bytes") >= 20 << 20, after.ToString());
        Assert.True(Number(after, "memory_peak_bytes") >= Number(after, "memory_bytes") && Number(after, "memory_bytes") > 0, after.ToString());
        Assert.True(Number(after, "provisioned_vcpu_ms") > Number(before, "provisioned_vcpu_ms"));
        Assert.Equal(id, after.GetProperty("sandbox_id").GetString());
        Assert.Equal(600, Number(after, "timeout_sec"));
        Assert.InRange(Number(after, "timeout_remaining_ms"), 1, 600_000);
        Assert.Equal(Number(after, "active_cpu_ms"), Number(after.GetProperty("data"), "active_cpu_ms"));
        Assert.Equal("measured", after.GetProperty("measurement_status").GetProperty("active_cpu").GetString());
    }

    [Fact]
    public async Task Metrics_show_a_busy_processor_and_keep_points_of_the_window()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","timeout_sec":600}""");
        await Api.RunAsync(id, "dd if=/dev/urandom of=/tmp/big bs=1M count=20; sync");
        var burn = Api.PostAsync($"sandboxes/{id}/exec", """{"command":"while [ ! -e /tmp/stop ]; do :; done"}""");
        JsonElement metrics = default;
        await Miosa.Platform.Platform.UntilAsync("two busy points are measured", async () =>
        {
            metrics = (await Api.GetAsync($"sandboxes/{id}/metrics?window=5m")).Expect(200).Json;
            return metrics.GetProperty("series").EnumerateArray().Count(p => p.GetProperty("cpu_percent") is { ValueKind: JsonValueKind.Number } busy && busy.GetDouble() > 5) >= 2;
        }, TimeSpan.FromSeconds(60));
        await Api.RunAsync(id, "touch /tmp/stop");
        await burn;

        var current = metrics.GetProperty("current");
        Assert.True(current.GetProperty("disk_used_mb").GetDouble() >= 20, current.ToString());
        Assert.True(current.GetProperty("memory_used_mb").GetDouble() > 0, current.ToString());
        var times = metrics.GetProperty("series").EnumerateArray().Select(p => p.GetProperty("ts").GetDateTimeOffset()).ToList();
        Assert.Equal(times.Order(), times);
        Assert.Equal("sandbox", metrics.GetProperty("data").GetProperty("resource_type").GetString());
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("0s")]
    [InlineData("-1h")]
    [InlineData("2d")]
    [InlineData("99999999999h")]
    public async Task A_window_that_cannot_be_is_refused_by_name(string window)
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var answer = await Api.GetAsync($"sandboxes/{id}/metrics?window={window}");
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty("window", out _), answer.Body);
    }

    [Fact]
    public async Task Usage_counts_what_is_sent_even_to_where_it_may_not_go()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        var before = await UsageAsync(id);
        Assert.Equal("measured", before.GetProperty("measurement_status").GetProperty("network").GetString());

        await Api.RunAsync(id, "i=0; while [ $i -lt 60 ]; do nc -w 1 169.254.169.254 80 </dev/null & i=$((i+1)); done; wait");

        var after = await UsageAsync(id);
        // 60 first packets of TCP, 74 bytes each; the kernel's own IPv6 chatter is some hundred.
        Assert.True(Number(after, "network_egress_bytes") - Number(before, "network_egress_bytes") >= 60 * 74, after.ToString());
    }

    [Fact]
    public async Task Asking_for_usage_does_not_wake_a_paused_sandbox_and_its_time_stands_still()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox","persistent":true}""");
        (await Api.PostAsync($"sandboxes/{id}/pause", "{}")).Expect(200);

        var first = await UsageAsync(id);
        var second = await UsageAsync(id);

        Assert.Equal("paused", second.GetProperty("state").GetString());
        Assert.Equal(Number(first, "provisioned_vcpu_ms"), Number(second, "provisioned_vcpu_ms"));
        Assert.Equal(Number(first, "active_cpu_ms"), Number(second, "active_cpu_ms"));
        Assert.Equal("paused", (await Api.GetAsync($"sandboxes/{id}")).Text("state"));
    }

    [Fact]
    public async Task A_destroyed_sandbox_tells_what_it_held_and_no_invented_figure()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        (await Api.DeleteAsync("sandboxes/" + id)).Expect(200);

        var usage = await UsageAsync(id);

        Assert.Equal("destroyed", usage.GetProperty("state").GetString());
        Assert.Equal(1, Number(usage, "creation_count"));
        Assert.Equal(JsonValueKind.Null, usage.GetProperty("active_cpu_ms").ValueKind);
        Assert.Equal("unavailable", usage.GetProperty("measurement_status").GetProperty("active_cpu").GetString());
    }

    [Fact]
    public async Task Another_tenant_s_usage_is_not_found()
    {
        var id = await Api.CreateAsync("""{"image":"miosa-busybox"}""");
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(await tenant.Platform.NewTenantAsync("other-" + Guid.NewGuid().ToString("N")[..8])));

        (await other.GetAsync($"sandboxes/{id}/usage")).Expect(404);
        (await Api.GetAsync("sandboxes/sbx_nothing/usage")).Expect(404);
    }

    private async Task<JsonElement> UsageAsync(string id) => (await Api.GetAsync($"sandboxes/{id}/usage")).Expect(200).Json;

    private static long Number(JsonElement usage, string name) => usage.GetProperty(name).GetInt64();
}
