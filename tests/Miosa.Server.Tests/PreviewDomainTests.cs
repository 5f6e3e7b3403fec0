using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Preview domains of tenants against a real name server, on a platform of its own: how a domain is claimed, proven, served and lost.</summary>
public sealed class PreviewDomainTests(PreviewDomainTests.WithNames names) : IClassFixture<PreviewDomainTests.WithNames>
{
    private const string Own = "previews.test";

    private Miosa.Platform.Platform Platform => names.Platform;

    [Fact]
    public async Task Without_a_domain_the_state_says_so_and_where_a_cname_would_lead()
    {
        using var api = await Platform.NewApiAsync();
        var told = (await api.GetAsync("tenant/preview-domain")).Expect(200).Json;
        Assert.Equal((JsonValueKind.Null, JsonValueKind.Null, "not_configured", Own), (told.GetProperty("domain").ValueKind, told.GetProperty("dns_instructions").ValueKind, told.GetProperty("status").GetString(), told.GetProperty("default_domain").GetString()));
        Assert.EndsWith("." + Own, told.GetProperty("cname_target").GetString(), StringComparison.Ordinal);
        Assert.Equal(404, (await api.PostAsync("tenant/preview-domain/verify")).Status);
        Assert.Equal(204, (await api.DeleteAsync("tenant/preview-domain")).Status);
    }

