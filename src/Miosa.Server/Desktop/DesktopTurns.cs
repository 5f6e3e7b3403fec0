using System.Collections.Concurrent;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;

namespace Miosa.Server.Desktop;

/// <summary>
/// Desktop calls for which the server holds megabytes: pictures it makes, wallpapers it fetches, trees. A few of one tenant at a time and each for so long
/// only: a machine that sends or takes nothing holds up its own tenant and fills nobody's memory.
/// </summary>
internal sealed class DesktopTurns : IDisposable
{
    private const int AtOnce = 2;

    private readonly ConcurrentDictionary<string, SemaphoreSlim> byTenant = [];

    /// <param name="patience">How long the call may take once it is its turn.</param>
    /// <param name="tooLate">What is said when it took longer, behind "the computer did not ".</param>
    public async Task<T> RunAsync<T>(HttpContext context, TimeSpan patience, string tooLate, Func<CancellationToken, Task<T>> call)
    {
        var ct = context.RequestAborted;
        var turn = byTenant.GetOrAdd(context.Caller().TenantId, _ => new SemaphoreSlim(AtOnce));
        await turn.WaitAsync(ct);
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(patience);
            return await call(limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new GuestException(GuestErrorCode.Failed, $"the computer did not {tooLate} within {patience.TotalSeconds:0} s");
        }
        finally
        {
            turn.Release();
        }
    }

    public void Dispose()
    {
        foreach (var turn in byTenant.Values)
            turn.Dispose();
    }
}
