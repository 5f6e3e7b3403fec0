using System.Text.Json.Nodes;

namespace Miosa.Server.Tests;

/// <summary>What a sandbox may reach: the three modes, names and ranges, changes under way, what is told of refusals.</summary>
public sealed class EgressTests(EgressPlatform platform) : IClassFixture<EgressPlatform>
{
    [Fact]
    public async Task A_sandbox_reaches_public_addresses_and_names_unless_it_is_told_otherwise()
    {
        platform.Names.Names["open.test"] = [PeerNetwork.Public(2)];
        var id = await platform.CreateAsync();
        Assert.Equal("open", (await platform.Api.GetAsync($"sandboxes/{id}/egress")).Expect(200).Text("mode"));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachAsync(id, "open.test"));
        Assert.Equal("got hello", await platform.ReachUdpAsync(id, "open.test"));
        // The peer would answer here, too.
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Private(2)));
        await platform.RefusedAsync(id, "tcp", PeerNetwork.Private(2), "private");
    }

    [Fact]
    public async Task A_closed_sandbox_reaches_nothing_and_its_questions_for_names_leave_the_host_never()
    {
        platform.Names.Names["secret-data.closed.test"] = [PeerNetwork.Public(2)];
        var id = await platform.CreateAsync(EgressPlatform.Closed());
        Assert.Equal("closed", (await platform.Api.GetAsync($"sandboxes/{id}/egress")).Expect(200).Text("mode"));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Opened(2)));
        Assert.StartsWith("error", await platform.ReachUdpAsync(id, PeerNetwork.Public(2), seconds: 2), StringComparison.Ordinal);
        Assert.Equal("no name", await platform.ReachAsync(id, "secret-data.closed.test"));
        Assert.DoesNotContain(platform.Names.Asked, q => q.Name.EndsWith("closed.test", StringComparison.Ordinal));
        await platform.RefusedAsync(id, "tcp", PeerNetwork.Public(2), "policy");
        await platform.RefusedAsync(id, "udp", PeerNetwork.Public(2), "policy");
        await platform.RefusedAsync(id, "dns", "secret-data.closed.test", "policy");
        Assert.Equal("yes", (await platform.Api.RunAsync(id, "echo yes")).Trim());
    }

    [Fact]
    public async Task A_listed_name_is_reached_and_no_other_name_and_no_bare_address()
    {
        platform.Names.Names["good.test"] = [PeerNetwork.Public(2)];
        platform.Names.Names["bad.test"] = [PeerNetwork.Public(3)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["good.test"]));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2))); // not before its name was asked for
        Assert.Equal("got hello", await platform.ReachAsync(id, "good.test"));
        Assert.Equal("got hello", await platform.ReachAsync(id, "GOOD.Test."));
        Assert.Equal("got hello", await platform.ReachUdpAsync(id, "good.test"));
        Assert.Equal("no name", await platform.ReachAsync(id, "bad.test"));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(3)));
        Assert.DoesNotContain(platform.Names.Asked, q => q.Name == "bad.test");
        await platform.RefusedAsync(id, "dns", "bad.test", "policy");
        var refused = await platform.RefusedAsync(id, "tcp", PeerNetwork.Public(3), "policy");
        Assert.Equal(EgressPlatform.Port, refused.GetProperty("port").GetInt32());
        Assert.True(refused.GetProperty("count").GetInt64() >= 1);
        Assert.InRange(refused.GetProperty("last_at").GetDateTimeOffset(), DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(1));
    }

    [Fact]
    public async Task What_one_sandbox_learnt_of_a_name_opens_nothing_for_another()
    {
        platform.Names.Names["mine.test"] = [PeerNetwork.Public(2)];
        var one = await platform.CreateAsync(EgressPlatform.Listed(["mine.test"]));
        var other = await platform.CreateAsync(EgressPlatform.Listed(["other.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(one, "mine.test"));
        Assert.Equal("refused", await platform.ReachAsync(other, PeerNetwork.Public(2)));
    }

    [Fact]
    public async Task A_pattern_lists_every_name_below_and_not_itself_nor_names_that_only_end_alike()
    {
        foreach (var name in (string[])["a.wild.test", "b.a.wild.test", "wild.test", "evilwild.test"])
            platform.Names.Names[name] = [PeerNetwork.Public(2)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["*.wild.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, "a.wild.test"));
        Assert.Equal("got hello", await platform.ReachAsync(id, "b.a.wild.test"));
        Assert.Equal("no name", await platform.ReachAsync(id, "wild.test"));
        Assert.Equal("no name", await platform.ReachAsync(id, "evilwild.test"));
    }

    [Fact]
    public async Task A_name_that_is_an_alias_of_another_leads_to_its_addresses()
    {
        platform.Names.Names["alias.test"] = ["alias:cdn.elsewhere.test"];
        platform.Names.Names["cdn.elsewhere.test"] = [PeerNetwork.Public(3)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["alias.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, "alias.test"));
        Assert.Equal("no name", await platform.ReachAsync(id, "cdn.elsewhere.test"));
    }

    [Fact]
    public async Task A_long_answer_comes_whole_over_tcp()
    {
        platform.Names.Names["long.test"] = [.. Enumerable.Range(0, 60).Select(n => $"203.0.113.{n}"), PeerNetwork.Public(2)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["long.test"]));
        Assert.Equal("61", await platform.PythonAsync(id, "import socket; print(len(socket.gethostbyname_ex('long.test')[2]))"));
        Assert.Contains(platform.Names.Asked, q => q is { Name: "long.test", Transport: "tcp" });
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
    }

    [Fact]
    public async Task A_listed_range_is_reached_directly_and_one_address_beside_it_is_not()
    {
        var id = await platform.CreateAsync(EgressPlatform.Listed(cidrs: [PeerNetwork.Public(2) + "/32"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachUdpAsync(id, PeerNetwork.Public(2)));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(3)));
        await platform.SetAsync(id, EgressPlatform.Listed(cidrs: [PeerNetwork.Public(0) + "/28"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(3)));
    }

    [Fact]
    public async Task Listing_every_address_opens_no_private_one_but_what_the_operator_opened()
    {
        var id = await platform.CreateAsync(EgressPlatform.Listed(cidrs: ["0.0.0.0/0"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Opened(2)));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Private(2)));
        await platform.RefusedAsync(id, "tcp", PeerNetwork.Private(2), "private");
    }

    [Fact]
    public async Task What_the_operator_opened_must_still_be_listed_where_a_list_is()
    {
        platform.Names.Names["inner.test"] = [PeerNetwork.Opened(2)];
        var open = await platform.CreateAsync();
        Assert.Equal("got hello", await platform.ReachAsync(open, "inner.test"));
        var listed = await platform.CreateAsync(EgressPlatform.Listed(["inner.test"]));
        Assert.Equal("refused", await platform.ReachAsync(listed, PeerNetwork.Opened(2)));
        Assert.Equal("got hello", await platform.ReachAsync(listed, "inner.test"));
        await platform.SetAsync(listed, EgressPlatform.Listed(cidrs: [PeerNetwork.Opened(3)]));
        Assert.Equal("refused", await platform.ReachAsync(listed, PeerNetwork.Opened(2)));
        Assert.Equal("got hello", await platform.ReachAsync(listed, PeerNetwork.Opened(3)));
    }

    [Theory]
    [InlineData("192.168.79.2")]
    [InlineData("127.0.0.1")]
    [InlineData("169.254.169.254")]
    [InlineData("10.1.2.3")]
    [InlineData("100.64.0.1")]
    [InlineData("0.0.0.0")]
    public async Task A_name_that_leads_to_a_private_address_does_not_exist_even_when_it_is_listed(string address)
    {
        var name = $"rebind-{address.Replace('.', '-')}.test";
        // One good address beside the bad one: neither is told.
        platform.Names.Names[name] = [PeerNetwork.Public(2), address];
        var id = await platform.CreateAsync();
        Assert.Equal("no name", await platform.ReachAsync(id, name));
        await platform.RefusedAsync(id, "dns", name, "answer");
        await platform.SetAsync(id, EgressPlatform.Listed([name]));
        Assert.Equal("no name", await platform.ReachAsync(id, name));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2)));
    }

    [Fact]
    public async Task A_name_that_turns_to_a_private_address_later_does_not_lead_there()
    {
        platform.Names.Names["turning.test"] = [PeerNetwork.Public(2)];
        var id = await platform.CreateAsync(EgressPlatform.Listed(["turning.test"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, "turning.test"));
        platform.Names.Names["turning.test"] = [PeerNetwork.Private(2)];
        Assert.Equal("no name", await platform.ReachAsync(id, "turning.test"));
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Private(2)));
    }

    [Fact]
    public async Task A_sandbox_with_a_list_can_ask_no_other_name_server()
    {
        var id = await platform.CreateAsync();
        Assert.Equal("got hello", await platform.ReachUdpAsync(id, PeerNetwork.Public(2), 53));
        await platform.SetAsync(id, EgressPlatform.Listed(cidrs: [PeerNetwork.Public(0) + "/28"]));
        Assert.Equal("got hello", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        foreach (var port in (int[])[53, 853])
        {
            Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2), port));
            Assert.StartsWith("error", await platform.ReachUdpAsync(id, PeerNetwork.Public(2), port, seconds: 2), StringComparison.Ordinal);
        }
        await platform.RefusedAsync(id, "tcp", PeerNetwork.Public(2), "resolver");
        await platform.RefusedAsync(id, "udp", PeerNetwork.Public(2), "resolver");
    }

    [Fact]
    public async Task A_copy_may_reach_what_its_source_may_unless_it_is_told_otherwise()
    {
        var source = await platform.CreateAsync(EgressPlatform.Listed(cidrs: [PeerNetwork.Public(2)]));
        var copy = (await platform.Api.PostAsync($"sandboxes/{source}/fork", "{}")).Expect(201).Text("id");
        Assert.Equal("refused", await platform.ReachAsync(copy, PeerNetwork.Public(3)));
        Assert.Equal("got hello", await platform.ReachAsync(copy, PeerNetwork.Public(2)));
        var closed = (await platform.Api.PostAsync($"sandboxes/{source}/fork", """{"egress":{"mode":"closed"}}""")).Expect(201).Text("id");
        Assert.Equal("refused", await platform.ReachAsync(closed, PeerNetwork.Public(2)));
        var snapshot = (await platform.Api.PostAsync($"sandboxes/{source}/snapshots", "{}")).Expect(201).Text("id");
        var restored = (await platform.Api.PostAsync($"sandboxes/{source}/fork", new JsonObject { ["snapshot_id"] = snapshot }.ToJsonString())).Expect(201).Text("id");
        Assert.Equal("refused", await platform.ReachAsync(restored, PeerNetwork.Public(3)));
    }

    [Theory]
    [InlineData("""{}""", "mode")]
    [InlineData("""{"mode":"shut"}""", "mode")]
    [InlineData("""{"mode":7}""", "mode")]
    [InlineData("""{"mode":"open","domains":["a.test"]}""", "domains")]
    [InlineData("""{"mode":"closed","cidrs":["1.2.3.4"]}""", "cidrs")]
    [InlineData("""{"mode":"listed","cidrs":["1.2.3.4/33"]}""", "cidrs[0]")]
    [InlineData("""{"mode":"listed","cidrs":["8.8.8.8","1.2.3.4/24"]}""", "cidrs[1]")]
    [InlineData("""{"mode":"listed","cidrs":["::/0"]}""", "cidrs[0]")]
    [InlineData("""{"mode":"listed","cidrs":["0x7f.1"]}""", "cidrs[0]")]
    [InlineData("""{"mode":"listed","cidrs":["192.168.0.0/24"]}""", "cidrs[0]")]
    [InlineData("""{"mode":"listed","cidrs":["169.254.169.254"]}""", "cidrs[0]")]
    [InlineData("""{"mode":"listed","domains":["*"]}""", "domains[0]")]
    [InlineData("""{"mode":"listed","domains":["*.*.a.test"]}""", "domains[0]")]
    [InlineData("""{"mode":"listed","domains":["a..test"]}""", "domains[0]")]
    [InlineData("""{"mode":"listed","domains":["1.2.3.4"]}""", "domains[0]")]
    [InlineData("""{"mode":"listed","domains":["a b.test"]}""", "domains[0]")]
    [InlineData("""{"mode":"listed","domains":"a.test"}""", "domains")]
    public async Task A_policy_that_cannot_be_read_is_refused_by_its_field_and_changes_nothing(string policy, string field)
    {
        var id = await platform.CreateAsync(EgressPlatform.Closed());
        var answer = await platform.Api.PutAsync($"sandboxes/{id}/egress", policy);
        Assert.Equal(422, answer.Status);
        Assert.True(answer.Json.GetProperty("details").TryGetProperty(field, out _), answer.Body);
        Assert.Equal("closed", (await platform.Api.GetAsync($"sandboxes/{id}/egress")).Text("mode"));
        var create = await platform.Api.PostAsync("sandboxes", $$"""{"egress":{{policy}}}""");
        Assert.Equal(422, create.Status);
        Assert.True(create.Json.GetProperty("details").TryGetProperty("egress." + field, out _), create.Body);
    }

    [Fact]
    public async Task A_policy_of_too_many_entries_is_refused_and_one_of_the_most_is_taken()
    {
        var id = await platform.CreateAsync();
        string[] Domains(int count) => [.. Enumerable.Range(0, count).Select(n => $"host-{n:D4}.{new string('d', 60)}.test")];
        string[] Cidrs(int count) => [.. Enumerable.Range(0, count).Select(n => $"8.{n / 256}.{n % 256}.0/24")];
        Assert.Equal(422, (await platform.Api.PutAsync($"sandboxes/{id}/egress", EgressPlatform.Listed(Domains(257)).ToJsonString())).Status);
        Assert.Equal(422, (await platform.Api.PutAsync($"sandboxes/{id}/egress", EgressPlatform.Listed(cidrs: Cidrs(257)).ToJsonString())).Status);
        await platform.SetAsync(id, EgressPlatform.Listed(Domains(256), Cidrs(256)));
        Assert.Equal(256, (await platform.Api.GetAsync($"sandboxes/{id}/egress")).Json.GetProperty("domains").GetArrayLength());
    }

    [Fact]
    public async Task The_policy_of_another_tenant_s_sandbox_is_not_found()
    {
        var id = await platform.CreateAsync();
        using var other = await platform.Platform.NewApiAsync();
        (await other.GetAsync($"sandboxes/{id}/egress")).Expect(404);
        (await other.PutAsync($"sandboxes/{id}/egress", """{"mode":"closed"}""")).Expect(404);
        (await other.GetAsync($"sandboxes/{id}/egress/refused")).Expect(404);
        Assert.Equal("open", (await platform.Api.GetAsync($"sandboxes/{id}/egress")).Text("mode"));
    }

    [Fact]
    public async Task A_paused_sandbox_gets_its_policy_and_stays_paused_and_a_destroyed_one_does_not()
    {
        var id = await platform.CreateAsync();
        (await platform.Api.PostAsync($"sandboxes/{id}/pause", "{}")).Expect(200);
        await platform.SetAsync(id, EgressPlatform.Closed());
        Assert.Equal("paused", (await platform.Api.GetAsync($"sandboxes/{id}")).Text("state"));
        (await platform.Api.GetAsync($"sandboxes/{id}/egress/refused")).Expect(200);
        (await platform.Api.PostAsync($"sandboxes/{id}/resume", "{}")).Expect(200);
        Assert.Equal("refused", await platform.ReachAsync(id, PeerNetwork.Public(2)));
        (await platform.Api.DeleteAsync($"sandboxes/{id}")).Expect(200);
        (await platform.Api.PutAsync($"sandboxes/{id}/egress", """{"mode":"open"}""")).Expect(409);
        (await platform.Api.GetAsync($"sandboxes/{id}/egress/refused")).Expect(409);
    }
}
