using Microsoft.EntityFrameworkCore;
using Miosa.Server.Events;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Sandboxes;
using Miosa.Server.Storage;

namespace Miosa.Server.Host;

/// <summary>Runs the common paths once before the server calls itself ready: compiling them costs the first caller over a second otherwise.</summary>
internal sealed partial class WarmUp(
    Database database, IGrainFactory grains, SandboxView view, SandboxFields fields, EventLog events, ServerSettings settings, IHostApplicationLifetime lifetime, ILogger<WarmUp> log)
    : BackgroundService
{
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Done => done.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // The silo must take calls first.
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
            await started.Task.WaitAsync(stoppingToken);
            const string Nobody = "sbx_nobody";
            await grains.GetGrain<IMachineGrain>(GrainKeys.Join(settings.Node, Nobody)).Ask(Want.Use, reason: null);
            var caller = new Caller("ten_nobody", "key_nobody", new HashSet<string>());
            var body = Body.Parse("""{"name":"warm-up","env":{"A":"b"},"metadata":{"a":1},"tags":["a"]}"""u8.ToArray(), SandboxFields.CreateAliases);
            if (fields.Create(body.Fields, caller, template: null, Defaults.Of(settings)).Draft is { } draft)
            {
                Reply.Merged(view.Of(draft), WireJson.Default.SandboxInfo);
                await events.RehearseAsync(draft, stoppingToken);
            }
            await events.OfSubjectAsync(Nobody, 0, stoppingToken);
            await using var db = database.Read();
            await db.Machines.Where(m => m.TenantId == caller.TenantId).OrderByDescending(m => m.CreatedAt).ThenByDescending(m => m.Id).Take(1).ToListAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return;
        }
#pragma warning disable CA1031 // Only speed is lost: a path that really fails will say so to its first caller.
        catch (Exception e)
#pragma warning restore CA1031
        {
            WarmUpFailed(log, e);
        }
        done.TrySetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "the warm-up failed; first calls will be slow")]
    private static partial void WarmUpFailed(ILogger log, Exception exception);
}
