using Miosa.Server.Keys;

namespace Miosa.Server.Host;

/// <summary>
/// Cuts a request when what let it in ends: its key is revoked, its token or link is over. An open stream, a WebSocket and a long command end so,
/// without knowing of keys; their own ways of noticing that the client is gone do the rest.
/// </summary>
internal sealed class RequestEnd : IDisposable
{
    /// <summary>What timers can wait for; nothing stays open for so long.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(20);

    private readonly HttpContext context;
    private readonly CancellationTokenRegistration registration;
    private readonly ITimer? timer;
    private LiveKey? held;
    private volatile bool isLetGo;

    /// <param name="held">Released with this.</param>
    /// <param name="ended">Cancelled with what let it in.</param>
    public RequestEnd(HttpContext context, DateTimeOffset? expiresAt, TimeProvider time, LiveKey? held, CancellationToken ended)
    {
        (this.context, this.held) = (context, held);
        registration = ended.UnsafeRegister(static state => ((RequestEnd)state!).Cut(), this);
        if (expiresAt - time.GetUtcNow() is { } left && left < Longest)
            timer = time.CreateTimer(static state => ((RequestEnd)state!).Cut(), this, left > TimeSpan.Zero ? left : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A request that revokes its own key still gets its answer.</summary>
    public void LetGo() => isLetGo = true;

    public void Dispose()
    {
        isLetGo = true;
        registration.Dispose();
        timer?.Dispose();
        Interlocked.Exchange(ref held, null)?.Release();
    }

    private void Cut()
    {
        if (!isLetGo)
            context.Abort();
    }
}
