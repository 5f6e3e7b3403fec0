using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>What vectors are wanted of.</summary>
public sealed record EmbeddingRequest
{
    /// <summary>Id of the model.</summary>
    public required string Model { get; init; }

    /// <summary>The texts, 1 to 2,048, none of them empty.</summary>
    public required IReadOnlyList<string> Input { get; init; }

    /// <summary>Wanted length of the vectors, where the model has a choice; null for its own.</summary>
    public int? Dimensions { get; init; }

    /// <summary>Your user, also told to the provider; recorded as <see cref="ExternalUserId"/> when that is null.</summary>
    public string? User { get; init; }

    /// <summary>Your user whose usage it is; not told to the provider.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>Your project whose usage it is.</summary>
    public string? ExternalProjectId { get; init; }

    /// <summary>Your workspace whose usage it is.</summary>
    public string? ExternalWorkspaceId { get; init; }

    /// <summary>The platform's workspace whose usage it is, by id or slug.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>More fields, sent to the provider as they are.</summary>
    [JsonIgnore]
    public JsonObject? Extra { get; init; }
}

/// <summary>Vectors.</summary>
public sealed record EmbeddingResult
{
    /// <summary>One vector for each text, in their order.</summary>
    public required IReadOnlyList<IReadOnlyList<float>> Embeddings { get; init; }

    /// <summary>The model, by the name it was asked for.</summary>
    public string? Model { get; init; }

    /// <summary>Tokens; an estimate where the provider does not count.</summary>
    public LlmUsage? Usage { get; init; }
}
