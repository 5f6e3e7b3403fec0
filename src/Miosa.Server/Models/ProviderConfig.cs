using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>What a provider speaks; all of them are sent OpenAI's JSON, at different paths and with different headers.</summary>
internal enum ProviderKind
{
    Ollama,
    OpenAi,
    Azure,

    /// <summary>A running <c>llama-server</c> of llama.cpp.</summary>
    LlamaCpp,
}

/// <summary>Where the key of a provider comes from.</summary>
internal enum KeySource
{
    /// <summary>It takes none.</summary>
    None,

    /// <summary>Stored by <c>miosa-server models set-key</c>, encrypted, one for all tenants.</summary>
    Stored,

    /// <summary>Each tenant's own (<c>PUT /settings/provider-keys/NAME</c>), encrypted.</summary>
    Tenant,
}

/// <summary>A model as users name it, and what it is at its provider.</summary>
internal sealed record ModelConfig
{
    public const string Chat = "chat";
    public const string Embedding = "embedding";

    public required string Name { get; init; }
    public required string Provider { get; init; }

    /// <summary>The provider's own name of it; for Azure the deployment.</summary>
    public required string Upstream { get; init; }
    public required string Type { get; init; }
    public int? ContextLength { get; init; }

    /// <summary>Whether a prompt without messages goes to the provider's text completions; else it is sent as one message of a user.</summary>
    public required bool TakesPrompts { get; init; }

    /// <summary>Millionths of a cent for a thousand tokens; null for those of <c>--prices</c>.</summary>
    public long? TokenIn { get; init; }

    /// <inheritdoc cref="TokenIn"/>
    public long? TokenOut { get; init; }
}

/// <summary>One provider of the file of <c>--models</c> (docs/models.md).</summary>
internal sealed partial record ProviderConfig
{
    private const int MaxFile = 1024 * 1024;
    private const int MaxProviders = 100;
    private const int MaxModels = 1000;
    private const int MaxPrice = 1_000_000_000;

    private static readonly string[] Known =
        ["name", "kind", "url", "key", "models", "timeout_sec", "total_sec", "concurrency", "queue", "per_tenant", "retries", "api_version"];

    private static readonly string[] KnownOfModel = ["upstream", "type", "context_length", "prompts", "token_in", "token_out"];

    public required string Name { get; init; }
    public required ProviderKind Kind { get; init; }
    public required Uri Url { get; init; }
    public KeySource Key { get; init; }

    /// <summary>With <see cref="KeySource.Tenant"/>: under which name tenants store theirs.</summary>
    public string KeyName { get; init; } = "";
    public required IReadOnlyList<ModelConfig> Models { get; init; }

    /// <summary>The longest silence: to the head of the answer, and between two pieces of it.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>The longest answer.</summary>
    public TimeSpan Total { get; init; } = TimeSpan.FromSeconds(1800);
    public int Concurrency { get; init; } = 8;
    public int Queue { get; init; } = 64;

    /// <summary>The most calls of one tenant at once; null for all but one, which stays free for others. Of the places of those that wait it has the same part, by default half.</summary>
    public int? PerTenant { get; init; }
    public int Retries { get; init; } = 2;
    public string ApiVersion { get; init; } = "2024-10-21";

