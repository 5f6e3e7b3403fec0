using Miosa.Platform;
using Miosa.Server.Host;
using Miosa.Server.Models;

namespace Miosa.Server.Tests;

/// <summary>The list of models, and what a server says that has none.</summary>
public sealed class ModelTests(ModelServer server) : IClassFixture<ModelServer>
{
    [Fact]
    public async Task All_models_are_listed_found_by_their_names_and_narrowed()
    {
        var list = (await server.Api.GetAsync("intelligence/models")).Expect(200);
        Assert.Equal("list", list.Text("object"));
        Assert.Contains("miosa-embed-small", Ids(list));
        Assert.Contains("org/legacy", Ids(list));
        Assert.Equal(["miosa-embed-small", "vectors"], Ids(await server.Api.GetAsync("intelligence/models?type=embedding")).Order());
        Assert.Equal(["llama"], Ids(await server.Api.GetAsync("intelligence/models?provider=local&status=any")));

        foreach (var path in (string[])["intelligence/models/org/legacy", "intelligence/models/org%2Flegacy"])
        {
            var one = (await server.Api.GetAsync(path)).Expect(200);
            Assert.Equal(("org/legacy", "main", "org/legacy"), (one.Text("id"), one.Text("owned_by"), one.Json.GetProperty("data").GetProperty("id").GetString()));
        }
        Assert.Equal(32768, (await server.Api.GetAsync("intelligence/models/qwen3%3A32b")).Expect(200).Json.GetProperty("context_length").GetInt32());
        var unknown = (await server.Api.GetAsync("intelligence/models/nope")).Expect(404);
        Assert.Contains("miosa-embed-small", unknown.Text("message"), StringComparison.Ordinal);
        Assert.Equal(Ids(list), Ids(await server.Api.GetAsync("settings/available-models")));
    }

    [Fact]
    public async Task Without_a_provider_the_embedding_model_is_there_and_completions_say_what_to_configure()
    {
        await using var alone = new ModelServer();
        await alone.StartAsync(providers: null, new ServerSettings());
        var (_, key) = await alone.NewTenantAsync();
        using var api = new Api(alone.Root, key);
        Assert.Equal(["miosa-embed-small"], Ids(await api.GetAsync("intelligence/models")));
        foreach (var path in (string[])["intelligence/completions", "intelligence/chat/completions"])
        {
            var refused = (await api.PostAsync(path, """{"model":"gpt","messages":[{"role":"user","content":"hi"}]}""")).Expect(503);
            Assert.Contains("--models", refused.Text("message"), StringComparison.Ordinal);
            Assert.Contains("ollama", refused.Text("message"), StringComparison.Ordinal);
        }
        (await api.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"a fast animal"}""")).Expect(200);
    }

    [Theory]
    [InlineData("""[]""", "object")]
    [InlineData("""{"provider":[]}""", "provider")]
    [InlineData("""{"providers":[{"name":"a","kind":"gpt","url":"http://x","models":{"m":"m"}}]}""", "kind")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"ftp://x","models":{"m":"m"}}]}""", "url")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://user:pw@x","models":{"m":"m"}}]}""", "url")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{}}]}""", "models")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":"m"},"timeout":3}]}""", "timeout")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":"m"},"concurrency":0}]}""", "concurrency")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":"m"},"concurrency":2,"per_tenant":3}]}""", "per_tenant")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":{"type":"image"}}}]}""", "type")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"miosa-embed-small":"m"}}]}""", "miosa-embed-small")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":"m"}},{"name":"b","kind":"openai","url":"http://x","models":{"m":"m"}}]}""", "\"m\"")]
    [InlineData("""{"providers":[{"name":"a","kind":"openai","url":"http://x","key":"sk-THIS","models":{"m":"m"}}]}""", "key")]
    public void A_faulty_file_is_refused_by_what_is_wrong_with_it_and_never_shows_a_key(string json, string says)
    {
        var fault = Assert.Throws<FormatException>(() => ProviderConfig.Parse(System.Text.Encoding.UTF8.GetBytes(json)));
        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-THIS", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_provider_is_left_alone_after_five_failures_and_one_call_tries_it_again()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var breaker = new Breaker(time);
        for (var i = 0; i < Breaker.FailuresInARow; i++)
        {
            Assert.Null(breaker.Enter("a"));
            breaker.Ended("a", isGood: false);
        }
        Assert.Equal(Breaker.LeftAlone, breaker.Enter("a"));
        time.Advance(Breaker.LeftAlone);
        Assert.Null(breaker.Enter("a"));
        Assert.NotNull(breaker.Enter("a"));
        breaker.Ended("a", isGood: false);
        Assert.Equal(Breaker.LeftAlone, breaker.Enter("a"));
        time.Advance(Breaker.LeftAlone);
        Assert.Null(breaker.Enter("a"));
        breaker.Ended("a", isGood: null);
        Assert.Null(breaker.Enter("a"));
        // Its answer begins: the others need not wait for its end, and the next failure closes the door again.
        breaker.Answers();
        Assert.Null(breaker.Enter("a"));
        Assert.Null(breaker.Enter("a"));
        breaker.Ended("a", isGood: false);
        Assert.Equal(Breaker.LeftAlone, breaker.Enter("a"));
        time.Advance(Breaker.LeftAlone);
        Assert.Null(breaker.Enter("a"));
        breaker.Ended("a", isGood: true);
        Assert.Null(breaker.Enter("a"));
        Assert.Null(breaker.Enter("a"));
    }

    [Fact]
    public void Failures_of_one_tenant_leave_a_provider_alone_for_it_and_those_of_several_for_all()
    {
        var breaker = new Breaker(new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        for (var i = 0; i < 10; i++)
            breaker.Ended("a", isGood: false);
        Assert.NotNull(breaker.Wait("a"));
        Assert.Null(breaker.Wait("b"));
        breaker.Ended("b", isGood: false);
        Assert.Null(breaker.Wait("c"));
        breaker.Ended("b", isGood: false);
        Assert.NotNull(breaker.Wait("c"));
    }

    [Theory]
    [InlineData("", 7, 32)]
    [InlineData(",\"concurrency\":1,\"queue\":1", 1, 1)]
    [InlineData(",\"concurrency\":4,\"queue\":10,\"per_tenant\":4", 4, 10)]
    [InlineData(",\"concurrency\":4,\"queue\":10,\"per_tenant\":1", 1, 3)]
    public void One_turn_of_a_provider_stays_free_for_others_unless_the_file_says_otherwise(string more, int running, int waiting)
    {
        var turns = ProviderConfig.Parse(System.Text.Encoding.UTF8.GetBytes($$$"""{"providers":[{"name":"a","kind":"openai","url":"http://x","models":{"m":"m"}{{{more}}}}]}"""))[0].Turns;
        Assert.Equal((running, waiting), (turns.OfOne, turns.WaitingOfOne));
    }

    private static List<string> Ids(Answer list) => [.. list.Expect(200).Json.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString() ?? "")];
}
