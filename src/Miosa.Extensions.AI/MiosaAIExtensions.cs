using Microsoft.Extensions.AI;

namespace Miosa;

/// <summary>The models of a client in the forms of Microsoft.Extensions.AI.</summary>
public static class MiosaAIExtensions
{
    /// <summary>A chat model. The client stays the caller's: disposing of the result does nothing.</summary>
    /// <param name="client">The client.</param>
    /// <param name="model">Id of the model; null when every call names one in its options.</param>
    /// <returns>The chat client.</returns>
    public static IChatClient AsChatClient(this MiosaClient client, string? model = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return new MiosaChatClient(client, model);
    }

    /// <summary>An embedding model. The client stays the caller's: disposing of the result does nothing.</summary>
    /// <param name="client">The client.</param>
    /// <param name="model">Id of the model; default <see cref="Embeddings.DefaultModel"/>, which every server has.</param>
    /// <returns>The generator.</returns>
    public static IEmbeddingGenerator<string, Embedding<float>> AsEmbeddingGenerator(this MiosaClient client, string model = Embeddings.DefaultModel)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentException.ThrowIfNullOrEmpty(model);
        return new MiosaEmbeddingGenerator(client, model);
    }
}