    [Theory]
    [InlineData("domain")]
    [InlineData("preview_domain")]
    public async Task A_domain_with_the_cname_is_proven_and_previews_are_served_on_it(string field)
    {
        using var api = await Platform.NewApiAsync();
        var domain = $"{Guid.NewGuid():N}.acme.test";
        // However it is spelled, it is one domain.
        var set = (await api.PutAsync("tenant/preview-domain", $$"""{"{{field}}":"{{domain.ToUpperInvariant()}}."}""")).Expect(200).Json;
        Assert.Equal((domain, domain, "pending_dns", "pending", false), (set.GetProperty("domain").GetString(), set.GetProperty("preview_domain").GetString(), set.GetProperty("status").GetString(), set.GetProperty("dns_status").GetString(), set.GetProperty("verified").GetBoolean()));
        var record = set.GetProperty("dns_instructions");
        var target = set.GetProperty("cname_target").GetString() ?? "";
        Assert.Equal(("CNAME", "*." + domain, target), (record.GetProperty("type").GetString(), record.GetProperty("name").GetString(), record.GetProperty("value").GetString()));
        Assert.Equal(set.GetProperty("data").GetProperty("cname_target").GetString(), target);

        // The record is not there yet: a result, not an error.
        var early = (await api.PostAsync("tenant/preview-domain/verify")).Expect(200).Json;
        Assert.Equal((false, "pending_dns", "failed"), (early.GetProperty("verified").GetBoolean(), early.GetProperty("status").GetString(), early.GetProperty("dns_status").GetString()));
        Assert.Contains(target, early.GetProperty("error").GetString(), StringComparison.Ordinal);
        var id = await api.CreateAsync();
        var before = new Uri((await api.PostAsync($"sandboxes/{id}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        Assert.EndsWith("." + Own, before.Host, StringComparison.Ordinal);
        Assert.Equal("api", await ServesAsync($"3000-{Part(before)}.{domain}"));

        await names.Server.AliasAsync("*." + domain, target);
        var verified = (await api.PostAsync("tenant/preview-domain/verify", "null")).Expect(200).Json;
        Assert.Equal((true, target, "configured", "ok", JsonValueKind.Null), (verified.GetProperty("verified").GetBoolean(), verified.GetProperty("target").GetString(), verified.GetProperty("status").GetString(), verified.GetProperty("dns_status").GetString(), verified.GetProperty("error").ValueKind));
        var look = verified.GetProperty("records").EnumerateArray().Single(r => r.GetProperty("type").GetString() == "CNAME");
        Assert.Equal((true, target), (look.GetProperty("ok").GetBoolean(), look.GetProperty("found")[0].GetString()));
        Assert.Equal("configured", (await api.GetAsync("tenant/preview-domain")).Text("status"));
        Assert.Equal(domain, (await api.GetAsync("settings")).Text("preview_domain"));

        // Addresses are told below it now, and lead to the sandbox; the old ones go on.
        var sandbox = (await api.GetAsync($"sandboxes/{id}")).Json;
        Assert.Equal(domain, sandbox.GetProperty("preview_domain").GetString());
        var url = new Uri(sandbox.GetProperty("preview_url").GetString() ?? "");
        Assert.Equal($"3000-{Part(before)}.{domain}", url.Host);
        Assert.Equal(new Uri(api.Root).Port, url.Port);
        Assert.Equal(url.ToString().TrimEnd('/'), sandbox.GetProperty("url_info").GetProperty("url").GetString());
        Assert.EndsWith(domain, new Uri((await api.PostAsync($"sandboxes/{id}/preview-token")).Text("url")).Host, StringComparison.Ordinal);
        Assert.Equal("waiting", await ServesAsync(url.Host));
        Assert.Equal("waiting", await ServesAsync(url.Host.ToUpperInvariant() + "."));
        Assert.Equal("waiting", await ServesAsync($"3000-{Part(before)}.sandbox.{domain}"));
        Assert.Equal("waiting", await ServesAsync(before.Host));
        Assert.Equal("unknown", await ServesAsync($"3000-nobody.{domain}"));
        Assert.Equal("unknown", await ServesAsync($"70000-{Part(before)}.{domain}"));
        Assert.Equal("api", await ServesAsync($"3000-{Part(before)}.x.{domain}"));
        Assert.Equal("api", await ServesAsync(domain));

        // Given back, it serves nothing from this moment on.
        Assert.Equal((204, ""), ((await api.DeleteAsync("tenant/preview-domain")) is var gone ? (gone.Status, gone.Body) : default));
        Assert.Equal("api", await ServesAsync(url.Host));
        Assert.EndsWith("." + Own, new Uri((await api.GetAsync($"sandboxes/{id}")).Text("preview_url")).Host, StringComparison.Ordinal);
        await api.DeleteAsync($"sandboxes/{id}");
    }

    [Fact]
    public async Task A_txt_with_the_tenant_s_word_proves_a_domain_as_well_and_another_tenant_s_word_does_not()
    {
        using var api = await Platform.NewApiAsync();
        using var other = await Platform.NewApiAsync();
        const string Domain = "txt.acme.test";
        var mine = (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200).Json.GetProperty("txt_instructions");
        Assert.Equal(("TXT", "_miosa." + Domain), (mine.GetProperty("type").GetString(), mine.GetProperty("name").GetString()));
        await names.Server.TextAsync("_miosa." + Domain, mine.GetProperty("value").GetString() ?? "");
        // A claim alone keeps nobody else from claiming; the record says whose it is.
        var theirs = (await other.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200).Json;
        Assert.NotEqual(mine.GetProperty("value").GetString(), theirs.GetProperty("txt_instructions").GetProperty("value").GetString());
        Assert.False((await other.PostAsync("tenant/preview-domain/verify")).Expect(200).Json.GetProperty("verified").GetBoolean());
        Assert.True((await api.PostAsync("tenant/preview-domain/verify")).Expect(200).Json.GetProperty("verified").GetBoolean());
        Assert.Equal("pending_dns", (await other.GetAsync("tenant/preview-domain")).Text("status"));
    }

    [Fact]
    public async Task A_record_that_a_former_tenant_left_behind_proves_the_domain_for_nobody_else()
    {
        using var first = await Platform.NewApiAsync();
        using var second = await Platform.NewApiAsync();
        const string Domain = "dangling.acme.test";
        await ProveAsync(first, Domain);
        (await first.DeleteAsync("tenant/preview-domain")).Expect(204);
        (await second.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200);
        Assert.False((await second.PostAsync("tenant/preview-domain/verify")).Json.GetProperty("verified").GetBoolean());
        // Its owner finds it as it was.
        (await first.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200);
        Assert.True((await first.PostAsync("tenant/preview-domain/verify")).Json.GetProperty("verified").GetBoolean());
    }

    [Fact]
    public async Task A_proven_domain_is_one_tenant_s_with_everything_above_and_below_it()
    {
        using var api = await Platform.NewApiAsync();
        using var other = await Platform.NewApiAsync();
        const string Domain = "a.held.test";
        // Claimed before, by both: the second proof comes too late.
        var late = (await other.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200).Json.GetProperty("txt_instructions");
        await ProveAsync(api, Domain);
        await names.Server.TextAsync("_miosa." + Domain, late.GetProperty("value").GetString() ?? "");
        var refused = (await other.PostAsync("tenant/preview-domain/verify")).Expect(200).Json;
        Assert.Equal((false, "pending_dns"), (refused.GetProperty("verified").GetBoolean(), refused.GetProperty("status").GetString()));
        Assert.Contains("another tenant", refused.GetProperty("error").GetString(), StringComparison.Ordinal);
        (await other.DeleteAsync("tenant/preview-domain")).Expect(204);
        foreach (var taken in (string[])[Domain, "A.HELD.test.", "x." + Domain, "x.y." + Domain, "held.test"])
            Assert.Equal((409, ErrorCodes.Conflict), ((await other.PutAsync("tenant/preview-domain", $$"""{"domain":"{{taken}}"}""")) is var no ? (no.Status, no.Code) : default));
        Assert.Equal("not_configured", (await other.GetAsync("tenant/preview-domain")).Text("status"));
        // Beside it is free, and so is one whose letters only end alike.
        foreach (var free in (string[])["b.held.test", "ba.held.test"])
            (await other.PutAsync("tenant/preview-domain", $$"""{"domain":"{{free}}"}""")).Expect(200);
        // Its own tenant may move up.
        (await api.PutAsync("tenant/preview-domain", """{"domain":"held.test"}""")).Expect(200);
        Assert.Equal("api", await ServesAsync("3000-x." + Domain));
    }

    [Fact]
    public async Task A_tenant_s_domain_leads_to_the_tenant_s_own_sandboxes_alone()
    {
        using var api = await Platform.NewApiAsync();
        using var other = await Platform.NewApiAsync();
        const string Domain = "mine.acme.test";
        await ProveAsync(api, Domain);
        var foreign = await other.CreateAsync();
        var url = new Uri((await other.PostAsync($"sandboxes/{foreign}/previews", """{"port":3000,"visibility":"public"}""")).Expect(201).Text("url"));
        Assert.Equal("waiting", await ServesAsync(url.Host));
        Assert.Equal("unknown", await ServesAsync($"3000-{Part(url)}.{Domain}"));
        await other.DeleteAsync($"sandboxes/{foreign}");
    }

    [Fact]
    public async Task Another_domain_begins_unproven_and_the_same_one_again_changes_nothing()
    {
        using var api = await Platform.NewApiAsync();
        await ProveAsync(api, "old.acme.test");
        var again = (await api.PutAsync("tenant/preview-domain", """{"domain":"OLD.acme.test"}""")).Expect(200).Json;
        Assert.Equal("configured", again.GetProperty("status").GetString());
        var moved = (await api.PutAsync("tenant/preview-domain", """{"domain":"new.acme.test"}""")).Expect(200).Json;
        Assert.Equal(("pending_dns", JsonValueKind.Null), (moved.GetProperty("status").GetString(), moved.GetProperty("verified_at").ValueKind));
        Assert.Equal("api", await ServesAsync("3000-x.old.acme.test"));
        Assert.Equal("api", await ServesAsync("3000-x.new.acme.test"));
    }

    [Fact]
    public async Task A_proof_outlives_the_server_lapses_when_its_record_is_gone_for_the_time_of_grace_and_comes_back_with_it()
    {
        using var api = await Platform.NewApiAsync();
        const string Domain = "lapse.acme.test";
        await ProveAsync(api, Domain);
        await Platform.KillServerAsync();
        await Platform.StartServerAsync();
        Assert.Equal("unknown", await ServesAsync("3000-x." + Domain));

        await names.Server.ForgetAsync(Domain);
        await Miosa.Platform.Platform.UntilAsync("the record is missed", async () => (await api.GetAsync("tenant/preview-domain")).Json.GetProperty("lapses_at").ValueKind == JsonValueKind.String);
        var missed = (await api.GetAsync("tenant/preview-domain")).Json;
        Assert.Equal(("configured", "failed"), (missed.GetProperty("status").GetString(), missed.GetProperty("dns_status").GetString()));
        Assert.Equal("unknown", await ServesAsync("3000-x." + Domain));
        await Miosa.Platform.Platform.UntilAsync("it lapses", async () => (await api.GetAsync("tenant/preview-domain")).Text("status") == "pending_dns");
        Assert.Equal("api", await ServesAsync("3000-x." + Domain));
        Assert.Equal(["tenant.preview_domain.verified", "tenant.preview_domain.lapsed"], await EventsAsync(Domain));

        await ProveAsync(api, Domain);
        Assert.Equal("unknown", await ServesAsync("3000-x." + Domain));
        Assert.Equal(["tenant.preview_domain.verified", "tenant.preview_domain.lapsed", "tenant.preview_domain.verified"], await EventsAsync(Domain));
    }

    [Fact]
    public async Task A_name_server_that_does_not_answer_takes_no_domain_away()
    {
        using var api = await Platform.NewApiAsync();
        const string Domain = "up.hostile.test";
        var target = (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200).Text("cname_target");
        var mood = "good";
        var troubled = 0;
        using var upstream = new HostileNameServer(names.Upstream, (name, question) => Volatile.Read(ref mood) switch
        {
            "good" => HostileNameServer.Alias(question, target),
            _ when Interlocked.Increment(ref troubled) > 0 => HostileNameServer.Code(question, code: 2),
            _ => null,
        });
        Assert.True((await api.PostAsync("tenant/preview-domain/verify")).Json.GetProperty("verified").GetBoolean());
        Volatile.Write(ref mood, "down");
        var first = (await api.GetAsync("tenant/preview-domain")).Text("checked_at");
        // Longer than the grace by its own looks, one a second.
        for (var look = 0; look < 5; look++)
        {
            var last = (await api.GetAsync("tenant/preview-domain")).Text("checked_at");
            await Miosa.Platform.Platform.UntilAsync("it is looked at again", async () => (await api.GetAsync("tenant/preview-domain")).Text("checked_at") != last);
        }
        var now = (await api.GetAsync("tenant/preview-domain")).Json;
        Assert.True(troubled > 0);
        Assert.NotEqual(first, now.GetProperty("checked_at").GetString());
        Assert.Equal(("configured", "failed", JsonValueKind.Null), (now.GetProperty("status").GetString(), now.GetProperty("dns_status").GetString(), now.GetProperty("lapses_at").ValueKind));
        (await api.DeleteAsync("tenant/preview-domain")).Expect(204);
    }

    [Theory]
    [InlineData("silent", "in time")]
    [InlineData("servfail", "ServerFailure")]
    [InlineData("refused", "Refused")]
    [InlineData("circle", "neither")]
    [InlineData("chain", "neither")]
    [InlineData("garbage", "")]
    [InlineData("cut", "")]
    [InlineData("foreign", "neither")]
    public async Task Whatever_a_name_server_does_verify_answers_that_nothing_is_proven(string kind, string says)
    {
        var api = names.Api;
        var target = (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{kind}}.hostile.test"}""")).Expect(200).Text("cname_target");
        using var upstream = new HostileNameServer(names.Upstream, (name, question) => kind switch
        {
            "silent" => null,
            "servfail" => HostileNameServer.Code(question, 2),
            "refused" => HostileNameServer.Code(question, 5),
            "circle" => HostileNameServer.Alias(question, name.StartsWith('*') ? "a.circle.hostile.test" : "*.circle.hostile.test"),
            "chain" => HostileNameServer.Alias(question, "x" + name.TrimStart('*', '.')),
            "garbage" => [.. question[..2], .. Enumerable.Repeat((byte)0xff, 400)],
            "cut" => HostileNameServer.Alias(question, target)[..^5],
            // The right target, for a name that nobody asked about.
            "foreign" => HostileNameServer.Alias([.. question[..12], 1, (byte)'z', .. question[12..]], target),
            _ => throw new InvalidOperationException(kind),
        });
        var answer = (await api.PostAsync("tenant/preview-domain/verify")).Expect(200).Json;
        Assert.Equal((false, "pending_dns", "failed"), (answer.GetProperty("verified").GetBoolean(), answer.GetProperty("status").GetString(), answer.GetProperty("dns_status").GetString()));
        Assert.Contains(says, answer.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.All(answer.GetProperty("records").EnumerateArray(), record => Assert.False(record.GetProperty("ok").GetBoolean()));
    }

    [Fact]
    public async Task An_alias_may_lead_to_the_target_over_another()
    {
        var api = names.Api;
        var target = (await api.PutAsync("tenant/preview-domain", """{"domain":"far.hostile.test"}""")).Expect(200).Text("cname_target");
        using var upstream = new HostileNameServer(names.Upstream, (name, question) => HostileNameServer.Alias(question, name.StartsWith('*') ? "edge.hostile.test" : target.ToUpperInvariant()));
        var answer = (await api.PostAsync("tenant/preview-domain/verify")).Expect(200).Json;
        Assert.True(answer.GetProperty("verified").GetBoolean());
        Assert.Equal(["edge.hostile.test", target], answer.GetProperty("records")[0].GetProperty("found").EnumerateArray().Select(f => f.GetString()));
        (await api.DeleteAsync("tenant/preview-domain")).Expect(204);
    }

    [Theory]
    [InlineData("localhost", "nobody's")]
    [InlineData("x.localhost", "nobody's")]
    [InlineData("acme", "nobody's")]
    [InlineData("127.0.0.1", "address")]
    [InlineData("8.8.8.8", "address")]
    [InlineData("acme.123", "address")]
    [InlineData("::1", "address")]
    [InlineData("[2001:db8::1]", "address")]
    [InlineData("previews.test", "this server's")]
    [InlineData("x.previews.test", "this server's")]
    [InlineData("PREVIEWS.TEST.", "this server's")]
    [InlineData("com", "nobody's")]
    [InlineData("co.uk", "suffix")]
    [InlineData("github.io", "suffix")]
    [InlineData("anything.ck", "suffix")]
    [InlineData("xn--55qx5d.cn", "suffix")]
    [InlineData("*.acme.com", "leave out")]
    [InlineData("https://preview.acme.com", "scheme")]
    [InlineData("preview.acme.com/x", "scheme")]
    [InlineData("preview.acme.com:8443", "port")]
    [InlineData("user@acme.com", "scheme")]
    [InlineData("prüview.acme.com", "xn--")]
    [InlineData("preview.acme.com。", "xn--")]
    [InlineData("xn--.acme.com", "domain name")]
    [InlineData("xn--999999999.acme.com", "domain name")]
    [InlineData("-a.acme.com", "domain name")]
    [InlineData("a-.acme.com", "domain name")]
    [InlineData("a..acme.com", "domain name")]
    [InlineData(".acme.com", "domain name")]
    [InlineData("acme.com..", "domain name")]
    [InlineData("a_b.acme.com", "domain name")]
    [InlineData("a b.acme.com", "domain name")]
    [InlineData("a\tb.acme.com", "domain name")]
    [InlineData("", "empty")]
    [InlineData(".", "domain name")]
    public async Task What_nobody_may_claim_is_refused_with_the_reason(string domain, string says)
    {
        var api = names.Api;
        (await api.DeleteAsync("tenant/preview-domain")).Expect(204);
        var refused = (await api.PutAsync("tenant/preview-domain", JsonSerializer.Serialize(new { domain }))).Expect(422);
        Assert.Contains(says, refused.Json.GetProperty("details").GetProperty("domain").GetString(), StringComparison.Ordinal);
        Assert.Equal("not_configured", (await api.GetAsync("tenant/preview-domain")).Text("status"));
    }

    [Fact]
    public async Task Lengths_types_and_the_name_of_the_api_itself_are_refused_and_what_is_left_is_taken()
    {
        var api = names.Api;
        string[] bodies = ["""{"domain":5}""", """{"domain":null}""", "{}", "", """{"domain":["a.example.com"]}""", JsonSerializer.Serialize(new { domain = new string('a', 10_000) + ".com" }),
            JsonSerializer.Serialize(new { domain = new string('a', 64) + ".acme.com" }), JsonSerializer.Serialize(new { domain = string.Concat(Enumerable.Repeat("abcdefghi.", 20)) + "com" })];
        foreach (var body in bodies)
            Assert.Equal((422, true), ((await api.PutAsync("tenant/preview-domain", body)) is var no ? (no.Status, no.Json.GetProperty("details").TryGetProperty("domain", out _)) : default));
        Assert.Equal(400, (await api.PutAsync("tenant/preview-domain", "{")).Status);
        foreach (var own in (string[])["api.acme.com", "acme.com", "x.api.acme.com"])
        {
            var refused = await api.SendAsync(HttpMethod.Put, "tenant/preview-domain", $$"""{"domain":"{{own}}"}""", ("Host", "api.acme.com"));
            Assert.Equal(422, refused.Status);
        }
        foreach (var fine in (string[])["example.com", "preview.acme.co.uk", "xn--bcher-kva.example.com", "a.b.c.d.e.example.com", "previews.test.example.com", "city.kawasaki.jp", "www.ck", "3000-x.example.com"])
            Assert.Equal(fine, (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{fine}}"}""")).Expect(200).Text("domain"));
    }

