using Microsoft.Extensions.AI;

namespace Miosa;

/// <summary>Vectors of a model; batches larger than one call takes are sent in several.</summary>
internal sealed class MiosaEmbeddingGenerator(MiosaClient client, string model) : IEmbeddingGenerator<string, Embedding<float>>
{
    private const int MostAtOnce = 2048;

    private readonly EmbeddingGeneratorMetadata metadata = new("miosa", providerUri: null, defaultModelId: model);

    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        var generated = new GeneratedEmbeddings<Embedding<float>> { Usage = new UsageDetails { InputTokenCount = 0, TotalTokenCount = 0 } };
        foreach (var batch in values.Chunk(MostAtOnce))
        {
            var request = new EmbeddingRequest
            {
                Model = options?.ModelId ?? model,
                Input = batch,
                Dimensions = options?.Dimensions,
                Extra = AdditionalFields.Of(options?.AdditionalProperties),
            };
            var result = await client.Embeddings.CreateAsync(request, cancellationToken).ConfigureAwait(false);
            generated.AddRange(result.Embeddings.Select(vector => new Embedding<float>(vector as float[] ?? [.. vector]) { ModelId = result.Model }));
            generated.Usage.InputTokenCount += result.Usage?.PromptTokens ?? 0;
            generated.Usage.TotalTokenCount += result.Usage?.TotalTokens ?? 0;
        }
        return generated;
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        if (serviceType == typeof(EmbeddingGeneratorMetadata))
            return metadata;
        return serviceType == typeof(MiosaClient) ? client : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
        // The client is the caller's.
    }
}
