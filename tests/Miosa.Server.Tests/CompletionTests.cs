using System.Net;
using System.Text;
using System.Text.Json;
using Miosa.Platform;

namespace Miosa.Server.Tests;

/// <summary>Completions that are answered whole.</summary>
public sealed class CompletionTests(ModelServer server) : IClassFixture<ModelServer>
{
    private const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";

    [Fact]
    public async Task A_chat_is_passed_on_unchanged_and_answered_in_the_contract_s_form()
    {
        var answer = (await server.Api.PostAsync(
            "intelligence/chat/completions",
            """{"model":"qwen3:32b","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hällo"}]}],"max_tokens":512,"temperature":0.5,"seed":7,"logit_bias":{"50256":-100},"my_own":{"a":[1,null]},"external_project_id":"p"}"""))
            .Expect(200);
        var choice = answer.Json.GetProperty("choices")[0];
        Assert.Equal(("Hello! How can I assist you today?", "Hello! How can I assist you today?"), (choice.GetProperty("text").GetString(), choice.GetProperty("message").GetProperty("content").GetString()));
        Assert.Equal(("qwen3:32b", "chat.completion", "chatcmpl-B9MBs8"), (answer.Text("model"), answer.Text("object"), answer.Text("id")));
        Assert.Equal(29, answer.Json.GetProperty("usage").GetProperty("total_tokens").GetInt64());
        Assert.Equal("fp_44709d6fcb", answer.Text("system_fingerprint"));
        Assert.False(answer.Json.TryGetProperty("data", out _));

        var asked = server.Provider.Of("main")[^1];
        Assert.Equal(("/main/v1/chat/completions", "Bearer " + ModelServer.StoredKey), (asked.Path, asked.Headers["Authorization"]));
        Assert.Equal(("own-name", false, 7, -100), (asked.Json.GetProperty("model").GetString(), asked.Json.GetProperty("stream").GetBoolean(), asked.Json.GetProperty("seed").GetInt32(),
            asked.Json.GetProperty("logit_bias").GetProperty("50256").GetInt32()));
        Assert.Equal("""{"a":[1,null]}""", asked.Json.GetProperty("my_own").GetRawText());
        Assert.False(asked.Json.TryGetProperty("external_project_id", out _));
        Assert.Equal("Hällo", asked.Json.GetProperty("messages")[1].GetProperty("content")[0].GetProperty("text").GetString());
    }

    [Fact]
    public async Task A_prompt_goes_as_a_message_where_models_take_none_and_as_it_is_where_they_do()
    {
        var chat = (await server.Api.PostAsync("intelligence/completions", """{"model":"qwen3:32b","prompt":"Say this"}""")).Expect(200);
        Assert.Equal(("text_completion", "Hello! How can I assist you today?"), (chat.Text("object"), chat.Json.GetProperty("choices")[0].GetProperty("text").GetString()));
        var asked = server.Provider.Of("main")[^1];
        Assert.EndsWith("/chat/completions", asked.Path, StringComparison.Ordinal);
        Assert.Equal("""[{"role":"user","content":"Say this"}]""", asked.Json.GetProperty("messages").GetRawText());
        Assert.False(asked.Json.TryGetProperty("prompt", out _));

        server.Provider.Says("main", 200, RecordedProvider.TextAnswer);
        try
        {
            var text = (await server.Api.PostAsync("intelligence/completions", """{"model":"org/legacy","prompt":"Say this"}""")).Expect(200);
            Assert.Equal(("org/legacy", "This is indeed a test"), (text.Text("model"), text.Json.GetProperty("choices")[0].GetProperty("text").GetString()));
            Assert.Equal("/main/v1/completions", server.Provider.Of("main")[^1].Path);
        }
        finally
        {
            server.Provider.Says("main", 200, RecordedProvider.Answer);
        }
        (await server.Api.PostAsync("intelligence/completions", """{"model":"qwen3:32b","prompt":["a","b"]}""")).Expect(422);
    }

