using System.Net;
using System.Text;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>A platform of its own whose server asks a name server of ours, gives webhooks up after seconds, and signs in the old form.</summary>
public sealed class WebhookPlatform : IAsyncLifetime
{
    // On port 53, so not where the host may have one; a lane of its own per checkout.
    private static readonly string NameServer = $"127.53.{Environment.GetEnvironmentVariable("MIOSA_LANE") ?? "0"}.1";

    private Miosa.Platform.Platform? platform;
    private TestNameServer? names;

    public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

    internal TestNameServer Names => names ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync()
    {
        names = new TestNameServer(IPAddress.Parse(NameServer), 53);
        platform = await Miosa.Platform.Platform.StartAsync(
            "hok", net: 237, ["miosa-busybox"], [],
            ["--webhook-allow", "allowed.test:1, " + Receiver.Range, "--webhook-timeout-sec", "2", "--webhook-retry-sec", "0.2", "--webhook-give-up-sec", "2", "--webhook-signature", "legacy"], NameServer);
    }

    public async ValueTask DisposeAsync()
    {
        if (platform is not null)
            await platform.DisposeAsync();
        names?.Dispose();
    }
}

public sealed class WebhookPlatformTests(WebhookPlatform shared) : IClassFixture<WebhookPlatform>, IAsyncLifetime
{
    private Api? api;

    private Api Api => api ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => api = await shared.Platform.NewApiAsync();

