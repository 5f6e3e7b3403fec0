using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Miosa.Tests;

/// <summary>Verification of deliveries, which needs no client and no server, and the stream of a tenant.</summary>
public sealed class WebhookTests
{
    private const string Secret = "whsec_0123456789abcdef";
    private static readonly byte[] Body = Encoding.UTF8.GetBytes("""{"id":"del_1","event":"sandbox.ready","type":"sandbox.ready","created_at":"2026-05-26T10:14:23.000Z","tenant_id":"ten_1","data":{"id":"sbx_1","state":"running"}}""");

    /// <summary>The sample of the page the product started from, word for word: hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().</summary>
    [Fact]
    public void The_digest_alone_is_what_the_documented_sample_computes()
    {
        // printf '%s' '{"a":1}' | openssl dgst -sha256 -hmac 'whsec_test'
        const string digest = "51426af50a41dd7ff2cd3f116594734766d4018d15d6fb07169aee5d2959adf5";
        Assert.True(Webhooks.Verify("{\"a\":1}"u8, digest, "whsec_test"));
        Assert.False(Webhooks.Verify("{\"a\":2}"u8, digest, "whsec_test"));
    }

    [Fact]
    public void Every_documented_form_is_understood()
    {
        Assert.True(Webhooks.Verify(Body, Plain(Secret), Secret));
        Assert.True(Webhooks.Verify(Body, Plain(Secret).ToUpperInvariant(), Secret));
        Assert.True(Webhooks.Verify(Body, "sha256=" + Plain(Secret), Secret));
        Assert.True(Webhooks.Verify(Body, Timed(Now(), Secret), Secret));
        // During the overlap of a rotation, in either order, also with blanks.
        Assert.True(Webhooks.Verify(Body, Timed(Now(), "another-secret-16", Secret), Secret));
        Assert.True(Webhooks.Verify(Body, Timed(Now(), Secret, "another-secret-16").Replace(",", ", ", StringComparison.Ordinal), Secret));
    }

