namespace Miosa.EndToEnd;

public sealed class ModelTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task The_embedding_model_is_there_is_metered_and_nothing_answers_for_a_model_that_is_not(bool async)
    {
        using var client = platform.Client(new MiosaOptions { MaxRetries = 0 });
        var user = "usr/" + Guid.NewGuid().ToString("N")[..8];
        var models = await Twins.CallAsync(async, () => client.Models.List(), () => client.Models.ListAsync());
        Assert.Equal(Embeddings.DefaultModel, Assert.Single(models).Id);
        Assert.Equal("embedding", (await Twins.CallAsync(async, () => client.Models.Get(Embeddings.DefaultModel), () => client.Models.GetAsync(Embeddings.DefaultModel))).Type);

        string[] texts = ["the doctor treated the patient", "a physician cured a sick person", "the car needs a new engine"];
        var result = await Twins.CallAsync(async, () => client.Embeddings.Create(Embeddings.DefaultModel, texts, user), () => client.Embeddings.CreateAsync(Embeddings.DefaultModel, texts, user));
        Assert.Equal((3, 96), (result.Embeddings.Count, result.Embeddings[0].Count));
        Assert.True(Cosine(result.Embeddings[0], result.Embeddings[1]) > Cosine(result.Embeddings[0], result.Embeddings[2]) + 0.2);
        var row = Assert.Single((await Twins.CallAsync(async, () => client.Usage.Get(externalUserId: user), () => client.Usage.GetAsync(externalUserId: user))).Results);
        Assert.Equal((user, result.Usage?.TotalTokens), (row.Key, row.AiTokens));

        CompletionMessage[] messages = [CompletionMessage.User("Hello")];
        var none = await Assert.ThrowsAsync<ServerException>(() => Twins.CallAsync(async, () => client.Completions.Create("qwen3:32b", messages), () => client.Completions.CreateAsync("qwen3:32b", messages)));
        Assert.Contains("--models", none.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ServerException>(() => Twins.AllAsync(async, () => client.Completions.Stream("qwen3:32b", messages), () => client.Completions.StreamAsync("qwen3:32b", messages)));
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => client.Embeddings.Create("nomic-embed-text", "x"), () => client.Embeddings.CreateAsync("nomic-embed-text", "x")));
    }

    private static double Cosine(IReadOnlyList<float> a, IReadOnlyList<float> b) => a.Zip(b).Sum(pair => (double)pair.First * pair.Second);
}