    public ValueTask DisposeAsync()
    {
        Api.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_name_that_is_private_is_refused_and_one_that_becomes_private_is_not_connected_to()
    {
        // Not in the range that is allowed: a real service on the host's loopback.
        await using var inside = await Receiver.StartAsync("127.0.0.1");
        shared.Names.Names["inside.test"] = ["127.0.0.1"];
        shared.Names.Names["both.test"] = ["127.0.0.1", "169.254.169.254"];
        shared.Names.Names["alias.test"] = ["alias:inside.test"];
        foreach (var name in (string[])["inside.test", "both.test", "alias.test", "INSIDE.test", "inside.test."])
        {
            var answer = await Api.PostAsync("webhooks", $$"""{"url":"http://{{name}}:{{inside.Port}}/"}""");
            Assert.Equal((name, 422), (name, answer.Status));
            Assert.Contains("private address", answer.Body, StringComparison.Ordinal);
        }

        shared.Names.Names["rebound.test"] = ["8.8.8.8"];
        var (id, _) = await Hooks.CreateAsync(Api, $"http://rebound.test:{inside.Port}/", """,{"retry_count":1,"events":["sandbox.created"]}""");
        shared.Names.Names["rebound.test"] = ["127.0.0.1"];
        var test = (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        Assert.Equal("failed", test.Text("state"));
        Assert.Contains("private address", test.Text("error"), StringComparison.Ordinal);
        await Api.CreateAsync();
        await Miosa.Platform.Platform.UntilAsync("it was given up", async () =>
            (await Api.GetAsync($"webhooks/{id}/deliveries")).Json.GetProperty("data")[0].GetProperty("state").GetString() == "dead_letter");
        Assert.Empty(inside.All);

        // The name was looked up, and where the operator allows it the same road leads there.
        Assert.Contains(shared.Names.Asked, asked => asked.Name == "rebound.test");
        await using var allowed = await Receiver.StartAsync();
        shared.Names.Names["rebound.test"] = [Receiver.Host];
        (await Api.PatchAsync($"webhooks/{id}", $$"""{"url":"http://rebound.test:{{allowed.Port}}/"}""")).Expect(200);
        Assert.Equal("delivered", (await Api.PostAsync($"webhooks/{id}/test")).Expect(200).Text("state"));
        Assert.Single(allowed.All);
    }

    [Fact]
    public async Task An_allowed_host_and_port_is_that_port_alone()
    {
        shared.Names.Names["allowed.test"] = ["127.0.0.1"];
        (await Api.PostAsync("webhooks", """{"url":"http://allowed.test:1/"}""")).Expect(201);
        Assert.Equal(422, (await Api.PostAsync("webhooks", """{"url":"http://allowed.test:2/"}""")).Status);
        Assert.Equal(422, (await Api.PostAsync("webhooks", """{"url":"http://127.0.0.1:1/"}""")).Status);
        // Nobody knows it now; it may come to be.
        var (id, _) = await Hooks.CreateAsync(Api, "http://nobody.test/");
        Assert.Equal("the name does not resolve", (await Api.PostAsync($"webhooks/{id}/test")).Expect(200).Text("error"));
    }

    [Fact]
    public async Task A_webhook_that_fails_for_too_long_is_switched_off_with_an_event_and_goes_on_where_it_stopped()
    {
        await using var target = await Receiver.StartAsync();
        await using var watcher = await Receiver.StartAsync();
        target.Answer = (context, _) =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        };
        var (id, _) = await Hooks.CreateAsync(Api, target.Url + "?token=in-the-address", """,{"name":"poor"}""");
        await Hooks.CreateAsync(Api, watcher.Url, """,{"events":["webhook.disabled"]}""");
        using var stream = await Api.EventsAsync("events/stream?types=webhook.*");
        var sandbox = await Api.CreateAsync();
        var told = await stream.NextAsync();
        Assert.Equal(("webhook.failed", id, "failed"), (told?.Type, told?.Json.GetProperty("id").GetString(), told?.Json.GetProperty("status").GetString()));
        var data = told!.Json.GetProperty("data");
        Assert.Equal(("poor", Receiver.Host, 500), (data.GetProperty("name").GetString(), data.GetProperty("host").GetString(), data.GetProperty("last_status_code").GetInt32()));
        Assert.DoesNotContain("in-the-address", told.Data, StringComparison.Ordinal);
        // Under the name it asked for; and the one that failed is told nothing of it.
        Assert.Equal("webhook.disabled", Assert.Single(await watcher.CountAsync(1)).Event);
        var got = await Api.GetAsync($"webhooks/{id}");
        Assert.Equal(("failed", false), (got.Text("state"), got.Json.GetProperty("active").GetBoolean()));
        Assert.True(got.Json.GetProperty("failure_count").GetInt32() > 3);
        var tries = target.All.Count;
        await Hooks.TwoEventsAsync(Api, sandbox);

        target.Answer = (_, _) => Task.CompletedTask;
        (await Api.PatchAsync($"webhooks/{id}", """{"active":true}""")).Expect(200);
        var rest = (await target.CountAsync(tries + 6)).Skip(tries).Select(r => r.Event);
        Assert.Equal(["sandbox.created", "build.started", "build.completed", "sandbox.ready", "sandbox.paused", "sandbox.resumed"], rest);
        Assert.DoesNotContain("webhook.failed", target.All.Select(r => r.Event));
        Assert.Equal(0, (await Api.GetAsync($"webhooks/{id}")).Json.GetProperty("failure_count").GetInt32());
    }

    [Fact]
    public async Task The_legacy_setting_puts_the_timed_form_into_the_plain_header()
    {
        await using var target = await Receiver.StartAsync();
        var (id, secret) = await Hooks.CreateAsync(Api, target.Url);
        (await Api.PostAsync($"webhooks/{id}/test")).Expect(200);
        var got = Assert.Single(target.All);
        Assert.Equal(got.Headers["Miosa-Signature"], got.Headers["X-Miosa-Signature"]);
        var parts = got.Headers["X-Miosa-Signature"].Split(',');
        Assert.Equal("v1=" + Received.Hmac(secret, [.. Encoding.UTF8.GetBytes(parts[0]["t=".Length..] + "."), .. got.Body]), parts[1]);
        Assert.StartsWith("t=", (await Api.GetAsync("webhooks/events")).Json.GetProperty("signing").GetProperty("format").GetString(), StringComparison.Ordinal);
    }
}
