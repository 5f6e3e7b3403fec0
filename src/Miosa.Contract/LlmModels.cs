namespace Miosa;

/// <summary>A language model that can be used.</summary>
public sealed record LlmModel
{
    /// <summary>Its id: the name to ask for it by. It may have slashes and colons.</summary>
    public required string Id { get; init; }

    /// <summary>Always <c>model</c>.</summary>
    public string Object { get; init; } = "model";

    /// <summary>Since when it is here, in seconds since 1970.</summary>
    public long Created { get; init; }

    /// <summary>Its provider.</summary>
    public required string OwnedBy { get; init; }

    /// <summary><c>chat</c> or <c>embedding</c>.</summary>
    public string? Type { get; init; }

    /// <summary>Its context in tokens; null when nobody told.</summary>
    public int? ContextLength { get; init; }
}

/// <summary>The language models of a server.</summary>
public sealed record LlmModelList
{
    /// <summary>Always <c>list</c>.</summary>
    public string Object { get; init; } = "list";

    /// <summary>The models; never null.</summary>
    public required IReadOnlyList<LlmModel> Data { get; init; }

    /// <summary>Always false: the list is whole.</summary>
    public bool HasMore { get; init; }
}
