using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>What webhooks promise: nothing is lost, order is kept, nobody waits for another's target.</summary>
public sealed class DeliveryTests(Tenant tenant) : IClassFixture<Tenant>, IAsyncLifetime
{
    private Receiver? receiver;

    private Api Api => tenant.Api;

    private Receiver Target => receiver ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => receiver = await Receiver.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Hooks.ClearAsync(Api);
        await Target.DisposeAsync();
    }

    [Fact]
    public async Task What_fails_is_tried_again_with_the_same_bytes_and_everything_after_it_waits()
    {
        var failures = 0;
        Target.Answer = (context, got) =>
        {
            context.Response.StatusCode = got.Event == "sandbox.created" && ++failures <= 3 ? 503 : 200;
            return Task.CompletedTask;
        };
        var (id, secret) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.*"]}""");
        var sandbox = await Api.CreateAsync();
        await Hooks.TwoEventsAsync(Api, sandbox);
        var got = await Target.CountAsync(7);
        Assert.Equal(["sandbox.created", "sandbox.created", "sandbox.created", "sandbox.created", "sandbox.ready", "sandbox.paused", "sandbox.resumed"], got.Select(r => r.Event));
        Assert.Single(got.Take(4).Select(r => r.Delivery).Distinct());
        Assert.All(got.Take(4), r => Assert.Equal(got[0].Body, r.Body));
        // Each attempt has its own time and is signed afresh.
        Assert.All(got, r => Assert.Contains("v1=" + Received.Hmac(secret, [.. Encoding.UTF8.GetBytes(r.Headers["Miosa-Signature"].Split(',')[0]["t=".Length..] + "."), .. r.Body]), r.Headers["Miosa-Signature"], StringComparison.Ordinal));
        await UntilAsync(id, 4, "delivered");
        var rows = await RowsAsync(id);
        Assert.Equal(["sandbox.resumed", "sandbox.paused", "sandbox.ready", "sandbox.created"], rows.Select(r => r.GetProperty("event").GetString()));
        var first = rows[^1];
        Assert.Equal((got[0].Delivery, 4, "delivered", "success", 200), (first.GetProperty("id").GetString(), first.GetProperty("attempts").GetInt32(),
            first.GetProperty("state").GetString(), first.GetProperty("status").GetString(), first.GetProperty("status_code").GetInt32()));
        Assert.Equal(JsonValueKind.Null, first.GetProperty("next_retry_at").ValueKind);
        Assert.Equal(0, (await Api.GetAsync($"webhooks/{id}")).Json.GetProperty("failure_count").GetInt32());
    }

    [Fact]
    public async Task A_tenant_that_is_deleted_in_the_middle_of_a_delivery_takes_its_webhooks_with_it()
    {
        using var admin = tenant.Platform.Api(await tenant.Platform.NewAdminKeyAsync());
        var doomed = (await admin.PostAsync("admin/tenants", $$"""{"name":"{{Guid.NewGuid():N}}"}""")).Expect(201).Text("id");
        using var api = tenant.Platform.Api(await tenant.Platform.NewKeyAsync(doomed));
        Target.Answer = async (context, _) =>
        {
            // The second time it is what failed before that is under way.
            if (Target.All.Count == 2)
                (await admin.DeleteAsync("admin/tenants/" + doomed)).Expect(204);
            context.Response.StatusCode = 503;
        };
        await Hooks.CreateAsync(api, Target.Url);
        (await api.PostAsync("workspaces", """{"name":"w"}""")).Expect(201);
        await Target.CountAsync(2);
        // What is asked at the moment of the deletion may be cut: that, too, is no answer with data.
        await Miosa.Platform.Platform.UntilAsync("the tenant is gone", async () => await api.TryGetAsync("webhooks") == HttpStatusCode.Unauthorized);

        // Time enough for what is sent again at once, or after 0.3 s: others get theirs meanwhile, one after the other.
        await using var other = await Receiver.StartAsync();
        var (id, _) = await Hooks.CreateAsync(Api, other.Url);
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < TimeSpan.FromSeconds(1))
            (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal(2, Target.All.Count);
    }

    [Fact]
    public async Task While_it_waits_for_its_retry_the_list_says_when_and_why()
    {
        Target.Answer = (context, _) =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "600";
            return context.Response.WriteAsync("later");
        };
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.created"]}""");
        await Api.CreateAsync();
        await UntilAsync(id, 1, "retrying");
        var row = (await RowsAsync(id))[0];
        Assert.Equal(("pending", 429, "later", "the endpoint answered 429", 1), (row.GetProperty("status").GetString(), row.GetProperty("status_code").GetInt32(),
            row.GetProperty("response_body").GetString(), row.GetProperty("error").GetString(), row.GetProperty("attempts").GetInt32()));
        Assert.InRange(row.GetProperty("next_retry_at").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddSeconds(500), DateTimeOffset.UtcNow.AddSeconds(700));
        Assert.Equal(1, (await Api.GetAsync($"webhooks/{id}")).Json.GetProperty("failure_count").GetInt32());
        // A new address is tried at once: that is why it was changed.
        await using var healthy = await Receiver.StartAsync();
        (await Api.PatchAsync($"webhooks/{id}", $$"""{"url":"{{healthy.Url}}"}""")).Expect(200);
        Assert.Equal(Target.All[0].Body, (await healthy.CountAsync(1))[0].Body);
    }

    [Fact]
    public async Task A_dead_and_a_silent_target_delay_nobody_else()
    {
        Target.Answer = async (context, _) => await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        await using var healthy = await Receiver.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await Hooks.CreateAsync(Api, Target.Url);
            await Hooks.CreateAsync(Api, $"http://{Receiver.Host}:{FreePort()}/nobody");
        }
        await Hooks.CreateAsync(Api, healthy.Url);
        var sandbox = await Api.CreateAsync();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 50; i++)
            await Hooks.TwoEventsAsync(Api, sandbox);
        await healthy.CountAsync(104);
        // The silent ones alone take two seconds an attempt.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"took {clock.Elapsed}");
        Assert.Equal(healthy.All.Select(r => r.EventId).Order(StringComparer.Ordinal), healthy.All.Select(r => r.EventId));
    }

    [Fact]
    public async Task After_the_last_retry_it_is_a_dead_letter_which_a_replay_sends_again_byte_for_byte()
    {
        var status = 500;
        Target.Answer = (context, _) =>
        {
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        };
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.created"],"retry_count":1}""");
        await Api.CreateAsync();
        await UntilAsync(id, 1, "dead_letter");
        var row = (await RowsAsync(id))[0];
        var delivery = row.GetProperty("id").GetString();
        Assert.Equal(("failed", 2), (row.GetProperty("status").GetString(), row.GetProperty("attempts").GetInt32()));
        Assert.Equal(2, Target.All.Count);

        status = 200;
        const string guard = """{"replay_id":"550e8400-e29b-41d4-a716-446655440000"}""";
        var replay = (await Api.PostAsync($"webhooks/{id}/deliveries/{delivery}/replay", guard)).Expect(202);
        Assert.Equal((delivery, "pending"), (replay.Text("replay_of"), replay.Text("state")));
        Assert.Equal(replay.Text("id"), (await Api.PostAsync($"webhooks/{id}/deliveries/{delivery}/replay", guard)).Expect(202).Text("id"));
        var again = (await Target.CountAsync(3))[2];
        Assert.Equal(Target.All[0].Body, again.Body);
        Assert.Equal((delivery, delivery), (again.Delivery, again.Text("id")));
        await UntilAsync(id, 2, "delivered");
        Assert.Equal(3, Target.All.Count);
        // A replay of the replay still has the id of the first.
        var second = (await Api.PostAsync($"webhooks/{id}/deliveries/{replay.Text("id")}/replay")).Expect(202).Text("id");
        Assert.Equal(delivery, (await Target.CountAsync(4))[3].Delivery);
        Assert.NotEqual(delivery, second);

        Assert.Equal(422, (await Api.PostAsync($"webhooks/{id}/deliveries/{delivery}/replay", """{"replay_id":"no uuid"}""")).Status);
        Assert.Equal(404, (await Api.PostAsync($"webhooks/{id}/deliveries/del_nonsense/replay")).Status);
        (await Api.PatchAsync($"webhooks/{id}", """{"state":"inactive"}""")).Expect(200);
        Assert.Equal((409, "CONFLICT"), ((await Api.PostAsync($"webhooks/{id}/deliveries/{delivery}/replay")).Status, (await Api.PostAsync($"webhooks/{id}/deliveries/{delivery}/replay")).Code));
    }

    [Fact]
    public async Task The_deliveries_have_pages_cursors_and_a_time()
    {
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.paused","sandbox.resumed"]}""");
        var sandbox = await Api.CreateAsync();
        for (var i = 0; i < 5; i++)
            await Hooks.TwoEventsAsync(Api, sandbox);
        await UntilAsync(id, 10, "delivered");
        var all = (await RowsAsync(id)).Select(r => r.GetProperty("id").GetString()).ToList();
        Assert.Equal(Target.All.Select(r => r.Delivery).Reverse(), all);
        var page = await Api.GetAsync($"webhooks/{id}/deliveries?limit=4");
        var seen = new List<string?>();
        while (true)
        {
            seen.AddRange(page.Expect(200).Json.GetProperty("data").EnumerateArray().Select(r => r.GetProperty("id").GetString()));
            if (page.Json.GetProperty("next_cursor").GetString() is not { } next)
                break;
            page = await Api.GetAsync($"webhooks/{id}/deliveries?limit=4&cursor={next}");
        }
        Assert.Equal(all, seen);
        Assert.Equal(0, (await Api.GetAsync($"webhooks/{id}/deliveries?before=2020-01-01T00:00:00Z")).Json.GetProperty("total").GetInt32());
        Assert.Equal(422, (await Api.GetAsync($"webhooks/{id}/deliveries?before=yesterday")).Status);
        Assert.Equal(422, (await Api.GetAsync($"webhooks/{id}/deliveries?limit=201")).Status);
    }

    [Fact]
    public async Task Switched_off_it_is_sent_nothing_and_switched_on_only_what_is_new()
    {
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.created"]}""");
        (await Api.PatchAsync($"webhooks/{id}", """{"enabled":false}""")).Expect(200);
        await Api.CreateAsync();
        Assert.Equal("inactive", (await Api.GetAsync($"webhooks/{id}")).Text("state"));
        (await Api.PatchAsync($"webhooks/{id}", """{"state":"active"}""")).Expect(200);
        var wanted = await Api.CreateAsync();
        Assert.Equal(wanted, Assert.Single(await Target.CountAsync(1)).Json.GetProperty("data").GetProperty("id").GetString());
    }

    [Fact]
    public async Task Another_choice_of_events_holds_from_the_change_on()
    {
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.error"]}""");
        var sandbox = await Api.CreateAsync();
        // So that the webhook has looked at what it did not want.
        await using var witness = await Receiver.StartAsync();
        await Hooks.CreateAsync(Api, witness.Url, """,{"events":["sandbox.paused"]}""");
        await Hooks.TwoEventsAsync(Api, sandbox);
        await witness.CountAsync(1);
        (await Api.PatchAsync($"webhooks/{id}", """{"events":[]}""")).Expect(200);
        (await Api.DeleteAsync($"sandboxes/{sandbox}")).Expect(200);
        await Target.CountAsync(1);
        Assert.DoesNotContain("sandbox.created", Target.All.Select(r => r.Event));
    }

    [Fact]
    public async Task Deleting_a_webhook_ends_the_delivery_under_way_and_leaves_nothing_of_it()
    {
        var arrived = new TaskCompletionSource();
        var aborted = new TaskCompletionSource();
        Target.Answer = async (context, _) =>
        {
            context.RequestAborted.Register(aborted.SetResult);
            arrived.SetResult();
            await aborted.Task;
        };
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url);
        await Api.CreateAsync();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(30));
        (await Api.DeleteAsync($"webhooks/{id}")).Expect(204);
        // Sooner than its time limit of two seconds would.
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(1.5));
        Assert.Equal(404, (await Api.GetAsync($"webhooks/{id}")).Status);
        Assert.Equal(404, (await Api.GetAsync($"webhooks/{id}/deliveries")).Status);
        Assert.Equal(404, (await Api.DeleteAsync($"webhooks/{id}")).Status);
        await Hooks.TwoEventsAsync(Api, await Api.CreateAsync());
        Assert.Single(Target.All);
    }

    [Fact]
    public async Task A_server_killed_in_the_middle_loses_nothing_and_repeats_only_what_was_under_way()
    {
        const int Pairs = 60;
        Target.Answer = async (context, _) =>
        {
            await Task.Delay(10);
            context.Response.StatusCode = 204;
        };
        var (id, _) = await Hooks.CreateAsync(Api, Target.Url, """,{"events":["sandbox.paused","sandbox.resumed"]}""");
        var sandbox = await Api.CreateAsync();
        for (var i = 0; i < Pairs; i++)
            await Hooks.TwoEventsAsync(Api, sandbox);
        for (var kill = 1; kill <= 3; kill++)
        {
            await Target.CountAsync(25 * kill);
            await tenant.Platform.KillServerAsync();
            await tenant.Platform.StartServerAsync();
        }
        await Miosa.Platform.Platform.UntilAsync("every event has come", () => Task.FromResult(Target.All.Select(r => r.EventId).Distinct().Count() == 2 * Pairs));
        await UntilAsync(id, 2 * Pairs, "delivered");
        var got = Target.All;
        var twice = got.GroupBy(r => r.EventId).Where(g => g.Count() > 1).ToList();
        Assert.InRange(twice.Count, 0, 3);
        Assert.All(twice, g =>
        {
            Assert.Equal(2, g.Count());
            Assert.Single(g.Select(r => r.Delivery).Distinct());
            Assert.Equal(g.First().Body, g.Last().Body);
        });
        var firsts = got.DistinctBy(r => r.EventId).Select(r => r.EventId).ToList();
        Assert.Equal(firsts.Order(StringComparer.Ordinal), firsts);
        Assert.Equal(Enumerable.Repeat((string[])["sandbox.paused", "sandbox.resumed"], Pairs).SelectMany(p => p), got.DistinctBy(r => r.EventId).Select(r => r.Event));
    }

    [Fact]
    public async Task Neither_the_secret_nor_a_header_is_in_the_log_the_database_or_an_event()
    {
        const string password = "Bearer hunter2-in-a-header";
        var made = (await Api.PostAsync("webhooks", $$$"""{"url":"{{{Target.Url}}}","headers":{"Authorization":"{{{password}}}"}}""", ("Idempotency-Key", "leak"))).Expect(201);
        var (id, secret) = (made.Text("id"), made.Text("secret"));
        var second = (await Api.PostAsync($"webhooks/{id}/rotate-secret", null, ("Idempotency-Key", "leak-2"))).Expect(200).Text("secret");
        (await Api.PatchAsync($"webhooks/{id}", """{"secret":"my-very-own-secret-1234"}""")).Expect(200);
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Target.Answer = (context, _) =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        await Api.CreateAsync();
        await Target.CountAsync(3);
        Assert.All(Target.All, r => Assert.Equal(password, r.Headers["Authorization"]));
        using var stream = await Api.EventsAsync("events/stream", "evt_00000000000000000000000000");
        var events = new StringBuilder();
        while (await stream.NextAsync() is { Type: not "sandbox.ready" } told)
            events.Append(told.Data);
        var files = Directory.EnumerateFiles(tenant.Platform.ServerData, "miosa.db*").ToList();
        Assert.NotEmpty(files);
        foreach (var leak in (string[])[secret, second, "my-very-own-secret-1234", password])
        {
            Assert.DoesNotContain(leak, await File.ReadAllTextAsync(tenant.Platform.ServerLog), StringComparison.Ordinal);
            Assert.DoesNotContain(leak, events.ToString(), StringComparison.Ordinal);
            foreach (var file in files)
            {
                await using var open = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                using var copy = new MemoryStream();
                await open.CopyToAsync(copy);
                Assert.True(copy.ToArray().AsSpan().IndexOf(Encoding.UTF8.GetBytes(leak)) < 0, $"{leak} is in {file}");
            }
        }
    }

    private async Task<List<JsonElement>> RowsAsync(string webhook) =>
        [.. (await Api.GetAsync($"webhooks/{webhook}/deliveries?limit=200")).Expect(200).Json.GetProperty("data").EnumerateArray()];

    /// <summary>Waits until there are so many deliveries and the newest is so.</summary>
    private Task UntilAsync(string webhook, int count, string state) => Miosa.Platform.Platform.UntilAsync(
        $"{count} deliveries, the last {state}",
        async () => await RowsAsync(webhook) is { } rows && rows.Count == count && rows[0].GetProperty("state").GetString() == state);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Parse(Receiver.Host), 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