    public TurnLimits Turns => new(
        Concurrency,
        Queue,
        PerTenant ?? Math.Max(1, Concurrency - 1),
        PerTenant is { } ofOne ? (int)Math.Ceiling((double)Queue * ofOne / Concurrency) : (Queue + 1) / 2);

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ProviderName();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}\z")]
    private static partial Regex ModelName();

    /// <summary>The providers of a file; of none when there is no file at the place where it is looked for by itself.</summary>
    public static IReadOnlyList<ProviderConfig> Read(ServerSettings settings)
    {
        var path = settings.Models ?? Path.Combine(settings.DataDir, "models.json");
        if (settings.Models is null && !File.Exists(path))
            return [];
        try
        {
            return new FileInfo(path).Length <= MaxFile ? Parse(File.ReadAllBytes(path)) : throw new FormatException($"is larger than {MaxFile} bytes");
        }
        catch (Exception e) when (e is FormatException or JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"--models: \"{path}\": {e.Message}");
        }
    }

    public static IReadOnlyList<ProviderConfig> Parse(ReadOnlySpan<byte> json)
    {
        var options = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false };
        if (JsonNode.Parse(json, documentOptions: options) is not JsonObject file)
            throw new FormatException("must be a JSON object");
        if (file.FirstOrDefault(field => field.Key != "providers").Key is { } unknown)
            throw new FormatException($"unknown \"{unknown}\": it has \"providers\" alone");
        var providers = file["providers"] is JsonArray list ? list.Select((node, at) => Of(node, $"providers[{at}]")).ToList() : throw new FormatException("\"providers\" must be a list");
        if (providers.Count > MaxProviders)
            throw new FormatException($"more than {MaxProviders} providers");
        Unique(providers.Select(provider => provider.Name), "provider");
        Unique(providers.SelectMany(provider => provider.Models).Select(model => model.Name).Append(ModelSet.Embedded), "model");
        return providers;
    }

    private static ProviderConfig Of(JsonNode? node, string where)
    {
        if (node is not JsonObject entry)
            throw new FormatException($"{where} must be an object");
        Only(entry, Known, where);
        var fields = new Fields(entry);
        var name = fields.Text("name", 64, ProviderName(), "must be 1 to 64 lower-case letters, digits, dots, hyphens and underscores");
        var kind = fields.Text("kind") switch
        {
            "ollama" => ProviderKind.Ollama,
            "openai" => ProviderKind.OpenAi,
            "azure" => ProviderKind.Azure,
            "llama.cpp" => ProviderKind.LlamaCpp,
            var other => Fault<ProviderKind>(fields, "kind", $"must be one of ollama, openai, azure, llama.cpp; got \"{other}\""),
        };
        var url = fields.Text("url", 2000);
        var address = Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0 && uri.Query.Length == 0
            ? uri
            : Fault<Uri>(fields, "url", "must be an http or https address without a key in it, such as http://127.0.0.1:11434");
        var (source, keyName) = fields.Text("key") switch
        {
            null or "none" => (KeySource.None, ""),
            "stored" => (KeySource.Stored, ""),
            { } key when key.StartsWith("tenant:", StringComparison.Ordinal) && ProviderName().IsMatch(key["tenant:".Length..]) => (KeySource.Tenant, key["tenant:".Length..]),
            // The value is not shown: somebody may have written the key itself there.
            _ => Fault<(KeySource, string)>(fields, "key", "must be \"none\", \"stored\" (miosa-server models set-key) or \"tenant:NAME\"; the key itself has no place in this file"),
        };
        var models = ModelsOf(fields, name ?? "", kind, where);
        var silence = fields.Number("timeout_sec", 0.1, 3600);
        var total = fields.Number("total_sec", 0.1, 86_400);
        var read = new ProviderConfig { Name = name ?? "", Kind = kind, Url = address, Key = source, KeyName = keyName, Models = models };
        var concurrency = fields.Int("concurrency", 1, 10_000) ?? read.Concurrency;
        read = read with
        {
            Silence = silence is { } s ? TimeSpan.FromSeconds(s) : read.Silence,
            Total = total is { } t ? TimeSpan.FromSeconds(t) : read.Total,
            Concurrency = concurrency,
            Queue = fields.Int("queue", 0, 100_000) ?? read.Queue,
            PerTenant = fields.Int("per_tenant", 1, concurrency),
            Retries = fields.Int("retries", 0, 10) ?? read.Retries,
            ApiVersion = fields.Text("api_version", 40) ?? read.ApiVersion,
        };
        if (name is null)
            fields.Fail("name", "is missing");
        return fields.Errors() is { } faults ? throw new FormatException($"{where}: {faults.Message}") : read;
    }

    private static List<ModelConfig> ModelsOf(Fields fields, string provider, ProviderKind kind, string where)
    {
        var models = new List<ModelConfig>();
        foreach (var (name, node) in fields.Object("models") ?? [])
        {
            if (!ModelName().IsMatch(name))
                throw new FormatException($"{where}: models has \"{(name.Length <= 80 ? name : name[..80])}\", which is not a name of a model");
            // In short: the provider's name of it alone.
            var entry = node as JsonObject ?? new JsonObject { ["upstream"] = node?.DeepClone() };
            Only(entry, KnownOfModel, $"{where}.models.{name}");
            var model = new Fields(entry);
            models.Add(new ModelConfig
            {
                Name = name,
                Provider = provider,
                Upstream = model.Text("upstream", 200) ?? name,
                Type = model.Text("type") switch
                {
                    null or ModelConfig.Chat => ModelConfig.Chat,
                    ModelConfig.Embedding => ModelConfig.Embedding,
                    _ => Fault<string>(model, "type", "must be chat or embedding"),
                },
                ContextLength = model.Int("context_length", 1, 100_000_000),
                TakesPrompts = model.Bool("prompts") ?? kind is ProviderKind.Ollama or ProviderKind.LlamaCpp,
                TokenIn = model.Int("token_in", 0, MaxPrice),
                TokenOut = model.Int("token_out", 0, MaxPrice),
            });
            if (model.Errors() is { } faults)
                throw new FormatException($"{where}.models.{name}: {faults.Message}");
        }
        if (models.Count is 0 or > MaxModels)
            fields.Fail("models", $"must name 1 to {MaxModels} models, such as {{\"qwen3:32b\": \"qwen3:32b\"}}");
        return models;
    }

    private static void Only(JsonObject entry, string[] known, string where)
    {
        if (entry.FirstOrDefault(field => !known.Contains(field.Key)).Key is { } unknown)
            throw new FormatException($"{where} has an unknown \"{unknown}\"; there are {string.Join(", ", known)}");
    }

    private static void Unique(IEnumerable<string> names, string what)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (!seen.Add(name))
                throw new FormatException($"two have the {what} \"{name}\": a name means one thing");
        }
    }

    private static T Fault<T>(Fields fields, string name, string message)
    {
        fields.Fail(name, message);
        // Never used: the complaint ends the reading.
        return default!;
    }
}
