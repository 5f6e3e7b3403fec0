using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Miosa.Server.Models;

/// <summary>Vectors on the wire: OpenAI's list, and the plain matrix beside it.</summary>
internal static class EmbeddingAnswer
{
    /// <summary>Of all vectors of an answer together: a batch of 2048 in 3900 dimensions.</summary>
    public const int MaxNumbers = 8_000_000;

    private const int MaxDimensions = 100_000;
    private const int FirstBuffer = 64 * 1024;

    public static ReadOnlyMemory<byte> Write(string model, IReadOnlyList<float[]> vectors, bool isBase64, long tokens)
    {
        var buffer = new ArrayBufferWriter<byte>(FirstBuffer);
        using var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        writer.WriteString("object"u8, "list"u8);
        writer.WriteStartArray("data"u8);
        for (var at = 0; at < vectors.Count; at++)
        {
            writer.WriteStartObject();
            writer.WriteString("object"u8, "embedding"u8);
            writer.WriteNumber("index"u8, at);
            writer.WritePropertyName("embedding"u8);
            if (isBase64)
                writer.WriteBase64StringValue(MemoryMarshal.AsBytes(vectors[at].AsSpan()));
            else
                WriteNumbers(writer, vectors[at]);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartArray("embeddings"u8);
        foreach (var vector in vectors)
            WriteNumbers(writer, vector);
        writer.WriteEndArray();
        writer.WriteString("model"u8, model);
        writer.WriteStartObject("usage"u8);
        writer.WriteNumber("prompt_tokens"u8, tokens);
        writer.WriteNumber("total_tokens"u8, tokens);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    /// <summary>The vectors of a provider's answer in the order of the inputs, and the tokens it counted.</summary>
    /// <exception cref="JsonException">It is not what was asked for.</exception>
    /// <exception cref="OverflowException">They have more than <see cref="MaxNumbers"/> numbers.</exception>
    public static (float[][] Vectors, long? Tokens) Read(ReadOnlyMemory<byte> json, int count)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Array || data.GetArrayLength() != count)
            throw new JsonException($"not a list of {count} vectors");
        var vectors = new float[count][];
        var (next, numbers) = (0, 0);
        foreach (var item in data.EnumerateArray())
        {
            var at = item.ValueKind == JsonValueKind.Object && item.TryGetProperty("index", out var index) && index.TryGetInt32(out var told) ? told : next;
            next++;
            if (at < 0 || at >= count || vectors[at] is not null)
                throw new JsonException("an index twice or out of bounds");
            // Looked at before there is room made for it.
            var embedding = NumbersOf(item);
            numbers += embedding.GetArrayLength();
            if (numbers > MaxNumbers)
                throw new OverflowException($"more than {MaxNumbers} numbers");
            vectors[at] = Vector(embedding);
        }
        if (vectors.Any(vector => vector.Length != vectors[0].Length))
            throw new JsonException("vectors of several lengths");
        return (vectors, TokensOf(root));
    }

    private static JsonElement NumbersOf(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("embedding", out var embedding) || embedding.ValueKind != JsonValueKind.Array
            || embedding.GetArrayLength() is 0 or > MaxDimensions)
            throw new JsonException("an item without a vector");
        return embedding;
    }

    private static float[] Vector(JsonElement embedding)
    {
        var vector = new float[embedding.GetArrayLength()];
        var at = 0;
        foreach (var number in embedding.EnumerateArray())
        {
            vector[at++] = number.ValueKind == JsonValueKind.Number && number.TryGetSingle(out var value) && float.IsFinite(value)
                ? value
                : throw new JsonException("a vector with something else than numbers");
        }
        return vector;
    }

    private static long? TokensOf(JsonElement root) =>
        root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty("prompt_tokens", out var tokens)
        && tokens.ValueKind == JsonValueKind.Number && tokens.TryGetInt64(out var number)
            ? Math.Clamp(number, 0, 100_000_000)
            : null;

    private static void WriteNumbers(Utf8JsonWriter writer, float[] vector)
    {
        writer.WriteStartArray();
        foreach (var value in vector)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }
}
