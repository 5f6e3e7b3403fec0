using System.Buffers;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// What follows a boot: the entry point is started once, as a background process of the machine, and the readiness probe is asked until it
/// passes.
/// </summary>
internal sealed partial class AfterBoot(MachineDirectory directory, IServiceProvider services, EnvSeal seal, ServerSettings settings, TimeProvider time, ILogger<AfterBoot> log)
    : BackgroundService
{
    /// <summary>The name of the process that the entry point is; its output is the sandbox's log.</summary>
    public const string EntrypointName = "entrypoint";

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan OneProbe = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Task> probing = [];
    private readonly CancellationTokenSource stopping = new();

    /// <summary>Starts the entry point and the probe of a machine that has just booted.</summary>
    /// <param name="isContinued">What ran goes on, the entry point with it.</param>
    public async Task BeginAsync(Resident resident, bool isContinued, CancellationToken ct)
    {
        if (!isContinued && resident.Row.Entrypoint is { } entrypoint)
            await StartEntrypointAsync(resident, entrypoint, ct);
        Probe(resident);
    }

    public override void Dispose()
    {
        stopping.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Probes that a former process left open.
        foreach (var resident in directory.All)
            Probe(resident);
        await Task.Delay(Timeout.InfiniteTimeSpan, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stopping.CancelAsync();
        await Task.WhenAll(probing.Values);
    }

    private async Task StartEntrypointAsync(Resident resident, string entrypoint, CancellationToken ct)
    {
        var row = resident.Row;
        try
        {
            if (resident.Road is not { } road)
                throw new IOException("the machine has no guest yet");
            var guest = await road.ConnectAsync(ct);
            await guest.StartProcessAsync(new ProcessStartCall { Shell = entrypoint, Name = EntrypointName, Env = resident.Env(seal).Values.ToDictionary() }, ct);
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException or OperationCanceledException)
        {
            // The sandbox itself is fine and answers; this line tells why nothing was started.
            EntrypointFailed(log, row.Id, e.Message);
        }
    }

    private void Probe(Resident resident)
    {
        if (resident.Row is not { State: MachineState.Running, ReadyAt: null, Probe: { } json }
            || JsonNode.Parse(json) is not JsonObject node || ReadinessProbe.Read(node).Probe is not { } probe)
            return;
        probing.GetOrAdd(resident.Row.Id, _ => ProbeUntilReadyAsync(resident, probe));
    }

    private async Task ProbeUntilReadyAsync(Resident resident, ReadinessProbe probe)
    {
        var id = resident.Row.Id;
        // Not on the caller's stack: create answers while this goes on.
        await Task.Yield();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            limit.CancelAfter(TimeSpan.FromSeconds(probe.TimeoutSec));
            for (var pause = FirstPause; resident.Row.State is MachineState.Running or MachineState.Paused; pause = pause * 2 > LongestPause ? LongestPause : pause * 2)
            {
                if (resident.Row.State == MachineState.Running && await PassesAsync(resident, probe, limit.Token))
                {
                    await services.GetRequiredService<IGrainFactory>().GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, id)).ProbePassed();
                    return;
                }
                await Task.Delay(pause, time, limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            if (!stopping.IsCancellationRequested)
                ProbeGaveUp(log, id, probe.TimeoutSec);
        }
        finally
        {
            probing.TryRemove(id, out _);
        }
    }

    private async Task<bool> PassesAsync(Resident resident, ReadinessProbe probe, CancellationToken ct)
    {
        try
        {
            return probe.Type switch
            {
                "tcp" => await ListensAsync(resident, probe.Port, ct),
                "http" => await ExitsWithZeroAsync(resident, $"curl -fsS -o /dev/null -m 5 -- \"$MIOSA_PROBE_URL\" || wget -q -T 5 -O /dev/null \"$MIOSA_PROBE_URL\"", probe.Url, ct),
                _ => await ExitsWithZeroAsync(resident, probe.Command ?? "false", null, ct),
            };
        }
        catch (Exception e) when (e is GuestException or SocketException or IOException)
        {
            return false;
        }
    }

    /// <summary>By the machine's own table: no program of the image is needed, and nothing is connected.</summary>
    private static async Task<bool> ListensAsync(Resident resident, int port, CancellationToken ct) =>
        resident.Road is { } road && (await (await road.ConnectAsync(ct)).ListeningPortsAsync(ct)).Contains(port);

    private async Task<bool> ExitsWithZeroAsync(Resident resident, string shell, string? url, CancellationToken ct)
    {
        var env = resident.Env(seal).Values.ToDictionary();
        if (url is not null)
            env["MIOSA_PROBE_URL"] = url;
        return (await RunAsync(resident, new ExecCall { Shell = shell, Env = env, TimeoutMs = (long)OneProbe.TotalMilliseconds }, ct)).ExitCode == 0;
    }

    private static async Task<ExecReply> RunAsync(Resident resident, ExecCall call, CancellationToken ct)
    {
        if (resident.Road is not { } road)
            throw new IOException("the machine has no guest yet");
        return await (await road.ConnectAsync(ct)).ExecAsync(call, DropAsync, stdin: null, ct);

        static ValueTask DropAsync(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken ct) => ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the entry point of machine {Machine} could not be started: {Reason}")]
    private static partial void EntrypointFailed(ILogger log, string machine, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "machine {Machine} did not pass its readiness probe in {Seconds} s; it stays not ready")]
    private static partial void ProbeGaveUp(ILogger log, string machine, int seconds);
}
