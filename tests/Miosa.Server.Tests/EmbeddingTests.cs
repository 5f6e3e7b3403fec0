using System.Runtime.InteropServices;
using System.Text.Json;
using Miosa.EmbedTrainer;
using Miosa.Platform;
using Miosa.Server.Models;

namespace Miosa.Server.Tests;

/// <summary>Vectors of texts: of the model in the server, and of a provider's.</summary>
public sealed class EmbeddingTests(ModelServer server) : IClassFixture<ModelServer>
{
    private const string Path = "intelligence/embeddings";

    [Fact]
    public async Task One_text_or_many_become_vectors_of_length_one()
    {
        var one = (await server.Api.PostAsync(Path, """{"model":"miosa-embed-small","input":"The quick brown fox"}""")).Expect(200);
        Assert.Equal(("list", "miosa-embed-small"), (one.Text("object"), one.Text("model")));
        var vector = Matrix(one)[0];
        Assert.Equal(96, vector.Length);
        Assert.Equal(1, vector.Sum(v => (double)v * v), 4);
        Assert.Equal((4, 4), (one.Json.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), one.Json.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
        Assert.Equal(vector, one.Json.GetProperty("data")[0].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle()).ToArray());

        var many = (await server.Api.PostAsync(Path, """{"model":"miosa-embed-small","input":["The quick brown fox","!!!","猫が好き","x\ty"],"encoding_format":"base64"}""")).Expect(200);
        Assert.Equal(vector, Matrix(many)[0]);
        Assert.All(Matrix(many), v => Assert.Equal(1, v.Sum(x => (double)x * x), 4));
        var item = many.Json.GetProperty("data")[0];
        Assert.Equal(0, item.GetProperty("index").GetInt32());
        Assert.Equal(vector, MemoryMarshal.Cast<byte, float>(item.GetProperty("embedding").GetBytesFromBase64()).ToArray());
    }

    [Fact]
    public void The_model_orders_judged_pairs_as_it_is_said_to()
    {
        var vectors = new EmbeddedModel().Vectors;
        var quality = Quality.Of(vectors, Quality.Read(System.IO.Path.Combine(AppContext.BaseDirectory, "similarity.tsv")));
        // docs/models.md publishes what was measured; a model trained anew may not fall below these.
        Assert.True(quality.Spearman >= 0.85, quality.ToString());
        Assert.True(quality.Separation >= 0.99, quality.ToString());
        Assert.True(quality.MeanNear >= 0.45, quality.ToString());
        Assert.True(quality.MeanFar <= 0.05, quality.ToString());
    }

    [Fact]
    public void A_model_file_is_the_same_after_it_was_written_and_a_damaged_one_is_refused()
    {
        var vocabulary = new WordVocabulary(["cat", "dog"], new Dictionary<string, int> { ["mice"] = 1 }, 3);
        var table = Enumerable.Range(0, 5 * 40).Select(i => MathF.Sin(i)).ToArray();
        var file = WordVectors.Save(vocabulary, 40, table);
        var model = WordVectors.Load(file);
        Assert.Equal(model.Embed("dog").Vector, model.Embed("DOGS").Vector);
        Assert.Equal(model.Embed("dog").Vector, model.Embed("mice").Vector);
        Assert.Equal(1, Quality.Cosine(model, "cat", "cat"), 5);
        // In eight bits it points where it did in thirty-two.
        var exact = table[..40];
        var dot = exact.Zip(model.Embed("cat").Vector).Sum(p => (double)p.First * p.Second) / Math.Sqrt(exact.Sum(x => (double)x * x));
        Assert.InRange(dot, 0.999, 1.001);
        for (var length = 0; length < file.Length; length += 13)
            Assert.Throws<InvalidDataException>(() => WordVectors.Load(file.AsSpan(0, length)));
        Assert.Throws<InvalidDataException>(() => WordVectors.Load([.. file, 0]));
        var huge = (byte[])file.Clone();
        huge.AsSpan(8, 16).Fill(0xff);
        Assert.Throws<InvalidDataException>(() => WordVectors.Load(huge));
    }

