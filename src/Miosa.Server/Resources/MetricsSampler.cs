using System.Collections.Concurrent;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;

namespace Miosa.Server.Resources;

/// <summary>Every <c>--metrics-sec</c> asks the runtime what each machine uses. It wakes no machine and counts as nobody's activity.</summary>
internal sealed partial class MetricsSampler(
    RuntimeClient runtime, MachineDirectory directory, DiskUses disks, ServerSettings settings, TimeProvider time, ILogger<MetricsSampler> log) : BackgroundService
{
    private readonly ConcurrentDictionary<string, MetricsHistory> histories = [];

    public MetricsHistory? Find(string machine) => histories.GetValueOrDefault(machine);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(settings.MetricsSec), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await SampleAsync(stoppingToken);
            }
            catch (RuntimeDownException)
            {
                // A gap in the series tells it.
            }
#pragma warning disable CA1031 // A loop's edge: the next sample does not depend on this one.
            catch (Exception e) when (e is not OperationCanceledException)
#pragma warning restore CA1031
            {
                SampleFailed(log, e);
            }
        }
    }

    private async Task SampleAsync(CancellationToken ct)
    {
        var bytes = new Dictionary<string, long>();
        foreach (var row in directory.All.Select(resident => resident.Row))
        {
            if (row.State is not (MachineState.Running or MachineState.Paused or MachineState.Starting))
                continue;
            try
            {
                if (await runtime.InspectAsync(row.Id, ct) is not { State: not MachineStates.Dead, Usage: { } usage })
                    continue;
                histories.GetOrAdd(row.Id, _ => new MetricsHistory()).Add(time.GetUtcNow(), usage, row.Vcpus);
                bytes[row.Id] = usage.DiskBytes;
            }
            catch (RuntimeRefusedException)
            {
                // It ended meanwhile.
            }
        }
        foreach (var id in histories.Keys.Where(id => directory.Find(id) is null).ToList())
            histories.TryRemove(id, out _);
        await disks.KeepAsync(bytes, ct);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "measuring the machines failed once; it goes on")]
    private static partial void SampleFailed(ILogger log, Exception exception);
}
