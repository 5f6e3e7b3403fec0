namespace Miosa.Server.Models;

/// <summary>So many calls at once, so many more that wait, and no others.</summary>
internal sealed class Turns(int atOnce, int waiting) : IDisposable
{
    private readonly SemaphoreSlim free = new(atOnce);
    private int queued;

    /// <summary>False: as many wait as may, or it took longer than the patience. True must be followed by <see cref="Leave"/>.</summary>
    /// <param name="waits">Told 1 when it begins to wait and -1 when it does not any more.</param>
    public async ValueTask<bool> EnterAsync(TimeSpan patience, Action<int> waits, CancellationToken ct)
    {
        if (free.Wait(0, CancellationToken.None))
            return true;
        if (Interlocked.Increment(ref queued) > waiting)
        {
            Interlocked.Decrement(ref queued);
            return false;
        }
        waits(1);
        try
        {
            return await free.WaitAsync(patience, ct);
        }
        finally
        {
            waits(-1);
            Interlocked.Decrement(ref queued);
        }
    }

    public void Leave() => free.Release();

    public void Dispose() => free.Dispose();
}