    [Theory]
    [InlineData("""{"input":"x"}""", "model")]
    [InlineData("""{"model":"miosa-embed-small"}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":""}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":[]}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":["a",""]}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":["a",1]}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":[1,2,3]}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":{"a":1}}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":"\ud800"}""", "input")]
    [InlineData("""{"model":"miosa-embed-small","input":"x","encoding_format":"hex"}""", "encoding_format")]
    [InlineData("""{"model":"miosa-embed-small","input":"x","dimensions":768}""", "dimensions")]
    [InlineData("""{"model":"qwen3:32b","input":"x"}""", "model")]
    public async Task Faulty_requests_are_refused_by_field(string body, string field)
    {
        var refused = (await server.Api.PostAsync(Path, body)).Expect(422);
        Assert.Contains(field, refused.Json.GetProperty("details").EnumerateObject().Select(d => d.Name));
    }

    [Fact]
    public async Task Too_much_is_refused_and_an_unknown_model_is_never_answered_by_another()
    {
        var batch = JsonSerializer.Serialize(Enumerable.Repeat("x", 10_000));
        Assert.Contains("2048", (await server.Api.PostAsync(Path, $$"""{"model":"miosa-embed-small","input":{{batch}}}""")).Expect(422).Text("message"), StringComparison.Ordinal);
        (await server.Api.PostAsync(Path, $$"""{"model":"miosa-embed-small","input":"{{new string('x', 10_000_000)}}"}""")).Expect(413);
        Assert.Contains("miosa-embed-small", (await server.Api.PostAsync(Path, """{"model":"nomic-embed-text","input":"x"}""")).Expect(404).Text("message"), StringComparison.Ordinal);
        using var content = new ByteArrayContent([.. "{\"model\":\"miosa-embed-small\",\"input\":\""u8, 0xc3, .. "\"}"u8]);
        using var response = await server.Api.Http.PostAsync(Path, content);
        Assert.Equal(400, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_provider_s_vectors_come_in_the_order_of_the_inputs_and_in_numbers()
    {
        server.Provider.Says("main", 200, """{"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5,-1]},{"object":"embedding","index":0,"embedding":[1,2.25]}],"model":"vec","usage":{"prompt_tokens":8,"total_tokens":8}}""");
        var answer = (await server.Api.PostAsync(Path, """{"model":"vectors","input":["a","b"],"encoding_format":"base64","dimensions":2,"own":true}""")).Expect(200);
        Assert.Equal([[1f, 2.25f], [0.5f, -1f]], Matrix(answer));
        Assert.Equal("vectors", answer.Text("model"));
        var asked = server.Provider.Of("main")[^1];
        Assert.Equal(("/main/v1/embeddings", "vec", "float", 2, true), (asked.Path, asked.Json.GetProperty("model").GetString(), asked.Json.GetProperty("encoding_format").GetString(),
            asked.Json.GetProperty("dimensions").GetInt32(), asked.Json.GetProperty("own").GetBoolean()));
        (await server.Api.PostAsync(Path, """{"model":"vectors","input":[[1,2],[3]]}""")).Expect(200);
        foreach (var nonsense in (string[])[
            """{"data":[]}""", """{"data":[{"embedding":[1]},{"embedding":[1,2]}]}""", """{"data":[{"embedding":["x"]},{"embedding":[1]}]}""",
            """{"data":[{"embedding":[1],"index":1},{"embedding":[1],"index":1}]}""", """[]""", """{"data":[{"embedding":[1e999]},{"embedding":[1]}]}"""])
        {
            server.Provider.Says("main", 200, nonsense);
            (await server.Api.PostAsync(Path, """{"model":"vectors","input":["a","b"]}""")).Expect(502);
            server.Provider.Says("main", 200, """{"data":[{"embedding":[1]}]}""");
            (await server.Api.PostAsync(Path, """{"model":"vectors","input":"a"}""")).Expect(200);
        }
    }

    [Fact]
    public async Task An_answer_with_more_numbers_than_we_take_is_refused()
    {
        var vector = "{\"embedding\":[" + string.Join(',', Enumerable.Repeat("0", 100_000)) + "]}";
        server.Provider.Says("main", 200, $$"""{"data":[{{string.Join(',', Enumerable.Repeat(vector, 81))}}]}""");
        var input = JsonSerializer.Serialize(Enumerable.Repeat("x", 81));
        Assert.Contains("8000000 numbers", (await server.Api.PostAsync(Path, $$"""{"model":"vectors","input":{{input}}}""")).Expect(502).Text("message"), StringComparison.Ordinal);
    }

    private static float[][] Matrix(Answer answer) =>
        [.. answer.Json.GetProperty("embeddings").EnumerateArray().Select(vector => vector.EnumerateArray().Select(v => v.GetSingle()).ToArray())];
}
