using System.Net;
using Microsoft.Extensions.Time.Testing;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Limits;

namespace Miosa.Server.Tests;

/// <summary>How often a key, and an address without one, may come.</summary>
public sealed class LimitTests(Tenant tenant) : IClassFixture<Tenant>
{
    private static readonly IPAddress Here = IPAddress.Parse("203.0.113.7");

    private readonly FakeTimeProvider time = new();

    [Fact]
    public async Task A_key_over_its_rate_is_429_with_whole_seconds_and_every_answer_tells_what_is_left()
    {
        var key = (await tenant.Api.PostAsync("api-keys", """{"name":"slow","rate_limit_rpm":60}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        var first = (await api.GetAsync("sandboxes")).Expect(200);
        Assert.Equal(("60", "59"), (Header(first, "X-RateLimit-Limit"), Header(first, "X-RateLimit-Remaining")));
        Assert.InRange(long.Parse(Header(first, "X-RateLimit-Reset")), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 5, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 61);
        // Refusals and failures tell it, too.
        foreach (var path in (string[])["sandboxes/nonsense", "sandboxes?page=0", "audit-log?page=0"])
            Assert.Equal("60", Header(await api.GetAsync(path), "X-RateLimit-Limit"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 90).Select(_ => api.GetAsync("sandboxes")));
        Assert.InRange(answers.Count(a => a.Status == 200), 50, 85);
        var refused = answers.First(a => a.Status == 429);
        Assert.Equal(("rate_limit_exceeded", "0"), (refused.Code, Header(refused, "X-RateLimit-Remaining")));
        var wait = refused.Json.GetProperty("retry_after").GetInt32();
        Assert.InRange(wait, 1, 60);
        Assert.Equal(wait.ToString(), Header(refused, "Retry-After"));
        // The others of the tenant are not held up, and a token comes back by and by.
        (await tenant.Api.GetAsync("sandboxes")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it may call again", async () => (await api.GetAsync("sandboxes")).Status == 200, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_refused_call_does_nothing_and_is_no_entry_of_the_audit_log()
    {
        var key = (await tenant.Api.PostAsync("api-keys", """{"name":"slower","rate_limit_rpm":1}""")).Expect(201);
        using var api = tenant.Platform.Api(key.Text("token"));
        (await api.GetAsync("sandboxes")).Expect(200);
        Assert.Equal(429, (await api.PostAsync("sandboxes", """{"name":"never-made","memory_mb":256}""")).Status);
        Assert.Equal(404, (await tenant.Api.GetAsync("sandboxes/by-name/never-made")).Status);
        Assert.Equal(0, (await tenant.Api.GetAsync("audit-log?actor_id=" + key.Text("id"))).Expect(200).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public void Tokens_come_back_evenly_and_never_above_a_minutes_worth()
    {
        var bucket = new TokenBucket(120, time);
        for (var i = 119; i >= 0; i--)
            Assert.Equal((true, i), (bucket.TryTake() is { IsGranted: true } taken, bucket.Look().Left));
        Assert.Equal(new Taken(false, 0, 60, 1), bucket.TryTake());
        time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.True(bucket.TryTake().IsGranted);
        Assert.False(bucket.TryTake().IsGranted);
        time.Advance(TimeSpan.FromDays(3));
        Assert.Equal(new Taken(true, 119, 1, 0), bucket.TryTake());
        var rare = new TokenBucket(1, time);
        Assert.True(rare.TryTake().IsGranted);
        Assert.Equal(60, rare.TryTake().WaitSec);
    }

    [Fact]
    public void A_thousand_threads_get_no_token_twice()
    {
        var bucket = new TokenBucket(500, time);
        var granted = 0;
        Parallel.For(0, 5000, _ =>
        {
            if (bucket.TryTake().IsGranted)
                Interlocked.Increment(ref granted);
        });
        Assert.Equal(500, granted);
    }

    [Fact]
    public void An_address_that_comes_too_often_without_a_good_key_is_blocked_alone_and_for_a_while()
    {
        var limits = new AddressLimits(new ServerSettings { BadKeyRpm = 3 }, time);
        Assert.Null(limits.IsBlocked(Here));
        for (var i = 0; i < 3; i++)
            Assert.Null(limits.Refuse(Here));
        Assert.Equal((ErrorCodes.RateLimitExceeded, 20), (limits.Refuse(Here)?.Code, limits.IsBlocked(Here)?.RetryAfter));
        Assert.Null(limits.IsBlocked(IPAddress.Parse("203.0.113.8")));
        Assert.NotNull(limits.IsBlocked(Here.MapToIPv6()));
        time.Advance(TimeSpan.FromSeconds(20));
        Assert.Null(limits.IsBlocked(Here));
        Assert.Null(limits.Refuse(Here));
        Assert.NotNull(limits.Refuse(Here));
        var off = new AddressLimits(new ServerSettings { BadKeyRpm = 0 }, time);
        for (var i = 0; i < 1000; i++)
            Assert.Null(off.Refuse(Here));
    }

    [Fact]
    public void One_IPv6_network_is_one_address_and_ten_thousands_of_them_cost_no_more_memory()
    {
        var limits = new AddressLimits(new ServerSettings { BadKeyRpm = 2 }, time);
        for (var i = 0; i < 3; i++)
            limits.Refuse(IPAddress.Parse($"2001:db8:1:2::{i + 1}"));
        Assert.NotNull(limits.IsBlocked(IPAddress.Parse("2001:db8:1:2:ffff::9")));
        Assert.Null(limits.IsBlocked(IPAddress.Parse("2001:db8:1:3::1")));
        // Beyond those that are remembered all share one bucket.
        for (var i = 0; i < 25_000; i++)
            limits.Refuse(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]));
        Assert.NotNull(limits.Refuse(IPAddress.Parse("198.51.100.1")));
        // What nobody asked for in a minute is forgotten.
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Null(limits.Refuse(IPAddress.Parse("198.51.100.1")));
        Assert.Null(limits.IsBlocked(IPAddress.Parse("2001:db8:1:2::1")));
    }

    private static string Header(Answer answer, string name) => Assert.Single(answer.Headers.GetValues(name));
}
