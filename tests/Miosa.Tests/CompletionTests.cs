using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Miosa.Tests;

/// <summary>Streams of completions that end early, and the models as Microsoft.Extensions.AI sees them.</summary>
public sealed class CompletionTests
{
    private const string First = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}],\"delta\":\"Hel\"}\n\n";

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_failure_in_the_middle_is_an_exception_after_the_pieces_before_it(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenEvents(First, "data: {\"error\":{\"message\":\"the provider \\\"x\\\" broke off\",\"code\":\"PROVIDER_FAILED\"},\"code\":\"PROVIDER_FAILED\",\"request_id\":\"req_1\"}\n\n", "data: [DONE]\n\n");
        using var client = server.Client();
        var (failure, pieces) = await BrokenAsync(client, async);
        Assert.Equal(("PROVIDER_FAILED", "req_1", "Hel"), (failure.Code, failure.RequestId, pieces));
        Assert.Contains("broke off", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_stream_without_its_end_is_a_lost_connection_and_is_not_sent_again(bool async)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.ThenEvents(First);
        using var client = server.Client();
        var (failure, pieces) = await BrokenAsync(client, async);
        Assert.IsType<ConnectionException>(failure);
        Assert.Equal(("Hel", 1), (pieces, server.Seen.Count));
    }

    [Fact]
    public async Task A_request_of_nothing_is_refused_before_it_is_sent()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var client = server.Client();
        await Assert.ThrowsAsync<ArgumentException>(() => client.Completions.CreateAsync(new CompletionRequest { Model = "m" }));
        await Assert.ThrowsAsync<ArgumentException>(() => client.Completions.CreateAsync("", [CompletionMessage.User("x")]));
        Assert.Empty(server.Seen);
    }

    [Fact]
    public async Task As_a_chat_client_it_sends_tools_and_options_and_reads_calls_and_usage()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(200, """{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bonn\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}""");
        using var client = server.Client();
        var chat = client.AsChatClient("m");
        var tool = AIFunctionFactory.Create((string city) => "rain in " + city, "weather", "Tells the weather.");
        var answer = await chat.GetResponseAsync(
            [new(ChatRole.System, "s"), new(ChatRole.User, "hi")],
            new ChatOptions { Tools = [tool], MaxOutputTokens = 9, Seed = 7, StopSequences = ["x"], AdditionalProperties = new() { ["keep_alive"] = "5m" } });
        var call = Assert.IsType<FunctionCallContent>(Assert.Single(answer.Messages[0].Contents));
        Assert.Equal(("call_1", "weather", "Bonn"), (call.CallId, call.Name, call.Arguments?["city"]?.ToString()));
        Assert.Equal((ChatFinishReason.ToolCalls, 7L), (answer.FinishReason, answer.Usage?.TotalTokenCount));
        var sent = JsonDocument.Parse(server.Seen[0].Text).RootElement;
        Assert.Equal((9, 7, "5m", "weather"), (sent.GetProperty("max_tokens").GetInt32(), sent.GetProperty("seed").GetInt32(), sent.GetProperty("keep_alive").GetString(),
            sent.GetProperty("tools")[0].GetProperty("function").GetProperty("name").GetString()));

        server.ThenEvents(
            First, "data: {\"id\":\"c\",\"object\":\"x\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_2\",\"function\":{\"name\":\"weather\",\"arguments\":\"{\\\"ci\"}}]}}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"x\",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"ty\\\":\\\"Ulm\\\"}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"x\",\"created\":1,\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n", "data: [DONE]\n\n");
        var results = new ChatMessage(ChatRole.Tool, [new FunctionResultContent("call_1", "rain in Bonn")]);
        var streamed = await chat.GetStreamingResponseAsync([.. answer.Messages, results]).ToChatResponseAsync();
        Assert.Equal(("Hel", "Ulm", 3L), (streamed.Text, streamed.Messages[0].Contents.OfType<FunctionCallContent>().Single().Arguments?["city"]?.ToString(), streamed.Usage?.TotalTokenCount));
        var messages = JsonDocument.Parse(server.Seen[1].Text).RootElement.GetProperty("messages");
        Assert.Equal(("call_1", "tool", "call_1"), (messages[0].GetProperty("tool_calls")[0].GetProperty("id").GetString(), messages[1].GetProperty("role").GetString(), messages[1].GetProperty("tool_call_id").GetString()));
    }

    [Fact]
    public async Task As_an_embedding_generator_it_keeps_the_order_and_adds_up_the_usage()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.Then(200, """{"object":"list","data":[],"embeddings":[[1,0],[0,1]],"model":"miosa-embed-small","usage":{"prompt_tokens":4,"total_tokens":4}}""");
        using var client = server.Client();
        var generator = client.AsEmbeddingGenerator();
        var vectors = await generator.GenerateAsync(["a", "b"]);
        Assert.Equal((2, 1f, 4L), (vectors.Count, vectors[1].Vector.Span[1], vectors.Usage?.InputTokenCount));
        Assert.Equal("""{"model":"miosa-embed-small","input":["a","b"]}""", server.Seen[0].Text);
        Assert.Equal("miosa-embed-small", generator.GetService<EmbeddingGeneratorMetadata>()?.DefaultModelId);
    }

    private static async Task<(MiosaException Failure, string Pieces)> BrokenAsync(MiosaClient client, bool async)
    {
        var pieces = "";
        CompletionMessage[] messages = [CompletionMessage.User("x")];
        var failure = await Assert.ThrowsAnyAsync<MiosaException>(() => Twins.CallAsync(
            async,
            () =>
            {
                foreach (var chunk in client.Completions.Stream("m", messages))
                    pieces += chunk.Delta;
            },
            async () =>
            {
                await foreach (var chunk in client.Completions.StreamAsync("m", messages))
                    pieces += chunk.Delta;
            }));
        return (failure, pieces);
    }
}