    [Fact]
    public async Task Of_fifty_proofs_at_once_by_five_tenants_one_tenant_has_the_domain()
    {
        var apis = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Platform.NewApiAsync()));
        const string Domain = "race.acme.test";
        foreach (var api in apis)
        {
            var word = (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{Domain}}"}""")).Expect(200).Json.GetProperty("txt_instructions").GetProperty("value").GetString();
            await names.Server.TextAsync("_miosa." + Domain, word ?? "");
        }
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i => (await apis[i % 5].PostAsync("tenant/preview-domain/verify")).Expect(200)));
        var states = await Task.WhenAll(apis.Select(async api => (await api.GetAsync("tenant/preview-domain")).Text("status")));
        Assert.Equal((1, 4), (states.Count(s => s == "configured"), states.Count(s => s == "pending_dns")));
        foreach (var api in apis)
            api.Dispose();
    }

    private async Task ProveAsync(Api api, string domain)
    {
        var target = (await api.PutAsync("tenant/preview-domain", $$"""{"domain":"{{domain}}"}""")).Expect(200).Text("cname_target");
        await names.Server.AliasAsync("*." + domain, target);
        var answer = (await api.PostAsync("tenant/preview-domain/verify")).Expect(200);
        Assert.True(answer.Json.GetProperty("verified").GetBoolean(), answer.Body);
    }

    /// <summary>What answers for a host name: a page of a preview by its kind, or "api" when the name is no preview's.</summary>
    private async Task<string> ServesAsync(string host)
    {
        using var browser = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, Platform.RootUrl + "/");
        request.Headers.Host = host;
        using var answer = await browser.SendAsync(request);
        return answer.Headers.TryGetValues("X-Miosa-Preview", out var kind) ? kind.Single() : "api";
    }

    private static string Part(Uri url) => url.Host.Split('.')[0]["3000-".Length..];

    /// <summary>Events of the domain, from the log that every stream is read from.</summary>
    private async Task<List<string>> EventsAsync(string domain)
    {
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(Platform.ServerData, "miosa.db")};Mode=ReadOnly");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT Type FROM events WHERE Type LIKE 'tenant.%' AND json_extract(Data, '$.domain') = $domain ORDER BY Position";
        command.Parameters.AddWithValue("$domain", domain);
        var types = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            types.Add(reader.GetString(0));
        return types;
    }

    public sealed class WithNames : IAsyncLifetime
    {
        private Miosa.Platform.Platform? platform;
        private NameServer? server;

        public Miosa.Platform.Platform Platform => platform ?? throw new InvalidOperationException("not started");

        /// <summary>A tenant for what leaves nothing behind: a new one costs two processes.</summary>
        public Api Api { get => field ?? throw new InvalidOperationException("not started"); private set; }

        internal NameServer Server => server ?? throw new InvalidOperationException("not started");

        /// <summary>Where a test may be the name server of hostile.test.</summary>
        public int Upstream { get; } = NameServer.FreePort();

        public async ValueTask InitializeAsync()
        {
            server = await NameServer.StartAsync(Upstream);
            platform = await Miosa.Platform.Platform.StartAsync("dom", net: 237, ["miosa-busybox"],
                "--preview-domain", Own, "--dns-server", $"127.0.0.1:{server.Port}", "--domain-check-sec", "1", "--domain-grace-sec", "3", "--sweep-sec", "1");
            Api = await platform.NewApiAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (platform is not null)
                await platform.DisposeAsync();
            if (server is not null)
                await server.DisposeAsync();
        }
    }
}
