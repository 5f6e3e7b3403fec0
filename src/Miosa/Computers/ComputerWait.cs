using Miosa.Http;

namespace Miosa;

/// <summary>
/// Waits until a computer has a status, by asking for it: there is no stream that tells it to a client which comes late. It is asked often for two seconds, since
/// a desktop is up within one, and seldom after them.
/// </summary>
internal sealed class ComputerWait(Pipeline pipeline, string id, string wanted)
{
    private const int ManyAsks = 40;

    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Seldom = TimeSpan.FromMilliseconds(500);

    public async ValueTask<Computer> RunAsync(TimeSpan timeout, Call<Computer> refresh, bool async, CancellationToken ct)
    {
        if (timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(timeout), $"the wait must be positive, not '{timeout}'");
        using var deadline = new CancellationTokenSource(timeout, pipeline.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        var last = "unknown";
        try
        {
            for (var asked = 0; ; asked++)
            {
                var computer = await pipeline.SendAsync(refresh, async, either.Token).ConfigureAwait(false);
                last = computer.Status;
                if (last == wanted)
                    return computer;
                if (last == ComputerStatus.Error)
                    throw new MiosaException($"computer '{id}' is in status error: {computer.Info.Error ?? "the server does not say why"}") { Code = last };
                await pipeline.PauseAsync(asked < ManyAsks ? Often : Seldom, async, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            var hint = last == ComputerStatus.Stopped ? "; a stopped computer runs only after a start" : "";
            throw new TimeoutException($"computer '{id}' is not {wanted} after {timeout.TotalSeconds:0.###} s but {last}{hint}");
        }
    }
}
