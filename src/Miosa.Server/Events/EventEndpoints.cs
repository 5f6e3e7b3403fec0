using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Events;

/// <summary>Events and readiness of a sandbox, as streams and as one answer.</summary>
internal sealed class EventEndpoints(Machines machines, EventLog log, TenantFeeds feeds, TimeProvider time)
{
    /// <summary>A new reader without Last-Event-ID first gets this many kept events: the clients wait for a build.* they may have missed.</summary>
    private const int Replayed = 200;

    private const int DefaultReadinessSec = 30;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<EventEndpoints>();
        api.MapStream("GET", "/sandboxes/{sandbox_id}/events", it.StreamAsync).Needs(Scopes.SandboxesRead).WithMetadata(new TicketInQuery());
        api.Map("GET", "/sandboxes/{sandbox_id}/readiness", it.ReadinessAsync).Needs(Scopes.SandboxesRead);
        api.MapStream("GET", "/sandboxes/{sandbox_id}/readiness/stream", it.ReadinessStreamAsync).Needs(Scopes.SandboxesRead);
    }

    private async Task StreamAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } machine)
            return;
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        var from = last.Length > 0 ? await log.SequenceOfSubjectAsync(machine.Id, last, context.RequestAborted) : null;
        from ??= await log.BeforeLastAsync(machine.Id, Replayed, context.RequestAborted);
        var stream = new EventStream(machine.TenantId, EventFilter.Parse(context.Request.Query["types"].ToString()), context.Abort)
        {
            SubjectId = machine.Id,
            IsLast = static row => row.Type == EventNames.SandboxDestroyed,
            // Resumed after its last event: nothing will ever come.
            IsOverAsync = async ct => (await machines.FindAsync(context.Caller(), machine.Id, ct))?.IsLive != true,
        };
        await stream.RunAsync(context, log, feeds, from);
    }

    private async Task<IResult> ReadinessAsync(HttpContext context) =>
        await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is { } machine
            ? Reply.One(SandboxView.ReadinessOf(machine), WireJson.Default.Readiness)
            : Reply.Refuse(Refusal.NotFound("sandbox"));

    private async Task ReadinessStreamAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } found)
            return;
        var seconds = int.TryParse(context.Request.Query["timeout"], out var asked) && asked is > 0 and <= 3600 ? asked : DefaultReadinessSec;
        using var wake = log.Subscribe(found.Id);
        await using var sse = await Sse.StartAsync(context);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, sse.Ended);
        try
        {
            while (true)
            {
                var machine = await machines.FindAsync(context.Caller(), found.Id, either.Token);
                var readiness = machine is null
                    ? new Readiness { Status = "destroyed", Reason = "destroyed" }
                    : SandboxView.ReadinessOf(machine);
                if (readiness.Ready)
                {
                    await sse.WriteAsync(null, "ready", Reply.Bytes(readiness, WireJson.Default.Readiness));
                    return;
                }
                if (readiness.Status is "error" or "destroyed")
                {
                    // At once: a client that got nothing here would poll every 10 ms.
                    await sse.WriteAsync(null, "timeout", Reply.Bytes(readiness, WireJson.Default.Readiness));
                    return;
                }
                await wake.WaitAsync(either.Token);
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !sse.Ended.IsCancellationRequested)
        {
            await sse.WriteAsync(null, "timeout", Reply.Bytes(new JsonObject { ["reason"] = $"not_ready_after_{seconds}s" }, WireJson.Default.JsonObject));
        }
        catch (OperationCanceledException) when (sse.Ended.IsCancellationRequested)
        {
            // Nobody waits any more.
        }
    }

    private async Task<Machine?> FindAsync(HttpContext context)
    {
        var machine = await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted);
        if (machine is null)
            await Reply.Refuse(Refusal.NotFound("sandbox")).ExecuteAsync(context);
        return machine;
    }
}
