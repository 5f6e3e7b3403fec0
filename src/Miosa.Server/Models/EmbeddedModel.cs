namespace Miosa.Server.Models;

/// <summary>The embedding model that lies in this assembly; read when it is first needed.</summary>
internal sealed class EmbeddedModel
{
    private const string Resource = "miosa-embed-small.bin";

    private readonly Lazy<WordVectors> vectors = new(Load);

    public WordVectors Vectors => vectors.Value;

    private static WordVectors Load()
    {
        using var stream = typeof(EmbeddedModel).Assembly.GetManifestResourceStream(Resource) ?? throw new InvalidOperationException("the embedding model is not embedded");
        var file = new byte[stream.Length];
        stream.ReadExactly(file);
        return WordVectors.Load(file);
    }
}
