using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Keys;

namespace Miosa.Server.Tests;

public sealed class TenantEventTests(Tenant tenant) : IClassFixture<Tenant>
{
    private const string Before = "evt_00000000000000000000000000";

    private Api Api => tenant.Api;

    [Fact]
    public async Task The_stream_tells_everything_of_the_tenant_and_nothing_of_another()
    {
        using var other = await tenant.Platform.NewApiAsync();
        using var stream = await Api.EventsAsync("events/stream?tenant_wide=true");
        using var same = await Api.EventsAsync("tenant/events/stream?scope=all");
        await other.CreateAsync();
        var id = await Api.CreateAsync("""{"external_user_id":"usr_1","metadata":{"k":"v"}}""");
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        var events = new List<SseEvent>();
        while (events.Count == 0 || events[^1].Type != "sandbox.destroyed")
            events.Add(await stream.NextAsync() ?? throw new InvalidOperationException("the stream ended"));
        Assert.Equal(["sandbox.created", "build.started", "build.completed", "sandbox.ready", "sandbox.destroyed"], events.Select(e => e.Type));
        foreach (var told in events)
        {
            Assert.Equal(told, await same.NextAsync());
            var json = told.Json;
            Assert.Equal((told.Type, told.Type, told.Id, id, id, tenant.Id), (Text("type"), Text("event"), Text("event_id"), Text("id"), Text("sandbox_id"), Text("tenant_id")));
            Assert.Equal(Text("ts"), Text("created_at"));
            Assert.Equal(Text("status"), json.GetProperty("data").GetProperty("state").GetString());
            Assert.Equal("usr_1", json.GetProperty("data").GetProperty("external_user_id").GetString());
            string? Text(string name) => json.GetProperty(name).GetString();
        }
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no", Assert.Single(stream.Response.Headers.GetValues("X-Accel-Buffering")));
    }

