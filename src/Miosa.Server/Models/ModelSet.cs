using Miosa.Server.Host;
using Miosa.Server.Metering;

namespace Miosa.Server.Models;

/// <summary>What a name leads to: a model of a provider, or the embedded one, which has none.</summary>
internal sealed record ModelRoute(ModelConfig Model, Provider? Provider)
{
    /// <summary>Millionths of a cent for a thousand tokens.</summary>
    public required long RateIn { get; init; }

    /// <inheritdoc cref="RateIn"/>
    public required long RateOut { get; init; }
}

/// <summary>All models by name. A name leads to one model and no other ever answers under it.</summary>
internal sealed class ModelSet : IDisposable
{
    /// <summary>Ours, in this process.</summary>
    public const string Embedded = "miosa-embed-small";

    private const string Ours = "miosa";

    /// <summary>When the model that lies in the server was made: 2026-11-30.</summary>
    private const long EmbeddedCreated = 1_795_996_800;

    private readonly Dictionary<string, ModelRoute> routes = new(StringComparer.Ordinal);
    private readonly List<LlmModel> told = [];

    public ModelSet(IReadOnlyList<ProviderConfig> configs, Prices prices, ProviderSecrets secrets, ModelMetrics metrics, TimeProvider time, ILogger<Provider> log)
    {
        var started = time.GetUtcNow().ToUnixTimeSeconds();
        foreach (var config in configs)
        {
            var provider = new Provider(config, secrets, metrics, time, log);
            Providers.Add(provider);
            foreach (var model in config.Models)
                Add(model, provider, started);
        }
        Add(new ModelConfig { Name = Embedded, Provider = Ours, Upstream = Embedded, Type = ModelConfig.Embedding, TakesPrompts = false }, provider: null, EmbeddedCreated);

        void Add(ModelConfig model, Provider? provider, long created)
        {
            var isEmbedding = model.Type == ModelConfig.Embedding;
            routes.Add(model.Name, new ModelRoute(model, provider)
            {
                RateIn = model.TokenIn ?? (isEmbedding ? prices.TokenEmbedding : prices.TokenIn),
                RateOut = model.TokenOut ?? (isEmbedding ? 0 : prices.TokenOut),
            });
            told.Add(new LlmModel { Id = model.Name, Created = created, OwnedBy = model.Provider, Type = model.Type, ContextLength = model.ContextLength });
        }
    }

    public List<Provider> Providers { get; } = [];

    public IReadOnlyList<LlmModel> All => told;

    public LlmModel? Find(string name) => told.Find(model => model.Id == name);

    /// <summary>The model for a use; unknown names are told what there is, and that nothing is configured is told as that.</summary>
    public (ModelRoute? Route, Refusal? Refusal) Route(string name, string type)
    {
        if (type == ModelConfig.Chat && Providers.Count == 0)
        {
            return (null, new Refusal(
                ErrorCodes.Unavailable,
                "no provider of language models is configured: the server's operator names one in the file of --models (default: models.json in the data folder), such as "
                    + """{"providers":[{"name":"local","kind":"ollama","url":"http://127.0.0.1:11434","models":{"qwen3:32b":"qwen3:32b"}}]}"""
                    + ", and starts the server anew; docs/models.md tells of ollama, openai, azure and llama.cpp"));
        }
        if (!routes.TryGetValue(name, out var route))
            return (null, Refusal.NotFound($"model \"{Shown(name)}\"") with { Message = $"model \"{Shown(name)}\" not found; for {Use(type)} there are: {Names(type)}" });
        if (route.Model.Type != type)
            return (null, Refusal.Invalid("model", $"\"{name}\" is not a model for {Use(type)}; there are: {Names(type)}"));
        return (route, null);
    }

    public void Dispose()
    {
        foreach (var provider in Providers)
            provider.Dispose();
    }

    private string Names(string type) => told.Where(model => model.Type == type).Select(model => model.Id).ToList() is { Count: > 0 } names ? string.Join(", ", names) : "none";

    private static string Use(string type) => type == ModelConfig.Chat ? "completions" : "embeddings";

    private static string Shown(string name) => name.Length <= 80 ? name : name[..80] + "…";
}
