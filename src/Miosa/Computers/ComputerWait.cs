using Miosa.Http;

namespace Miosa;

/// <summary>
/// Waits until a computer has a status, by asking for it: there is no stream that tells it to a client which comes late. The pause is a tenth of the wait so far:
/// one from the pool is there after some milliseconds, another after a second.
/// </summary>
internal sealed class ComputerWait(Pipeline pipeline, string id, string wanted)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(500);

    public async ValueTask<Computer> RunAsync(TimeSpan timeout, Call<Computer> refresh, bool async, CancellationToken ct)
    {
        if (timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the wait must be positive, not '{timeout}'");
        using var deadline = new CancellationTokenSource(timeout, pipeline.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var begun = pipeline.Clock.GetTimestamp();
        var last = "unknown";
        try
        {
            while (true)
            {
                var computer = await pipeline.SendAsync(refresh, async, either.Token).ConfigureAwait(false);
                last = computer.Status;
                if (last == wanted)
                    return computer;
                if (last == ComputerStatus.Error)
                    throw new MiosaException($"computer '{id}' is in status error: {computer.Info.Error ?? "the server does not say why"}") { Code = last };
                var tenth = pipeline.Clock.GetElapsedTime(begun) / 10;
                await pipeline.PauseAsync(tenth < Shortest ? Shortest : tenth > Longest ? Longest : tenth, async, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            var hint = last == ComputerStatus.Stopped ? "; a stopped computer runs only after a start" : "";
            throw new TimeoutException($"computer '{id}' is not {wanted} after {timeout.TotalSeconds:0.###} s but {last}{hint}");
        }
    }
}
