namespace Miosa.Server.Host;

/// <summary>
/// Which part of a list was asked for: a page by number, or what comes behind a cursor. Absent and empty values are the same; without any of
/// them up to 100 items come, so that clients that know no pages see their whole list.
/// </summary>
/// <param name="PerPage">At most this many items.</param>
/// <param name="Cursor">The <c>next_cursor</c> of the page before; the page number does not count then.</param>
internal readonly record struct Paging(int Page, int PerPage, string? Cursor = null)
{
    public const int MaxPerPage = 100;
    private const int DefaultPerPage = 20;

    public int Skip => Cursor is null ? (int)Math.Min(int.MaxValue, (Page - 1L) * PerPage) : 0;

    /// <param name="fields">Gets the complaints.</param>
    /// <param name="perPage">Length of a page when only its number is named.</param>
    /// <param name="maxLimit">Bound of <c>limit</c>, which belongs to cursors; the other spellings go up to 100.</param>
    public static Paging Read(IQueryCollection query, Fields fields, int perPage = DefaultPerPage, int maxLimit = MaxPerPage)
    {
        var page = Number(query, fields, int.MaxValue, "page");
        var length = Number(query, fields, MaxPerPage, "per_page", "page_size") ?? Number(query, fields, maxLimit, "limit");
        return new Paging(page ?? 1, length ?? (page is null ? MaxPerPage : perPage), Text(query, "after", "cursor"));
    }

    public Page<T> Of<T>(IReadOnlyList<T> items, int total, string? nextCursor = null)
    {
        var pages = (total + PerPage - 1) / PerPage;
        return new Page<T>
        {
            Data = items,
            Meta = new PageMeta { Total = total, Page = Page, PerPage = PerPage, TotalPages = pages, HasNext = Cursor is null ? Page < pages : nextCursor is not null },
            Figures = new PageFigures { Page = Page, PageSize = PerPage, Total = total },
            NextCursor = nextCursor,
        };
    }

    /// <summary>The first of the names that has a value.</summary>
    public static string? Text(IQueryCollection query, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (query[name].ToString() is { Length: > 0 } text)
                return text;
        }
        return null;
    }

    private static int? Number(IQueryCollection query, Fields fields, int max, params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (query[name].ToString() is not { Length: > 0 } text)
                continue;
            if (int.TryParse(text, out var number) && number >= 1 && number <= max)
                return number;
            fields.Fail(name, $"must be a whole number from 1 to {max}, got \"{(text.Length <= 80 ? text : text[..80])}\"");
            return null;
        }
        return null;
    }
}
