using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class EventTests(Tenant tenant) : IClassFixture<Tenant>
{
    private Api Api => tenant.Api;

    [Fact]
    public async Task A_late_reader_gets_the_whole_story_and_the_stream_ends_after_destroyed()
    {
        var id = await Api.CreateAsync();
        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        (await Api.PostAsync($"sandboxes/{id}/resume")).Expect(200);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events");
        var events = await stream.ToEndAsync();
        Assert.Equal(
            ["sandbox.created", "build.started", "build.completed", "sandbox.ready", "sandbox.paused", "sandbox.resumed", "sandbox.destroyed"],
            events.Select(e => e.Type));
        Assert.All(events, e =>
        {
            Assert.Equal((e.Type, id, e.Id), (e.Json.GetProperty("type").GetString(), e.Json.GetProperty("sandbox_id").GetString(), e.Json.GetProperty("event_id").GetString()));
            Assert.StartsWith("evt_", e.Id);
        });
        Assert.Equal(events.Select(e => e.Id).Order(StringComparer.Ordinal), events.Select(e => e.Id));
        Assert.Equal("destroyed", events[^1].Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Every_event_tells_the_sandbox_as_it_was_with_the_customer_s_own_ids()
    {
        var id = await Api.CreateAsync("""{"name":"told","external_user_id":"usr/ü 1","external_project_id":"p1","external_workspace_id":"w1","metadata":{"plan":"<gold>"}}""");
        (await Api.PatchAsync($"sandboxes/{id}", """{"metadata":{"plan":"none"}}""")).Expect(200);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events");
        var events = await stream.ToEndAsync();
        Assert.All(events, e =>
        {
            var data = e.Json.GetProperty("data");
            Assert.Equal((id, "told", "usr/ü 1", "p1", "w1"), (Text("id"), Text("name"), Text("external_user_id"), Text("external_project_id"), Text("external_workspace_id")));
            Assert.Equal(e.Json.GetProperty("status").GetString(), Text("state"));
            string? Text(string name) => data.GetProperty(name).GetString();
        });
        Assert.Equal(["<gold>", "none"], events.Select(e => e.Json.GetProperty("data").GetProperty("metadata").GetProperty("plan").GetString()).Distinct());
        Assert.Equal("cold", events.Single(e => e.Type == "build.completed").Json.GetProperty("data").GetProperty("boot_path").GetString());
    }

    [Fact]
    public async Task Metadata_too_long_for_a_line_that_every_client_reads_is_left_out_of_events()
    {
        var id = await Api.CreateAsync($$$"""{"metadata":{"long":"{{{new string('x', 100_000)}}}"}}""");
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events");
        Assert.All(await stream.ToEndAsync(), e => Assert.True(e.Data.Length < 32 * 1024 && e.Json.GetProperty("data").GetProperty("metadata_omitted").GetBoolean()));
    }

    [Fact]
    public async Task The_stream_has_the_headers_of_the_contract()
    {
        var id = await Api.CreateAsync();
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events");
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.ToString());
        Assert.True(stream.Response.Headers.CacheControl?.NoCache);
        Assert.Equal("no", Assert.Single(stream.Response.Headers.GetValues("X-Accel-Buffering")));
    }

    [Fact]
    public async Task An_open_stream_gets_what_happens_at_once()
    {
        var id = await Api.CreateAsync();
        using var stream = await Api.EventsAsync($"sandboxes/{id}/events?types=sandbox.p*,sandbox.destroyed");
        (await Api.PostAsync($"sandboxes/{id}/pause")).Expect(200);
        Assert.Equal("sandbox.paused", (await stream.NextAsync())?.Type);
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.Equal("sandbox.destroyed", (await stream.NextAsync())?.Type);
        Assert.Null(await stream.NextAsync());
    }

    [Fact]
    public async Task Last_Event_ID_goes_on_after_that_event()
    {
        var id = await Api.CreateAsync();
        using var first = await Api.EventsAsync($"sandboxes/{id}/events");
        await first.NextAsync();
        var second = await first.NextAsync();
        using var resumed = await Api.EventsAsync($"sandboxes/{id}/events", second?.Id);
        Assert.Equal("build.completed", (await resumed.NextAsync())?.Type);
    }

    [Fact]
    public async Task A_stream_resumed_after_the_last_event_ends()
    {
        var id = await Api.CreateAsync();
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        using var all = await Api.EventsAsync($"sandboxes/{id}/events");
        var last = (await all.ToEndAsync())[^1];
        using var resumed = await Api.EventsAsync($"sandboxes/{id}/events", last.Id);
        Assert.Empty(await resumed.ToEndAsync());
    }

    [Fact]
    public async Task The_readiness_stream_says_ready_at_once_for_a_ready_sandbox()
    {
        var id = await Api.CreateAsync();
        using var stream = await Api.EventsAsync($"sandboxes/{id}/readiness/stream");
        Assert.Equal("ready", (await stream.NextAsync())?.Type);
        Assert.Null(await stream.NextAsync());
        Assert.True((await Api.GetAsync($"sandboxes/{id}/readiness")).Json.GetProperty("data").GetProperty("ready").GetBoolean());
    }

    [Fact]
    public async Task The_readiness_stream_says_timeout_when_it_is_over_or_too_late()
    {
        var gone = await Api.CreateAsync();
        (await Api.DeleteAsync($"sandboxes/{gone}")).Expect(200);
        using var over = await Api.EventsAsync($"sandboxes/{gone}/readiness/stream");
        Assert.Equal("timeout", (await over.NextAsync())?.Type);

        var never = await Api.CreateAsync("""{"readiness_probe":{"type":"exec","command":"false"}}""");
        using var late = await Api.EventsAsync($"sandboxes/{never}/readiness/stream?timeout=1");
        var timeout = await late.NextAsync();
        Assert.Equal(("timeout", "not_ready_after_1s"), (timeout?.Type, timeout?.Json.GetProperty("reason").GetString()));
    }
}
