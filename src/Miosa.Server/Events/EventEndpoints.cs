using System.IO.Enumeration;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Sandboxes;
using Miosa.Server.Storage;

namespace Miosa.Server.Events;

/// <summary>Events and readiness of a sandbox, as streams and as one answer.</summary>
internal sealed class EventEndpoints(Machines machines, EventLog log, TimeProvider time)
{
    /// <summary>A new reader without Last-Event-ID first gets this many kept events: the clients wait for a build.* they may have missed.</summary>
    private const int Replayed = 200;

    private const int DefaultReadinessSec = 30;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<EventEndpoints>();
        api.MapStream("GET", "/sandboxes/{sandbox_id}/events", it.StreamAsync).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/sandboxes/{sandbox_id}/readiness", it.ReadinessAsync).Needs(Scopes.SandboxesRead);
        api.MapStream("GET", "/sandboxes/{sandbox_id}/readiness/stream", it.ReadinessStreamAsync).Needs(Scopes.SandboxesRead);
    }

    private async Task StreamAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } machine)
            return;
        var types = context.Request.Query["types"].ToString().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        using var wake = log.Subscribe(machine.Id);
        var position = await StartAsync(context, machine.Id);
        await using var sse = await Sse.StartAsync(context);
        try
        {
            while (true)
            {
                var rows = await log.AfterAsync(machine.Id, position, sse.Ended);
                foreach (var row in rows)
                {
                    position = row.Position;
                    if (types.Length == 0 || types.Any(t => FileSystemName.MatchesSimpleExpression(t, row.Type, ignoreCase: false)))
                        await sse.WriteAsync(row.Id, row.Type, BytesOf(row));
                    if (row.Type == EventNames.SandboxDestroyed)
                        return;
                }
                // Resumed after its last event: nothing will ever come.
                if (rows.Count == 0 && (await machines.FindAsync(context.Caller(), machine.Id, sse.Ended))?.IsLive != true)
                    return;
                if (rows.Count == 0)
                    await wake.WaitAsync(sse.Ended);
            }
        }
        catch (OperationCanceledException) when (sse.Ended.IsCancellationRequested)
        {
            // The reader left, or the server stops: the stream just ends, and Last-Event-ID goes on elsewhere.
        }
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

    private async Task<long> StartAsync(HttpContext context, string machineId)
    {
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        if (last.Length > 0 && await log.PositionAsync(machineId, last, context.RequestAborted) is { } position)
            return position;
        return await log.BeforeLastAsync(machineId, Replayed, context.RequestAborted);
    }

    public static JsonObject JsonOf(EventRow row) => JsonSerializer.SerializeToNode(Of(row), WireJson.Default.SandboxEvent) as JsonObject ?? [];

    private static byte[] BytesOf(EventRow row) => Reply.Bytes(Of(row), WireJson.Default.SandboxEvent);

    private static SandboxEvent Of(EventRow row) => new()
    {
        Type = row.Type,
        Id = row.MachineId,
        EventId = row.Id,
        SandboxId = row.MachineId,
        TenantId = row.TenantId,
        Ts = row.At,
        Status = row.Status,
        Data = JsonNode.Parse(row.Data) as JsonObject ?? [],
    };
}
