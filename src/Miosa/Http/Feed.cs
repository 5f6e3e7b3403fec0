using System.Runtime.CompilerServices;

namespace Miosa.Http;

/// <summary>A sequence whose next item takes a call or a wait. Written once; enumerated by blocking or by awaiting.</summary>
internal abstract class Feed<T> : IDisposable
    where T : class
{
    /// <summary>Null: the sequence is over.</summary>
    public abstract ValueTask<T?> NextAsync(bool async, CancellationToken ct);

    public abstract void Dispose();
}

internal static class Feed
{
    public static IEnumerable<T> Enumerate<T>(Func<Feed<T>> start)
        where T : class
    {
        using var feed = start();
        while (Pipeline.Finished(feed.NextAsync(async: false, CancellationToken.None)) is { } item)
            yield return item;
    }

    public static async IAsyncEnumerable<T> EnumerateAsync<T>(Func<Feed<T>> start, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : class
    {
        using var feed = start();
        while (await feed.NextAsync(async: true, cancellationToken).ConfigureAwait(false) is { } item)
            yield return item;
    }
}
