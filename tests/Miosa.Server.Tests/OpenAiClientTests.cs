using System.ClientModel;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace Miosa.Server.Tests;

/// <summary>The official OpenAI client, unchanged, against both addresses it may be given.</summary>
public sealed class OpenAiClientTests(ModelServer server) : IClassFixture<ModelServer>
{
    public static TheoryData<string> Addresses => ["/v1", "/api/v1/intelligence"];

    [Theory]
    [MemberData(nameof(Addresses))]
    public async Task It_chats_streams_embeds_and_lists(string address)
    {
        server.Provider.Says("main", 200, RecordedProvider.Answer);
        var client = Client(address);
        var chat = client.GetChatClient("qwen3:32b");
        ChatCompletion completion = await chat.CompleteChatAsync(new SystemChatMessage("Be brief."), new UserChatMessage("Hello"));
        Assert.Equal(("Hello! How can I assist you today?", "qwen3:32b", 29, ChatFinishReason.Stop), (completion.Content[0].Text, completion.Model, completion.Usage.TotalTokenCount, completion.FinishReason));

        server.Provider.Streams("main", RecordedProvider.Good);
        var text = "";
        ChatTokenUsage? usage = null;
        await foreach (var update in chat.CompleteChatStreamingAsync(new UserChatMessage("Hello")))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            usage = update.Usage ?? usage;
        }
        Assert.Equal(("Hello, world", 13), (text, usage?.TotalTokenCount));

        OpenAIEmbeddingCollection vectors = await client.GetEmbeddingClient("miosa-embed-small").GenerateEmbeddingsAsync(["a fast animal", "the quick fox"]);
        Assert.Equal((2, 96), (vectors.Count, vectors[0].ToFloats().Length));
        var models = (await client.GetOpenAIModelClient().GetModelsAsync()).Value;
        Assert.Contains("qwen3:32b", models.Select(model => model.Id));
        Assert.Equal("org/legacy", (await client.GetOpenAIModelClient().GetModelAsync("org/legacy")).Value.Id);
    }

    [Fact]
    public async Task It_reads_errors()
    {
        var client = Client("/v1");
        var unknown = await Assert.ThrowsAsync<ClientResultException>(() => client.GetChatClient("nope").CompleteChatAsync(new UserChatMessage("x")));
        Assert.Equal(404, unknown.Status);
        Assert.Contains("qwen3:32b", unknown.Message, StringComparison.Ordinal);
        server.Provider.Says("dear", 400, RecordedProvider.TooLong);
        var tooLong = await Assert.ThrowsAsync<ClientResultException>(() => client.GetChatClient("dear").CompleteChatAsync(new UserChatMessage("x")));
        Assert.Equal(422, tooLong.Status);
        Assert.Contains("context_length_exceeded", tooLong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leaving_its_stream_ends_the_provider_s_work()
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Provider.Says("dear", async (context, _) =>
        {
            await RecordedProvider.StreamAsync(context, RecordedProvider.Role, RecordedProvider.Chunk("Hel"));
            await RecordedProvider.GoneAsync(context);
            gone.TrySetResult();
        });
        await foreach (var update in Client("/v1").GetChatClient("dear").CompleteChatStreamingAsync(new UserChatMessage("Hello")))
        {
            if (update.ContentUpdate.Count > 0 && update.ContentUpdate[0].Text == "Hel")
                break;
        }
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private OpenAIClient Client(string address) => new(new ApiKeyCredential(server.Key), new OpenAIClientOptions { Endpoint = new Uri(server.Root + address) });
}
