using Miosa.Server.Host;
using Miosa.Server.Previews;

namespace Miosa.Server.PreviewDomains;

/// <summary>Every <c>--sweep-sec</c>: looks again at the proven domains whose time has come; the time stands in the row.</summary>
internal sealed partial class PreviewDomainChecks(PreviewDomainSet domains, DomainLook look, PreviewHosts hosts, ServerSettings settings, TimeProvider time, ILogger<PreviewDomainChecks> log)
    : BackgroundService
{
    /// <summary>Looks at a time: one whose name server is silent must not hold up the others.</summary>
    private const int AtOnce = 8;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.SweepSec), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = stoppingToken };
            await Parallel.ForEachAsync(domains.Due(time.GetUtcNow()), parallel, CheckAsync);
        }
    }

    private async ValueTask CheckAsync(PreviewDomainRow row, CancellationToken ct)
    {
        try
        {
            var findings = await look.LookAsync(row.TenantId, row.Domain, hosts.TargetOf(row.TenantId), ct);
            var (after, _) = await domains.TakeAsync(row, findings, ct);
            if (after is { IsProven: false })
                Lapsed(log, row.Domain, row.TenantId);
        }
#pragma warning disable CA1031 // A loop's edge: the other domains must be looked at, and this one again in the next round.
        catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
        {
            CheckFailed(log, row.Domain, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "the preview domain {Domain} of tenant {Tenant} lapsed: its record is gone")]
    private static partial void Lapsed(ILogger log, string domain, string tenant);

    [LoggerMessage(Level = LogLevel.Error, Message = "the preview domain {Domain} could not be looked at; the next round tries again")]
    private static partial void CheckFailed(ILogger log, string domain, Exception exception);
}
