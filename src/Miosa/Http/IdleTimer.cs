namespace Miosa.Http;

/// <summary>Cancels after a silence that activity restarts, or when the caller cancels, and remembers which of the two it was.</summary>
internal sealed class IdleTimer : IDisposable
{
    private readonly TimeSpan limit;
    private readonly CancellationToken caller;
    private readonly CancellationTokenSource silence;
    private readonly CancellationTokenSource either;

    public IdleTimer(TimeSpan limit, TimeProvider clock, CancellationToken caller)
    {
        this.limit = limit;
        this.caller = caller;
        silence = new CancellationTokenSource(limit, clock);
        either = CancellationTokenSource.CreateLinkedTokenSource(caller, silence.Token);
    }

    public CancellationToken Token => either.Token;

    public bool CallerCancelled => caller.IsCancellationRequested;

    public bool Expired => silence.IsCancellationRequested;

    public TimeSpan Limit => limit;

    public void Restart() => silence.CancelAfter(limit);

    public void Pause() => silence.CancelAfter(Timeout.InfiniteTimeSpan);

    /// <summary>The exception that a failed read, write or send means: the caller's cancel, our time limit, or a broken connection.</summary>
    public Exception Explain(string operation, Exception failure)
    {
        if (CallerCancelled)
            return new OperationCanceledException("the call was cancelled", failure, caller);
        if (Expired)
            return new ConnectionException($"{operation}: no answer for {limit.TotalSeconds:0.###} s", failure) { IsTimeout = true };
        if (failure is OperationCanceledException)
            return new ConnectionException($"{operation}: the HttpClient's own time limit ended it", failure) { IsTimeout = true };
        return new ConnectionException($"{operation}: {failure.Message}", failure) { NeverSent = IsConnectFailure(failure) };
    }

    public void Dispose()
    {
        either.Dispose();
        silence.Dispose();
    }

    private static bool IsConnectFailure(Exception failure) => failure is HttpRequestException
    {
        HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError,
    };
}
