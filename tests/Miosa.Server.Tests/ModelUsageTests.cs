using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Miosa.Platform;
using Miosa.Server.Credits;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Tests;

/// <summary>What models cost: counted, attributed, charged, and refused when nothing is left.</summary>
public sealed class ModelUsageTests(ModelServer server) : IClassFixture<ModelServer>
{
    [Fact]
    public async Task Tokens_are_attributed_and_charged_to_the_last_millionth_of_a_cent()
    {
        var (_, key) = await server.NewTenantAsync();
        using var api = new Api(server.Root, key);
        server.Provider.Says("dear", 200, RecordedProvider.Answer);
        // 19 tokens in and 10 out, at one cent and two for a thousand.
        (await api.PostAsync("intelligence/completions", """{"model":"dear","messages":[{"role":"user","content":"x"}],"user":"alice","external_project_id":"p1"}""")).Expect(200);
        server.Provider.Streams("dear", RecordedProvider.Good);
        (await api.PostAsync("intelligence/completions", """{"model":"dear","messages":[{"role":"user","content":"x"}],"user":"in-the-body","external_user_id":"bob","stream":true}""")).Expect(200);
        (await api.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":["two words","three more words"]}""")).Expect(200);

        Answer usage = await api.GetAsync("usage");
        await Miosa.Platform.Platform.UntilAsync("all calls are counted", async () =>
        {
            usage = (await api.GetAsync("usage")).Expect(200);
            return usage.Json.GetProperty("results").GetArrayLength() == 3;
        });
        var rows = usage.Json.GetProperty("results").EnumerateArray().ToDictionary(row => row.GetProperty("external_user_id").GetString() ?? "", row => row.GetProperty("exact"));
        Assert.Equal((19L, 10L, 39_000L), Figures(rows["alice"]));
        Assert.Equal((9L, 4L, 17_000L), Figures(rows["bob"]));
        Assert.Equal((5L, 0L, 2L), Figures(rows[""]));
        Assert.Equal(29, usage.Json.GetProperty("results").EnumerateArray().Single(row => row.GetProperty("external_user_id").GetString() == "alice").GetProperty("ai_tokens").GetInt64());
        var projects = (await api.GetAsync("usage?group_by=external_project_id&external_user_id=alice")).Expect(200).Json.GetProperty("results");
        Assert.Equal(("p1", 29L), (projects[0].GetProperty("external_project_id").GetString(), projects[0].GetProperty("ai_tokens").GetInt64()));

