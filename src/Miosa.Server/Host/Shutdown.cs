namespace Miosa.Server.Host;

/// <summary>
/// How requests end when the server is told to stop: streams at once and with a last event; a command, and a request through a preview, have some
/// seconds to finish. All of it fits into the shutdown timeout, after which connections are cut.
/// </summary>
internal sealed class Shutdown : IDisposable
{
    /// <summary>After this Kestrel cuts what is still open.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private readonly CancellationTokenSource late;
    private readonly CancellationTokenRegistration registration;

    public Shutdown(IHostApplicationLifetime lifetime, TimeProvider time)
    {
        Begun = lifetime.ApplicationStopping;
        // Made here with a clock; what counts it is CancelAfter below.
        late = new CancellationTokenSource(System.Threading.Timeout.InfiniteTimeSpan, time);
        registration = Begun.Register(() => late.CancelAfter(Patience));
    }

    public CancellationToken Begun { get; }

    /// <summary>What was given time to finish ends now.</summary>
    public CancellationToken Late => late.Token;

    public void Dispose()
    {
        registration.Dispose();
        late.Dispose();
    }
}
