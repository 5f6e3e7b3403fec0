using Miosa.Http;

namespace Miosa;

/// <summary>
/// Waits until a sandbox is ready: 1. ask once, which is the whole story for a running one; 2. listen to the readiness stream, which speaks up when
/// something changes; 3. ask again. A server that has no such stream, or ends it at once, is asked every quarter of a second instead.
/// </summary>
internal sealed class ReadinessWait(Pipeline pipeline, string id)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    public async ValueTask<Sandbox> RunAsync(TimeSpan timeout, Call<Sandbox> refresh, bool async, CancellationToken ct)
    {
        if (timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the wait must be positive, not '{timeout}'");
        using var deadline = new CancellationTokenSource(timeout, pipeline.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            while (true)
            {
                var now = await pipeline.SendAsync(SandboxCalls.Readiness(id), async, either.Token).ConfigureAwait(false);
                if (now.Ready)
                    return await pipeline.SendAsync(refresh, async, either.Token).ConfigureAwait(false);
                if (now.Status is SandboxState.Error or SandboxState.Destroyed)
                    throw new MiosaException($"sandbox '{id}' will not become ready: {now.Reason ?? now.Status}") { Code = now.Status };
                if (!await ListenAsync(async, either.Token).ConfigureAwait(false))
                    await pipeline.PauseAsync(Poll, async, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new TimeoutException($"sandbox '{id}' is not ready after {timeout.TotalSeconds:0.###} s");
        }
    }

    /// <summary>True when the stream says it is ready, so that asking again at once makes sense.</summary>
    private async ValueTask<bool> ListenAsync(bool async, CancellationToken ct)
    {
        try
        {
            using var reader = await EventReader<bool>
                .OpenAsync(pipeline, SandboxCalls.ReadinessStream(id), static (_, _) => true, async, ct).ConfigureAwait(false);
            return await reader.NextAsync().ConfigureAwait(false) is { EventType: "ready" };
        }
        catch (MiosaException e) when (e is ConnectionException or NotFoundException)
        {
            return false;
        }
    }
}
