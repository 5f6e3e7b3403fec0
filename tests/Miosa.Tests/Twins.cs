namespace Miosa.Tests;

/// <summary>Runs a test twice, with the synchronous and with the asynchronous methods.</summary>
public sealed class Twins : TheoryData<bool>
{
    public Twins()
    {
        Add(false);
        Add(true);
    }

    public static Task<T> CallAsync<T>(bool async, Func<T> blocking, Func<Task<T>> awaiting)
        => (async ? awaiting() : OnThread(blocking)).WaitAsync(Deadline.Generous);

    public static Task CallAsync(bool async, Action blocking, Func<Task> awaiting)
        => (async ? awaiting() : OnThread(() =>
        {
            blocking();
            return true;
        })).WaitAsync(Deadline.Generous);

    public static Task<List<T>> AllAsync<T>(bool async, Func<IEnumerable<T>> blocking, Func<IAsyncEnumerable<T>> awaiting)
        => CallAsync(async, () => blocking().ToList(), () => awaiting().ToListAsync().AsTask());

    // A blocking call has a thread of its own, so that the server in this process keeps the pool.
    private static Task<T> OnThread<T>(Func<T> call)
        => Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