    [Fact]
    public async Task Everything_needs_an_administrator_and_a_part_the_right_to_read_events()
    {
        using var admin = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["admin"]));
        using (var stream = await admin.EventsAsync("events/stream"))
            Assert.Equal(200, (int)stream.Response.StatusCode);
        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["events:read"]));
        foreach (var path in (string[])["events/stream", "tenant/events/stream", "events/stream?tenant_wide=true", "tenant/events/stream?scope=all"])
        {
            var answer = await reader.GetAsync(path);
            Assert.Equal((path, 403, "insufficient_scope"), (path, answer.Status, answer.Code));
        }
        using var other = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["sandboxes:write", "webhooks:write"]));
        Assert.Equal(403, (await other.GetAsync("tenant/events/stream?scope=external_user:u")).Status);
        foreach (var query in (string[])["tenant_wide=false", "tenant_wide=maybe", "scope=everything", "scope=workspace:", "scope=external_user:"])
            Assert.Equal((query, 422), (query, (await Api.GetAsync("events/stream?" + query)).Status));

        using var part = await reader.EventsAsync("tenant/events/stream?scope=external_user:usr%2F7&types=sandbox.created");
        await Api.CreateAsync("""{"external_user_id":"usr_8"}""");
        var id = await Api.CreateAsync("""{"external_user_id":"usr/7"}""");
        Assert.Equal(id, (await part.NextAsync())?.Json.GetProperty("id").GetString());
    }

    [Fact]
    public async Task Types_are_names_globs_and_second_names()
    {
        using var stream = await Api.EventsAsync("events/stream?types=build.c*,sandbox.running,nothing.*");
        using var never = await Api.EventsAsync("events/stream?types=nothing.*");
        var id = await Api.CreateAsync();
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.Equal("build.completed", (await stream.NextAsync())?.Type);
        var running = await stream.NextAsync();
        Assert.Equal(("sandbox.running", "sandbox.running"), (running?.Type, running?.Json.GetProperty("type").GetString()));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never.NextAsync(TimeSpan.FromSeconds(0.5)));
    }

    [Fact]
    public async Task A_reader_that_comes_back_with_its_last_id_misses_nothing_and_gets_nothing_twice_also_over_a_killed_server()
    {
        var id = await Api.CreateAsync();
        using (var first = await Api.EventsAsync("events/stream"))
            await Hooks.TwoEventsAsync(Api, id);
        var seen = new List<SseEvent>();
        var last = Before;
        for (var life = 0; life < 4; life++)
        {
            using var stream = await Api.EventsAsync(life % 2 == 0 ? "events/stream" : "events/stream?last_event_id=" + last, life % 2 == 0 ? last : null);
            var writing = Task.Run(async () =>
            {
                for (var i = 0; i < 10; i++)
                    await Hooks.TwoEventsAsync(Api, id);
            });
            for (var i = 0; i < 12; i++)
                seen.Add(await stream.NextAsync() ?? throw new InvalidOperationException("the stream ended"));
            last = seen[^1].Id ?? "";
            await writing;
            if (life == 2)
            {
                await tenant.Platform.KillServerAsync();
                await tenant.Platform.StartServerAsync();
            }
        }
        using (var rest = await Api.EventsAsync("events/stream", last))
        {
            (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
            while (await rest.NextAsync() is { } told)
            {
                seen.Add(told);
                if (told.Type == "sandbox.destroyed" && told.Json.GetProperty("id").GetString() == id)
                    break;
            }
        }
        using var all = await Api.EventsAsync("events/stream", Before);
        foreach (var told in seen)
            Assert.Equal(told, await all.NextAsync());
        Assert.Equal(seen.Count, seen.Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task A_reader_that_got_nothing_yet_can_come_back_to_where_it_began()
    {
        string start;
        using (var stream = await Api.EventsAsync("events/stream"))
            start = Assert.Single(stream.Response.Headers.GetValues("X-Miosa-Last-Event-Id"));
        var id = await Api.CreateAsync();
        using var back = await Api.EventsAsync("events/stream", start);
        Assert.Equal(("sandbox.created", id), (await back.NextAsync() is { } told ? (told.Type, told.Json.GetProperty("id").GetString()) : default));
        // What is no event id is from now.
        using var unknown = await Api.EventsAsync("events/stream", "nonsense");
        (await Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        Assert.Equal("sandbox.destroyed", (await unknown.NextAsync())?.Type);
    }

    [Fact]
    public async Task A_reader_that_does_not_read_is_cut_and_holds_up_nobody()
    {
        var id = await Api.CreateAsync($$$"""{"metadata":{"long":"{{{new string('x', 15_000)}}}"}}""");
        var key = Api.Http.DefaultRequestHeaders.Authorization;
        using var lazy = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        var root = new Uri(Api.Root);
        await lazy.ConnectAsync(root.Host, root.Port);
        await lazy.SendAsync(Encoding.ASCII.GetBytes($"GET /api/v1/events/stream HTTP/1.1\r\nHost: {root.Authority}\r\nAuthorization: {key}\r\n\r\n"));
        using var healthy = await Api.EventsAsync("events/stream?types=sandbox.paused,sandbox.resumed");
        var slowest = TimeSpan.Zero;
        for (var i = 0; i < 400; i++)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            await Hooks.TwoEventsAsync(Api, id);
            Assert.Equal("sandbox.paused", (await healthy.NextAsync())?.Type);
            Assert.Equal("sandbox.resumed", (await healthy.NextAsync())?.Type);
            slowest = clock.Elapsed > slowest ? clock.Elapsed : slowest;
        }
        Assert.True(slowest < TimeSpan.FromSeconds(2), $"took {slowest}");
        // 12 MB were for it; what it finds is what lay in buffers, and then the cut.
        var buffer = new byte[65_536];
        var read = 0L;
        try
        {
            while (await lazy.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromSeconds(30)) is > 0 and var count)
                read += count;
        }
        catch (SocketException)
        {
            // Reset.
        }
        Assert.InRange(read, 1, 11_000_000);
    }

    [Fact]
    public async Task A_stream_without_events_says_every_15_seconds_that_it_lives()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "events/stream?types=none");
        using var response = await Api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(": heartbeat", await reader.ReadLineAsync(limit.Token));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), "the first is at once");
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("", await reader.ReadLineAsync(limit.Token));
            Assert.Equal(": heartbeat", await reader.ReadLineAsync(limit.Token));
        }
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(31));
    }

    [Fact]
    public async Task A_ticket_opens_one_stream_once()
    {
        var made = (await Api.PostAsync("auth/sse-ticket", "{}")).Expect(201);
        var ticket = made.Text("ticket");
        Assert.Matches("^sset_[0-9a-f]{64}$", ticket);
        Assert.Equal((60, ticket), (made.Json.GetProperty("expires_in").GetInt32(), made.Json.GetProperty("data").GetProperty("ticket").GetString()));
        using var nobody = tenant.Platform.Api(null);
        // It is for streams alone.
        Assert.Equal(401, (await nobody.GetAsync("sandboxes?ticket=" + ticket)).Status);
        using (var stream = await nobody.EventsAsync("events/stream?ticket=" + ticket))
        {
            Assert.Equal(200, (int)stream.Response.StatusCode);
            var id = await Api.CreateAsync();
            Assert.Equal(id, (await stream.NextAsync())?.Json.GetProperty("id").GetString());
        }
        var again = await nobody.GetAsync("events/stream?ticket=" + ticket);
        Assert.Equal((401, "invalid_token"), (again.Status, again.Code));
        Assert.Equal(401, (await nobody.GetAsync("events/stream?ticket=sset_nonsense")).Status);
        Assert.Equal(401, (await nobody.GetAsync("events/stream?ticket=")).Status);
        Assert.Equal(401, (await nobody.PostAsync("auth/sse-ticket")).Status);
    }

    [Fact]
    public async Task A_ticket_may_no_more_than_the_key_that_asked_for_it()
    {
        var id = await Api.CreateAsync();
        using var reader = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(tenant.Id, ["sandboxes:read"]));
        using var nobody = tenant.Platform.Api(null);
        async Task<string> TicketAsync(Api of) => (await of.PostAsync("auth/sse-ticket")).Expect(201).Text("ticket");
        Assert.Equal(403, (await nobody.GetAsync("events/stream?ticket=" + await TicketAsync(reader))).Status);
        using (var stream = await nobody.EventsAsync($"sandboxes/{id}/events?ticket=" + await TicketAsync(reader)))
            Assert.Equal("sandbox.created", (await stream.NextAsync())?.Type);
        using var stranger = await tenant.Platform.NewApiAsync();
        Assert.Equal(404, (await nobody.GetAsync($"sandboxes/{id}/events?ticket=" + await TicketAsync(stranger))).Status);

        // A key that is revoked takes its tickets with it.
        var key = (await Api.PostAsync("api-keys", """{"name":"doomed","scopes":["admin"]}""")).Expect(201);
        using var revoked = tenant.Platform.Api(key.Text("token"));
        var left = await TicketAsync(revoked);
        (await Api.DeleteAsync("api-keys/" + key.Text("id"))).Expect(204);
        Assert.Equal(401, (await nobody.GetAsync("events/stream?ticket=" + left)).Status);
    }

    [Fact]
    public async Task A_ticket_of_an_administrator_is_for_the_tenant_that_was_named_and_for_no_other()
    {
        const string Header = "X-MIOSA-Tenant";
        using var admin = tenant.Platform.Api(await tenant.Platform.NewAdminKeyAsync());
        var other = await tenant.Platform.NewTenantAsync("t-" + Guid.NewGuid().ToString("N"));
        async Task<string> TicketAsync() => (await admin.PostAsync("auth/sse-ticket", null, (Header, tenant.Id))).Expect(201).Text("ticket");
        using var nobody = tenant.Platform.Api(null);
        using (var stream = await nobody.EventsAsync("events/stream?ticket=" + await TicketAsync()))
            Assert.Equal(200, (int)stream.Response.StatusCode);
        using var request = new HttpRequestMessage(HttpMethod.Get, "events/stream?ticket=" + await TicketAsync()) { Headers = { { Header, other } } };
        using var answer = await nobody.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(403, (int)answer.StatusCode);
    }

    [Fact]
    public void A_ticket_ends_after_a_minute_and_a_tenant_has_only_so_many()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var tickets = new SseTickets(clock);
        var caller = new Caller("ten_1", "key_1", new HashSet<string> { Scopes.Admin });

        var (inTime, late) = (tickets.Issue(caller).Ticket ?? "", tickets.Issue(caller).Ticket ?? "");
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(caller, tickets.Redeem(inTime));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(tickets.Redeem(late));
        for (var i = 0; i < 1000; i++)
            Assert.NotNull(tickets.Issue(caller).Ticket);
        Assert.Equal(429, tickets.Issue(caller).Refusal?.Status);
        Assert.NotNull(tickets.Issue(caller with { TenantId = "another" }).Ticket);
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.NotNull(tickets.Issue(caller).Ticket);
    }
}
