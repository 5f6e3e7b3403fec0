using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Snapshots;

/// <summary>Every <c>--sweep-sec</c>: removes expired snapshots and what a crash left of others.</summary>
internal sealed partial class SnapshotSweep(SnapshotSet snapshots, ServerSettings settings, TimeProvider time, ILogger<SnapshotSweep> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.SweepSec), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await snapshots.SweepAsync(stoppingToken);
            }
            catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
            {
                // The next one finds the same.
            }
#pragma warning disable CA1031 // A loop's edge: the next sweep starts from nothing and repeats what failed.
            catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
            {
                SweepFailed(log, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "a sweep of snapshots failed; the next one starts anew")]
    private static partial void SweepFailed(ILogger log, Exception exception);
}
