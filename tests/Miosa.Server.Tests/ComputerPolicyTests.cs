using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.NetworkPolicies;

namespace Miosa.Server.Tests;

/// <summary>The network policy of computers: rules that are enforced, or refused with what to write instead.</summary>
public sealed class ComputerPolicyTests(OneComputer computer) : IClassFixture<OneComputer>
{
    private Api Api => computer.Api;

    private Task<Answer> PutAsync(string json) => Api.PutAsync($"computers/{computer.Id}/network-policy", json);

    [Fact]
    public async Task Without_a_policy_everything_public_is_allowed_and_a_reset_is_that()
    {
        (await Api.DeleteAsync($"computers/{computer.Id}/network-policy")).Expect(200);
        var told = (await computer.GetAsync("network-policy")).Expect(200);
        foreach (var one in (JsonElement[])[told.Json, told.Json.GetProperty("data")])
            Assert.Equal((computer.Id, 0, "allow"), (one.GetProperty("computer_id").GetString(), one.GetProperty("rules").GetArrayLength(), one.GetProperty("default_effect").GetString()));
        Assert.True((await Api.DeleteAsync($"computers/{computer.Id}/network-policy")).Expect(200).Json.GetProperty("success").GetBoolean());
        await computer.AuditedAsync("computer.network_policy.reset");
    }

    [Fact]
    public async Task Rules_are_told_again_in_both_vocabularies_and_survive_a_stop()
    {
        var id = await Api.NewComputerAsync();
        var put = (await Api.PutAsync($"computers/{id}/network-policy", """
            {"rules":[{"effect":"deny","destination":"169.254.169.254/32"},{"action":"allow","host":"*.example.org","port":"*","direction":"egress"},{"effect":"allow","destination":"203.0.113.0/24","ports":null,"protocol":"any"}],"default_effect":"deny"}
            """)).Expect(200);
        Check(put.Json);
        Check(put.Json.GetProperty("data"));
        (await Api.PostAsync($"computers/{id}/stop")).Expect(200);
        Check((await Api.GetAsync($"computers/{id}/network-policy")).Expect(200).Json);
        // Set while it is stopped, it holds from the next start.
        (await Api.PutAsync($"computers/{id}/network-policy", """{"rules":[],"default_effect":"deny"}""")).Expect(200);
        (await Api.PostAsync($"computers/{id}/start")).Expect(200);
        await Api.UntilStatusAsync(id, "running");
        Assert.Equal("deny", (await Api.GetAsync($"computers/{id}/network-policy")).Expect(200).Text("default_effect"));

        static void Check(JsonElement policy)
        {
            Assert.Equal("deny", policy.GetProperty("default_effect").GetString());
            Assert.Equal(["deny 169.254.169.254/32", "allow *.example.org", "allow 203.0.113.0/24"], policy.GetProperty("rules").EnumerateArray().Select(rule =>
            {
                Assert.Equal((rule.GetProperty("effect").GetString(), rule.GetProperty("destination").GetString(), "egress"), (rule.GetProperty("action").GetString(), rule.GetProperty("host").GetString(), rule.GetProperty("direction").GetString()));
                return rule.GetProperty("effect").GetString() + " " + rule.GetProperty("destination").GetString();
            }));
        }
    }

    [Theory]
    [InlineData("""{"rules":[],"default_effect":"deny"}""", "closed")]
    [InlineData("""{"rules":[],"default_effect":"allow"}""", "open")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"any"},{"effect":"allow","destination":"example.org"}]}""", "closed")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"example.org"},{"effect":"deny","destination":"*"}]}""", "listed")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"*"}],"default_effect":"deny"}""", "open")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"10.0.0.0/8"}]}""", "open")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"evil.example"},{"effect":"allow","destination":"example.org"}],"default_effect":"deny"}""", "listed")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"203.0.113.0/24"},{"effect":"deny","destination":"evil.example"}],"default_effect":"deny"}""", "listed")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"169.254.169.254/32"},{"effect":"allow","destination":"example.org"}],"default_effect":"deny"}""", "listed")]
    public void A_policy_becomes_what_the_runtime_enforces(string policy, string mode)
    {
        var (egress, refusal) = NetworkPolicy.Read(new Fields((JsonObject)JsonNode.Parse(policy)!));
        Assert.Null(refusal);
        Assert.Equal(mode, egress is null ? "open" : JsonNode.Parse(egress)!["mode"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_closed_computer_reaches_nobody_from_the_moment_of_the_answer()
    {
        (await PutAsync("""{"rules":[{"effect":"allow","destination":"198.51.100.0/24"}],"default_effect":"deny"}""")).Expect(200);
        await computer.RunAsync("timeout 5 bash -c 'exec 3<>/dev/tcp/203.0.113.1/80' 2>/dev/null; true");
        await Miosa.Platform.Platform.UntilAsync("the runtime has refused it", async () =>
            (await computer.Platform.AskRuntimeAsync(new JsonObject { ["op"] = "egress_log", ["machine"] = computer.Id })).GetProperty("refused").EnumerateArray()
                .Any(one => one.GetProperty("target").GetString() == "203.0.113.1"));
        (await Api.DeleteAsync($"computers/{computer.Id}/network-policy")).Expect(200);
    }

    [Theory]
    [InlineData("{}", "rules")]
    [InlineData("""{"rules":{}}""", "rules")]
    [InlineData("""{"rules":[7]}""", "rules[0]")]
    [InlineData("""{"rules":[],"default_effect":"maybe"}""", "default_effect")]
    [InlineData("""{"rules":[{"destination":"any"}]}""", "rules[0].effect")]
    [InlineData("""{"rules":[{"effect":"allow"}]}""", "rules[0].destination")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"not a host"}]}""", "rules[0].destination")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"example.org","ports":"80"}],"default_effect":"deny"}""", "rules[0].ports")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"example.org","port":443}],"default_effect":"deny"}""", "rules[0].ports")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"example.org","protocol":"tcp"}],"default_effect":"deny"}""", "rules[0].protocol")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"any","direction":"ingress"}]}""", "rules[0].direction")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"example.org"}]}""", "rules[0]")]
    [InlineData("""{"rules":[{"effect":"allow","destination":"10.0.0.0/8"}],"default_effect":"deny"}""", "rules[0]")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"203.0.113.7"},{"effect":"allow","destination":"203.0.113.0/24"}],"default_effect":"deny"}""", "rules[0]")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"evil.example"},{"effect":"allow","destination":"203.0.113.0/24"}],"default_effect":"deny"}""", "rules[0]")]
    [InlineData("""{"rules":[{"effect":"deny","destination":"203.0.113.0/24"},{"effect":"allow","destination":"*.example.org"}],"default_effect":"deny"}""", "rules[0]")]
    public async Task What_cannot_be_enforced_is_refused_by_name(string policy, string field)
    {
        var refused = (await PutAsync(policy)).Expect(422);
        Assert.True(refused.Json.GetProperty("details").TryGetProperty(field, out _), refused.Body);
    }
}
