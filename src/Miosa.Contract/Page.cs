namespace Miosa;

/// <summary>One page of a list, newest first.</summary>
/// <typeparam name="T">The item.</typeparam>
public sealed record Page<T>
{
    /// <summary>The items; empty beyond the last page, never null.</summary>
    public required IReadOnlyList<T> Data { get; init; }

    /// <summary>Paging figures.</summary>
    public PageMeta? Meta { get; init; }

    /// <summary>Matching items over all pages.</summary>
    public int Total => Meta?.Total ?? Data.Count;

    /// <summary>True when a later page exists.</summary>
    public bool HasNext => Meta is { HasNext: true } || NextCursor is not null;

    /// <summary>Where the next page begins, for lists that can be read on from there; null on the last page and for lists that cannot.</summary>
    public string? NextCursor { get; init; }

    /// <summary>The same figures under the names of the public REST pages, which some clients read.</summary>
    [System.Text.Json.Serialization.JsonPropertyName("page")]
    [System.ComponentModel.EditorBrowsable(System.ComponentModel.EditorBrowsableState.Never)]
    public PageFigures? Figures { get; init; }
}

/// <summary>Paging figures of a list.</summary>
public sealed record PageMeta
{
    /// <summary>Matching items over all pages.</summary>
    public int Total { get; init; }

    /// <summary>Page number, from 1.</summary>
    public int Page { get; init; }

    /// <summary>Page length used, 1 to 100.</summary>
    public int PerPage { get; init; }

    /// <summary>Number of pages.</summary>
    public int TotalPages { get; init; }

    /// <summary>True when a later page exists.</summary>
    public bool HasNext { get; init; }
}

/// <summary>Paging figures under the names of the public REST pages.</summary>
public sealed record PageFigures
{
    /// <summary>Page number, from 1.</summary>
    public int Page { get; init; }

    /// <summary>Page length used.</summary>
    public int PageSize { get; init; }

    /// <summary>Matching items over all pages.</summary>
    public int Total { get; init; }
}