        var summary = (await api.GetAsync("usage/summary")).Expect(200);
        Assert.Equal((47L, 56_002L), (summary.Json.GetProperty("ai_tokens").GetInt64(), summary.Json.GetProperty("exact").GetProperty("cost_micro_cents").GetInt64()));
        var entries = new List<JsonElement>();
        await Miosa.Platform.Platform.UntilAsync("all of it is charged", async () =>
        {
            entries = [.. (await api.GetAsync("credits/transactions")).Expect(200).Json.GetProperty("data").EnumerateArray()];
            return entries.Sum(entry => entry.GetProperty("amount_micro_cents").GetInt64()) == -56_002;
        });
        Assert.All(entries, entry => Assert.Equal("debit", entry.GetProperty("type").GetString()));
        Assert.Contains(entries, entry => entry.GetProperty("description").GetString() == "language models");
        var credits = (await api.GetAsync("usage/credits")).Expect(200).Json;
        Assert.Equal(credits.GetProperty("total_credits").GetInt64(), credits.GetProperty("ai_credits").GetInt64() + credits.GetProperty("compute_credits").GetInt64() + credits.GetProperty("storage_credits").GetInt64());
        // Its own cost belongs to nobody else.
        using var other = new Api(server.Root, (await server.NewTenantAsync()).Key);
        Assert.Empty((await other.GetAsync("usage")).Expect(200).Json.GetProperty("results").EnumerateArray());
    }

    [Fact]
    public async Task What_was_used_before_the_caller_left_or_the_provider_died_is_charged_as_an_estimate()
    {
        var (_, key) = await server.NewTenantAsync();
        using var api = new Api(server.Root, key);
        server.Provider.Streams("dear", RecordedProvider.Role, RecordedProvider.Chunk("Hello there"));
        (await api.PostAsync("intelligence/completions", """{"model":"dear","messages":[{"role":"user","content":"How do you do?"}],"stream":true}""")).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("it is counted", async () => (await api.GetAsync("usage/summary")).Expect(200).Json.GetProperty("ai_tokens").GetInt64() > 0);
        var exact = (await api.GetAsync("usage/summary")).Json.GetProperty("exact");
        Assert.Equal((4L, 3L), (exact.GetProperty("tokens_in").GetInt64(), exact.GetProperty("tokens_out").GetInt64()));
        // One that never began costs nothing.
        server.Provider.Says("dear", 400, RecordedProvider.TooLong);
        (await api.PostAsync("intelligence/completions", """{"model":"dear","messages":[{"role":"user","content":"x"}]}""")).Expect(422);
        Assert.Equal(7, (await api.GetAsync("usage/summary")).Json.GetProperty("ai_tokens").GetInt64());
    }

    [Fact]
    public async Task Thoughts_are_counted_where_the_provider_does_not_count()
    {
        using var api = new Api(server.Root, (await server.NewTenantAsync()).Key);
        server.Provider.Streams(
            "dear",
            RecordedProvider.Role,
            """data: {"choices":[{"index":0,"delta":{"reasoning":"Let me th"}}]}""" + "\n\n",
            """data: {"choices":[{"index":0,"delta":{"reasoning_content":"ink","reasoning":"ink"}}]}""" + "\n\n",
            RecordedProvider.Done);
        (await api.PostAsync("intelligence/completions", """{"model":"dear","messages":[{"role":"user","content":"How do you do?"}],"stream":true}""")).Expect(200);
        Assert.Equal((4L, 3L), await UsedAsync(api));
    }

    [Theory]
    [InlineData("completions", """{"model":"dear","messages":[{"role":"user","content":"How do you do?"}]}""", 4)]
    [InlineData("completions", """{"model":"dear","messages":[{"role":"user","content":"How do you do?"}],"stream":true}""", 4)]
    [InlineData("embeddings", """{"model":"vectors","input":["How do you do?"]}""", 4)]
    [InlineData("embeddings", """{"model":"vectors","input":[[1,2,3],[4,5]]}""", 5)]
    public async Task A_caller_who_leaves_before_the_answer_pays_for_what_the_provider_was_sent(string operation, string body, long tokens)
    {
        using var api = new Api(server.Root, (await server.NewTenantAsync()).Key);
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var name in (string[])["dear", "main"])
        {
            server.Provider.Says(name, (context, _) =>
            {
                came.TrySetResult();
                return RecordedProvider.GoneAsync(context);
            });
        }
        using var leave = new CancellationTokenSource();
        using var content = new StringContent(body);
        var call = api.Http.PostAsync("intelligence/" + operation, content, leave.Token);
        await came.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal((tokens, 0L), await UsedAsync(api));
    }

    [Fact]
    public async Task A_call_that_the_end_of_the_server_cuts_is_written_down_before_it_ends()
    {
        await using var provider = await RecordedProvider.StartAsync();
        await using var ending = new ModelServer();
        await ending.StartAsync($$$$"""{"providers":[{"name":"a","kind":"openai","url":"{{{{provider.Url}}}}/a","models":{"m":{"type":"embedding"}}}]}""", new ServerSettings());
        using var api = new Api(ending.Root, (await ending.NewTenantAsync()).Key);
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        provider.Says("a", (context, _) =>
        {
            came.TrySetResult();
            return RecordedProvider.GoneAsync(context);
        });
        var call = api.PostAsync("intelligence/embeddings", """{"model":"m","input":"How do you do?"}""");
        await came.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await ending.StopAsync();
        (await call).Expect(503);
        var rows = ending.Services.GetRequiredService<Database>().ReadRows(transaction => transaction.Rows("SELECT TokensIn, IsEstimated FROM model_usage", row => (row.GetInt64(0), row.GetBoolean(1))).ToList());
        Assert.Equal([(4L, true)], rows);
    }

    [Fact]
    public async Task A_cap_holds_at_once_and_what_was_spent_after_two_seconds()
    {
        using var api = new Api(server.Root, (await server.NewTenantAsync()).Key);
        const string Call = """{"model":"dear","messages":[{"role":"user","content":"x"}],"user":"gina"}""";
        (await api.PutAsync("quotas/external/gina", """{"max_credit_cents":100}""")).Expect(200);
        server.Provider.Says("dear", 200, """{"choices":[{"index":0,"message":{"content":"x"}}],"usage":{"prompt_tokens":1000000,"completion_tokens":0}}""");
        (await api.PostAsync("intelligence/completions", Call)).Expect(200);
        await Miosa.Platform.Platform.UntilAsync("the cap is reached", async () => (await api.PostAsync("intelligence/completions", Call)).Status == 402, TimeSpan.FromSeconds(5));
        (await api.PutAsync("quotas/external/gina", """{"max_credit_cents":100000000}""")).Expect(200);
        (await api.PostAsync("intelligence/completions", Call)).Expect(200);
        (await api.PutAsync("quotas/external/gina", """{"max_credit_cents":0}""")).Expect(200);
        (await api.PostAsync("intelligence/completions", Call)).Expect(402);
    }

    [Fact]
    public async Task A_key_that_acts_for_one_user_pays_for_that_user_alone()
    {
        var token = (await server.Api.PostAsync("api-keys/scoped", """{"external_user_id":"carol","scopes":["intelligence:use"]}""")).Expect(201).Text("token");
        using var carol = new Api(server.Root, token);
        (await carol.GetAsync("intelligence/models")).Expect(200);
        (await carol.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"x","external_user_id":"dave"}""")).Expect(422);
        (await carol.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"x","user":"dave"}""")).Expect(200);
        var rows = (await server.Api.GetAsync("usage?external_user_id=carol")).Expect(200).Json.GetProperty("results");
        Assert.Equal(1, rows[0].GetProperty("ai_tokens").GetInt64());
        Assert.Empty((await server.Api.GetAsync("usage?external_user_id=dave")).Expect(200).Json.GetProperty("results").EnumerateArray());
    }

    [Fact]
    public async Task Without_credits_or_at_a_user_s_cap_nothing_is_answered()
    {
        await using var prepaid = new ModelServer();
        await prepaid.StartAsync(providers: null, new ServerSettings { CreditRule = CreditRules.Prepaid });
        using var poor = new Api(prepaid.Root, (await prepaid.NewTenantAsync()).Key);
        Assert.Equal("INSUFFICIENT_CREDITS", (await poor.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"x"}""")).Expect(402).Code);
        using var openAi = await poor.Http.PostAsync(prepaid.Root + "/v1/embeddings", new StringContent("""{"model":"miosa-embed-small","input":"x"}"""));
        Assert.Equal(402, (int)openAi.StatusCode);

        (await server.Api.PutAsync("quotas/external/eve", """{"max_credit_cents":0}""")).Expect(200);
        Assert.Equal("INSUFFICIENT_CREDITS", (await server.Api.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"x","user":"eve"}""")).Expect(402).Code);
        (await server.Api.PostAsync("intelligence/embeddings", """{"model":"miosa-embed-small","input":"x","user":"frank"}""")).Expect(200);
    }

    /// <summary>The tokens of the tenant, once there are some.</summary>
    private static async Task<(long In, long Out)> UsedAsync(Api api)
    {
        var exact = default(JsonElement);
        await Miosa.Platform.Platform.UntilAsync("it is counted", async () =>
        {
            exact = (await api.GetAsync("usage/summary")).Expect(200).Json.GetProperty("exact");
            return exact.GetProperty("tokens_in").GetInt64() + exact.GetProperty("tokens_out").GetInt64() > 0;
        });
        return (exact.GetProperty("tokens_in").GetInt64(), exact.GetProperty("tokens_out").GetInt64());
    }

    private static (long In, long Out, long Cost) Figures(JsonElement exact) =>
        (exact.GetProperty("tokens_in").GetInt64(), exact.GetProperty("tokens_out").GetInt64(), exact.GetProperty("cost_micro_cents").GetInt64());
}