    [Fact]
    public void What_was_altered_is_refused()
    {
        byte[] other = [.. Body[..^1], (byte)' ', Body[^1]];
        foreach (var signature in (string[])[Plain(Secret), "sha256=" + Plain(Secret), Timed(Now(), Secret)])
        {
            Assert.True(Webhooks.Verify(Body, signature, Secret));
            Assert.False(Webhooks.Verify(other, signature, Secret));
            Assert.False(Webhooks.Verify(Body, signature, Secret + "x"));
            Assert.False(Webhooks.Verify([], signature, Secret));
            for (var at = 0; at < signature.Length; at++)
            {
                var flipped = signature[at] == '0' ? '1' : '0';
                Assert.False(Webhooks.Verify(Body, string.Concat(signature.AsSpan(0, at), [flipped], signature.AsSpan(at + 1)), Secret), signature + at);
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256=")]
    [InlineData("sha1=0123")]
    [InlineData("t=,v1=")]
    [InlineData("t=99999999999999999999999,v1=00")]
    [InlineData("t=-1,v1=00")]
    [InlineData("t=NaN")]
    [InlineData(",,,,")]
    [InlineData("zz")]
    public void Nonsense_is_refused_without_an_exception(string signature)
    {
        Assert.False(Webhooks.Verify(Body, signature, Secret));
        Assert.False(Webhooks.Verify(Body, signature + new string(',', 100_000), Secret));
        Assert.False(Webhooks.Verify(Body, (string?)null, Secret));
        Assert.False(Webhooks.Verify(Body, _ => signature, Secret));
        Assert.Throws<ArgumentException>(() => Webhooks.Verify(Body, signature, ""));
    }

    [Fact]
    public void A_time_too_old_or_too_new_is_refused_and_cannot_be_moved()
    {
        foreach (var (seconds, good) in ((int, bool)[])[(-290, true), (290, true), (-310, false), (310, false)])
        {
            Assert.Equal((seconds, good), (seconds, Webhooks.Verify(Body, Timed(Now() + seconds, Secret), Secret)));
            Assert.True(Webhooks.Verify(Body, Timed(Now() + seconds, Secret), Secret, Timeout.InfiniteTimeSpan));
            Assert.True(Webhooks.Verify(Body, Timed(Now() + seconds, Secret), Secret, TimeSpan.FromHours(1)));
        }
        var old = Timed(Now() - 4000, Secret);
        Assert.False(Webhooks.Verify(Body, string.Create(CultureInfo.InvariantCulture, $"t={Now()}{old[old.IndexOf(',', StringComparison.Ordinal)..]}"), Secret));
        Assert.False(Webhooks.Verify(Body, string.Create(CultureInfo.InvariantCulture, $"{old},t={Now()}"), Secret));
        // The time is part of it, so a form that has lost it is none.
        Assert.False(Webhooks.Verify(Body, old[(old.IndexOf(',', StringComparison.Ordinal) + 1)..], Secret, Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public void Of_headers_the_one_with_a_time_counts_and_a_weaker_one_only_when_asked_for()
    {
        var headers = new Dictionary<string, string>
        {
            ["X-Miosa-Signature"] = "sha256=" + Plain(Secret),
            ["X-Miosa-Signature-Hex"] = Plain(Secret),
            ["Miosa-Signature"] = Timed(Now(), Secret),
        };
        Assert.True(Webhooks.Verify(Body, headers.GetValueOrDefault, Secret));
        headers["Miosa-Signature"] = Timed(Now() - 4000, Secret);
        Assert.False(Webhooks.Verify(Body, headers.GetValueOrDefault, Secret));
        Assert.True(Webhooks.Verify(Body, headers.GetValueOrDefault, Secret, Timeout.InfiniteTimeSpan));
        // Somebody sends an old one again and leaves out the header that tells its age.
        headers.Remove("Miosa-Signature");
        Assert.False(Webhooks.Verify(Body, headers.GetValueOrDefault, Secret));
        Assert.True(Webhooks.Verify(Body, headers.GetValueOrDefault, Secret, Timeout.InfiniteTimeSpan));
        // The old line's form of the same header has a time.
        Assert.True(Webhooks.Verify(Body, name => name == "X-Miosa-Signature" ? Timed(Now(), Secret) : null, Secret));
        // After a rotation, for a receiver that has the old secret and looks at plain forms.
        Assert.True(Webhooks.Verify(Body, name => name == "X-Miosa-Signature-Previous" ? "sha256=" + Plain(Secret) : name == "X-Miosa-Signature" ? "sha256=" + Plain("new") : null, Secret, Timeout.InfiniteTimeSpan));
    }

    [Fact]
    public void The_body_can_be_read()
    {
        var happened = Webhooks.Parse(Body);
        Assert.Equal(("del_1", EventNames.SandboxReady, "running"), (happened.Id, happened.Event, happened.Data["state"]?.GetValue<string>()));
        Assert.ThrowsAny<JsonException>(() => Webhooks.Parse("{}"u8));
        Assert.ThrowsAny<JsonException>(() => Webhooks.Parse("null"u8));
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_stream_that_drops_before_its_first_event_goes_on_where_it_began(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server
            .Then(context =>
            {
                context.Response.Headers["X-Miosa-Last-Event-Id"] = "evt_7";
                return ScriptedServer.EventsAsync(context, ": heartbeat\n\n");
            })
            .ThenEvents(Happened("evt_8"), Happened("evt_9"))
            .Client();

        var events = await Twins.CallAsync(async, () => client.Events.Stream().Take(2).ToList(), () => client.Events.StreamAsync().Take(2).ToListAsync().AsTask());

        Assert.Equal(["evt_8", "evt_9"], events.Select(one => one.EventId));
        Assert.False(server.Seen[0].Headers.ContainsKey("Last-Event-ID"));
        Assert.Equal("evt_7", server.Seen[1].Headers["Last-Event-ID"]);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_quiet_stream_may_drop_as_often_as_it_likes_when_it_held_for_a_while(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        for (var i = 0; i < 6; i++)
            server.ThenEvents(": heartbeat\n\n");
        using var client = server.ThenEvents(Happened("evt_1")).Client(new TestClock { EachLook = TimeSpan.FromSeconds(31) }, maxRetries: 1);

        var first = await Twins.CallAsync(async, () => client.Events.Stream().First(), () => client.Events.StreamAsync().FirstAsync().AsTask());

        Assert.Equal("evt_1", first.EventId);
    }

    [Fact]
    public void Neither_the_tenant_nor_a_part_of_it_is_misuse()
    {
        using var client = new MiosaClient("msk_live_x", "http://127.0.0.1:1/api/v1");
        Assert.Throws<ArgumentException>(() => client.Events.Stream(tenantWide: false));
        Assert.Throws<ArgumentException>(() => client.Webhooks.Get(".."));
    }

    private static string Happened(string id)
        => $"id: {id}\nevent: sandbox.ready\ndata: {{\"type\":\"sandbox.ready\",\"event_id\":\"{id}\",\"id\":\"sbx_1\",\"tenant_id\":\"ten_1\",\"ts\":\"2026-05-26T10:14:23.000Z\",\"data\":{{}}}}\n\n";

    private static long Now() => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private static string Plain(string secret) => Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Body));

    private static string Timed(long seconds, params string[] secrets)
    {
        var time = seconds.ToString(CultureInfo.InvariantCulture);
        var signed = secrets.Select(secret => "v1=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), (byte[])[.. Encoding.UTF8.GetBytes(time + "."), .. Body])));
        return $"t={time},{string.Join(',', signed)}";
    }
}