    [Fact]
    public async Task Ollama_and_Azure_are_reached_at_their_own_paths()
    {
        (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"llama",{{Hello}}}""")).Expect(200);
        Assert.Equal("/v1/chat/completions", server.Provider.Of("v1")[^1].Path);
        Assert.False(server.Provider.Of("v1")[^1].Headers.ContainsKey("Authorization"));
        (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"gpt",{{Hello}}}""")).Expect(200);
        var azure = server.Provider.Of("cloud")[^1];
        Assert.Equal(("/cloud/openai/deployments/my deployment/chat/completions", "?api-version=2024-10-21", ModelServer.StoredKey), (azure.Path, azure.Query, azure.Headers["api-key"]));
    }

    [Fact]
    public async Task A_tenant_pays_with_its_own_key_where_the_provider_says_so()
    {
        var missing = (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"owned",{{Hello}}}""")).Expect(409);
        Assert.Contains("PUT /settings/provider-keys/openai", missing.Text("message"), StringComparison.Ordinal);
        (await server.Api.PutAsync("settings/provider-keys/openai", """{"key":"sk-of-the-tenant"}""")).Expect(200);
        (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"owned",{{Hello}}}""")).Expect(200);
        Assert.Equal("Bearer sk-of-the-tenant", server.Provider.Of("own")[^1].Headers["Authorization"]);
    }

    [Theory]
    [InlineData("""{"messages":[{"role":"user","content":"x"}]}""", 422, "model")]
    [InlineData("""{"model":"qwen3:32b"}""", 422, "messages")]
    [InlineData("""{"model":"qwen3:32b","messages":[]}""", 422, "messages")]
    [InlineData("""{"model":"qwen3:32b","messages":"x"}""", 422, "messages")]
    [InlineData("""{"model":"qwen3:32b","messages":[1]}""", 422, "messages[0]")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"robot","content":"x"}]}""", 422, "messages[0].role")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"content":"x"}]}""", 422, "messages[0].role")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user"}]}""", 422, "messages[0].content")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":5}]}""", 422, "messages[0].content")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"max_tokens":0}""", 422, "max_tokens")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"max_tokens":1000000000}""", 422, "max_tokens")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"temperature":"NaN"}""", 422, "temperature")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"temperature":1e999}""", 422, "temperature")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"temperature":NaN}""", 400, null)]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"top_p":2}""", 422, "top_p")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"n":0}""", 422, "n")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"stream":"yes"}""", 422, "stream")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"user":"a\u0000b"}""", 422, "user")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"x"}],"workspace_id":"nope"}""", 422, "workspace_id")]
    [InlineData("""{"model":"qwen3:32b","messages":[{"role":"user","content":"\ud800"}]}""", 400, null)]
    [InlineData("""{"model":"qwen3:32b","prompt":""}""", 422, "prompt")]
    [InlineData("""{"model":"vectors","messages":[{"role":"user","content":"x"}]}""", 422, "model")]
    [InlineData("""{"model":"miosa-embed-small","messages":[{"role":"user","content":"x"}]}""", 422, "model")]
    [InlineData("""{"model":5,"messages":[{"role":"user","content":"x"}]}""", 422, "model")]
    [InlineData("""[1]""", 422, null)]
    [InlineData("""{"model":""", 400, null)]
    public async Task Faulty_requests_are_refused_by_field_and_reach_no_provider(string body, int status, string? field)
    {
        var before = server.Provider.Of("main").Count;
        foreach (var path in (string[])["intelligence/completions", "intelligence/chat/completions"])
        {
            var refused = (await server.Api.PostAsync(path, body)).Expect(status);
            if (field is not null)
                Assert.Contains(field, refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
        }
        Assert.Equal(before, server.Provider.Of("main").Count);
    }

    [Fact]
    public async Task An_unknown_model_is_404_with_those_there_are()
    {
        var unknown = (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"gpt-9",{{Hello}}}""")).Expect(404);
        Assert.Contains("qwen3:32b", unknown.Text("message"), StringComparison.Ordinal);
        Assert.DoesNotContain("miosa-embed-small", unknown.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_megabytes_are_413_and_bytes_that_are_no_text_400()
    {
        (await server.Api.PostAsync("intelligence/completions", $$"""{"model":"qwen3:32b","prompt":"{{new string('x', 10_000_000)}}"}""")).Expect(413);
        using var content = new ByteArrayContent([.. "{\"model\":\"qwen3:32b\",\"prompt\":\""u8, 0xff, 0xfe, .. "\"}"u8]);
        using var response = await server.Api.Http.PostAsync("intelligence/completions", content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("UTF-8", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_GET_without_a_body_is_405_and_one_with_a_body_streams()
    {
        foreach (var path in (string[])["intelligence/completions", "intelligence/chat/completions"])
        {
            var refused = (await server.Api.GetAsync(path)).Expect(405);
            Assert.Equal("METHOD_NOT_ALLOWED", refused.Code);
            var answered = await server.Api.SendAsync(HttpMethod.Get, path, $$"""{"model":"llama",{{Hello}}}""");
            Assert.Equal("text/event-stream", answered.Expect(200).ContentHeaders.ContentType?.MediaType);
            Assert.EndsWith("data: [DONE]\n\n", answered.Body, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Who_may_not_use_models_is_refused()
    {
        var (_, key) = await server.NewTenantAsync(Scopes.SandboxesRead);
        using var other = new Api(server.Root, key);
        Assert.Equal("insufficient_scope", (await other.PostAsync("intelligence/completions", $$"""{"model":"qwen3:32b",{{Hello}}}""")).Expect(403).Code);
        using var nobody = new Api(server.Root, null);
        (await nobody.GetAsync("intelligence/models")).Expect(401);
        using var openAi = await nobody.Http.GetAsync(server.Root + "/v1/models");
        Assert.Equal("invalid_token", JsonDocument.Parse(await openAi.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_provider_that_has_enough_is_asked_again_when_it_says_so_and_its_wait_is_passed_on_when_it_is_long()
    {
        var count = 0;
        server.Provider.Says("dear", (context, _) => Interlocked.Increment(ref count) == 1
            ? RecordedProvider.WriteAsync(context, 429, """{"error":{"message":"slow down"}}""", ("Retry-After", "1"))
            : RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer));
        (await Ask("dear")).Expect(200);
        Assert.Equal(2, count);
        server.Provider.Says("dear", 429, """{"error":{"message":"slow down"}}""", ("Retry-After", "60"));
        var refused = (await Ask("dear")).Expect(429);
        Assert.Equal((60, "60"), (refused.Json.GetProperty("retry_after").GetInt32(), refused.Headers.GetValues("Retry-After").Single()));
        Assert.Contains("slow down", refused.Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_provider_says_against_the_request_reaches_the_caller()
    {
        server.Provider.Says("dear", 400, RecordedProvider.TooLong);
        var refused = (await Ask("dear")).Expect(422);
        Assert.Contains("maximum context length is 8192", refused.Text("message"), StringComparison.Ordinal);
        Assert.Equal("context_length_exceeded", refused.Json.GetProperty("details").GetProperty("provider_code").GetString());
    }

    [Fact]
    public async Task Failures_before_the_first_byte_are_tried_again_and_then_told_without_the_key()
    {
        var count = 0;
        server.Provider.Says("main", (context, asked) => Interlocked.Increment(ref count) <= 2
            ? RecordedProvider.WriteAsync(context, 500, "{}")
            : RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer));
        try
        {
            (await Ask("qwen3:32b")).Expect(200);
            Assert.Equal(3, count);
            server.Provider.Says("main", 401, $$$"""{"error":{"message":"Incorrect API key provided: {{{ModelServer.StoredKey}}}."}}""");
            var refused = (await Ask("qwen3:32b")).Expect(502);
            Assert.Equal("PROVIDER_FAILED", refused.Code);
            server.Provider.Says("main", 400, $$$"""{"error":{"message":"{{{ModelServer.StoredKey}}} may not\nask this"}}""");
            var echoed = (await Ask("qwen3:32b")).Expect(422);
            Assert.Contains("[key] may not ask this", echoed.Text("message"), StringComparison.Ordinal);
            Assert.DoesNotContain("NeverLeak", refused.Body + echoed.Body, StringComparison.Ordinal);
        }
        finally
        {
            server.Provider.Says("main", 200, RecordedProvider.Answer);
        }
        foreach (var file in Directory.EnumerateFiles(server.Folder, "*", SearchOption.AllDirectories))
        {
            await using var open = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            await open.CopyToAsync(bytes);
            Assert.True(bytes.ToArray().AsSpan().IndexOf("THISmustNeverLeak"u8) < 0, file);
        }
    }

    [Fact]
    public async Task Silence_unreachable_hosts_and_nonsense_are_502_each_with_its_reason()
    {
        server.Provider.Says("hasty", (context, _) => RecordedProvider.GoneAsync(context));
        Assert.Contains("did not answer", (await Ask("hasty")).Expect(502).Text("message"), StringComparison.Ordinal);
        Assert.Contains("cannot be reached", (await Ask("gone")).Expect(502).Text("message"), StringComparison.Ordinal);
        foreach (var nonsense in (string[])["", "<html>", "[]", "{}", """{"choices":5}""", """{"choices":[5]}""", """{"choices":[],"choices":[]}"""])
        {
            server.Provider.Says("hasty", 200, nonsense);
            (await Ask("hasty")).Expect(502);
            // Not left alone after these: the next is good.
            server.Provider.Says("hasty", 200, RecordedProvider.Answer);
            (await Ask("hasty")).Expect(200);
        }
        server.Provider.Says("dear", 404, """{"error":{"message":"The model does not exist"}}""");
        Assert.Contains("own-name", (await Ask("dear")).Expect(502).Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_that_keeps_failing_is_left_alone()
    {
        server.Provider.Says("broken", 500, "{}");
        for (var i = 0; i < 5; i++)
            (await Ask("broken")).Expect(502);
        var asked = server.Provider.Of("broken").Count;
        var refused = (await Ask("broken")).Expect(503);
        Assert.InRange(refused.Json.GetProperty("retry_after").GetInt32(), 1, 15);
        Assert.Equal(asked, server.Provider.Of("broken").Count);
    }

    [Fact]
    public async Task One_runs_one_waits_and_the_third_is_told_that_it_is_full()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("narrow", async (context, _) =>
        {
            entered.TrySetResult();
            await release.Task;
            await RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer);
        });
        var first = Ask("narrow");
        await entered.Task.WaitAsync(TimeSpan.FromSeconds(30));
        // Which of the two waits is theirs to find out; only the other can be answered now.
        var (second, third) = (Ask("narrow"), Ask("narrow"));
        var full = await Task.WhenAny(second, third).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("busy", (await full).Expect(503).Text("message"), StringComparison.Ordinal);
        release.SetResult();
        (await first).Expect(200);
        (await (full == second ? third : second)).Expect(200);
    }

    [Fact]
    public async Task One_tenant_cannot_take_all_turns_and_places_of_a_provider()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("shared", async (context, asked) =>
        {
            if (Encoding.UTF8.GetString(asked.Body).Contains("Hello", StringComparison.Ordinal))
                await release.Task;
            await RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer);
        });
        // Of two turns it has one, of four places two: two of five are refused.
        var calls = Enumerable.Range(0, 5).Select(_ => Ask("shared")).ToList();
        var refused = await Task.WhenAll(await AnyOfAsync(calls, 2));
        Assert.All(refused, one => Assert.Contains("of one tenant 1 and 2", one.Expect(503).Text("message"), StringComparison.Ordinal));
        using var other = new Api(server.Root, (await server.NewTenantAsync()).Key);
        (await other.PostAsync("intelligence/completions", """{"model":"shared","prompt":"x"}""")).Expect(200);
        Assert.Single(server.Provider.Of("shared"), asked => Encoding.UTF8.GetString(asked.Body).Contains("Hello", StringComparison.Ordinal));
        release.SetResult();
        Assert.All(await Task.WhenAll(calls), one => one.Expect(200));
    }

    [Fact]
    public async Task Errors_inside_answers_long_answers_and_tries_of_one_call_do_not_leave_a_provider_alone()
    {
        server.Provider.Says("touchy", 200, """{"error":{"message":"cannot do this"}}""");
        for (var i = 0; i < 6; i++)
            Assert.Contains("cannot do this", (await Ask("touchy")).Expect(502).Text("message"), StringComparison.Ordinal);
        server.Provider.Says("touchy", 500, "{}");
        for (var i = 0; i < 2; i++)
            (await Ask("touchy")).Expect(502);
        server.Provider.Says("touchy", 200, RecordedProvider.Answer);
        (await Ask("touchy")).Expect(200);

        server.Provider.Says("brief", async (context, _) =>
        {
            await RecordedProvider.StreamAsync(context, "{");
            await RecordedProvider.GoneAsync(context);
        });
        for (var i = 0; i < 6; i++)
            Assert.Contains("in time", (await Ask("brief")).Expect(502).Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_others_may_call_again_as_soon_as_an_answer_begins()
    {
        server.Provider.Says("weary", 500, "{}");
        for (var i = 0; i < 5; i++)
            (await Ask("weary")).Expect(502);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("weary", async (context, asked) =>
        {
            if (!asked.Json.GetProperty("stream").GetBoolean())
            {
                await RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer);
                return;
            }
            await RecordedProvider.StreamAsync(context, RecordedProvider.Role);
            await release.Task;
            await RecordedProvider.StreamAsync(context, RecordedProvider.Done);
        });
        HttpResponseMessage? first = null;
        await Miosa.Platform.Platform.UntilAsync("it is tried again", async () =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "intelligence/completions") { Content = new StringContent($$"""{"model":"weary","stream":true,{{Hello}}}""") };
            var response = await server.Api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            if (response.StatusCode == HttpStatusCode.OK)
                first = response;
            else
                response.Dispose();
            return first is not null;
        });
        (await Ask("weary")).Expect(200);
        release.SetResult();
        using (first)
            Assert.EndsWith("data: [DONE]\n\n", await first!.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fails_for_one_tenant_alone_leaves_the_provider_to_the_others()
    {
        server.Provider.Says("dear", (context, asked) => Encoding.UTF8.GetString(asked.Body).Contains("poison", StringComparison.Ordinal)
            ? RecordedProvider.WriteAsync(context, 500, "{}", ("Retry-After", "60"))
            : RecordedProvider.WriteAsync(context, 200, RecordedProvider.Answer));
        using var bad = new Api(server.Root, (await server.NewTenantAsync()).Key);
        for (var i = 0; i < 5; i++)
            (await bad.PostAsync("intelligence/completions", """{"model":"dear","prompt":"poison"}""")).Expect(502);
        (await bad.PostAsync("intelligence/completions", """{"model":"dear","prompt":"poison"}""")).Expect(503);
        (await Ask("dear")).Expect(200);
    }

    [Fact]
    public async Task A_refusal_that_is_no_proper_JSON_is_told_without_its_words()
    {
        server.Provider.Says("dear", 400, """{"error":{"message":"one"},"error":{"message":"two"}}""");
        Assert.DoesNotContain("two", (await Ask("dear")).Expect(422).Text("message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_who_leaves_ends_the_provider_s_work()
    {
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("dear", async (context, _) =>
        {
            came.TrySetResult();
            await RecordedProvider.GoneAsync(context);
            gone.TrySetResult();
        });
        using var leave = new CancellationTokenSource();
        using var content = new StringContent($$"""{"model":"dear",{{Hello}}}""", Encoding.UTF8, "application/json");
        var call = server.Api.Http.PostAsync("intelligence/completions", content, leave.Token);
        await came.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await leave.CancelAsync();
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    /// <summary>The first that are answered; they are taken out of the list.</summary>
    private static async Task<List<Task<Answer>>> AnyOfAsync(List<Task<Answer>> calls, int count)
    {
        var ended = new List<Task<Answer>>();
        while (ended.Count < count)
        {
            var one = await Task.WhenAny(calls).WaitAsync(TimeSpan.FromSeconds(30));
            calls.Remove(one);
            ended.Add(one);
        }
        return ended;
    }

    private Task<Answer> Ask(string model) => server.Api.PostAsync("intelligence/completions", $$"""{"model":"{{model}}",{{Hello}}}""");
}
