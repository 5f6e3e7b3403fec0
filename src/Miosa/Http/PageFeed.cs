namespace Miosa.Http;

/// <summary>
/// Walks all pages of a list, by its cursor where it has one. Items made meanwhile push others to a later page, so ids already given are left out.
/// </summary>
/// <param name="pipeline">Sends the calls.</param>
/// <param name="call">The call for a page: its number, and the cursor that leads to it or null.</param>
/// <param name="idOf">What tells two items apart.</param>
internal sealed class PageFeed<T>(Pipeline pipeline, Func<int, string?, Call<Page<T>>> call, Func<T, string> idOf) : Feed<T>
    where T : class
{
    public const int PerPage = 100;

    private readonly HashSet<string> given = [];
    private readonly Queue<T> waiting = [];
    private string? cursor;
    private int page;
    private bool isLast;

    public override async ValueTask<T?> NextAsync(bool async, CancellationToken ct)
    {
        while (true)
        {
            while (waiting.TryDequeue(out var item))
            {
                if (given.Add(idOf(item)))
                    return item;
            }
            if (isLast)
                return null;
            var next = await pipeline.SendAsync(call(++page, cursor), async, ct).ConfigureAwait(false);
            cursor = next.NextCursor;
            isLast = next.Data.Count == 0 || !next.HasNext;
            foreach (var item in next.Data)
                waiting.Enqueue(item);
        }
    }

    // Between two pages nothing is open.
    public override void Dispose()
    {
    }
}
