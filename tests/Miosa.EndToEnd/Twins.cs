namespace Miosa.EndToEnd;

/// <summary>Runs a test twice, with the synchronous and with the asynchronous methods.</summary>
public sealed class Twins : TheoryData<bool>
{
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public Twins()
    {
        Add(false);
        Add(true);
    }

    public static Task<T> CallAsync<T>(bool async, Func<T> blocking, Func<Task<T>> awaiting)
        => (async ? awaiting() : Task.Factory.StartNew(blocking, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).WaitAsync(Deadline);

    public static Task CallAsync(bool async, Action blocking, Func<Task> awaiting)
        => (async ? awaiting() : Task.Factory.StartNew(blocking, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).WaitAsync(Deadline);

    public static Task<List<T>> AllAsync<T>(bool async, Func<IEnumerable<T>> blocking, Func<IAsyncEnumerable<T>> awaiting)
        => CallAsync(async, () => blocking().ToList(), () => awaiting().ToListAsync().AsTask());
}

public static class Eventually
{
    /// <summary>Asks until it is so; each question is a call to the platform, which takes its time.</summary>
    public static async Task IsAsync(Func<Task<bool>> fact, TimeSpan? patience = null)
    {
        var limit = patience ?? TimeSpan.FromSeconds(30);
        using var deadline = new CancellationTokenSource(limit);
        while (!await fact())
            Assert.False(deadline.IsCancellationRequested, $"it did not become so in {limit.TotalSeconds:0} s");
    }
}
