using System.Reflection;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Storage;

namespace Miosa.Server.Host;

/// <summary>Health, version and the OpenAPI document; open to everybody, and they tell nothing of any tenant.</summary>
internal sealed class SystemEndpoints(RuntimeClient runtime, Database database, WarmPool pool, Reconciliation reconciliation, WarmUp warmUp, TimeProvider time)
{
    private static readonly string Version = typeof(SystemEndpoints).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <summary>The part after the plus of the informational version, which the SDK fills in from the repository.</summary>
    private static readonly string? Commit = typeof(SystemEndpoints).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit] ? commit : null;

    public static void Map(IEndpointRouteBuilder root, IEndpointRouteBuilder api)
    {
        var it = root.ServiceProvider.GetRequiredService<SystemEndpoints>();
        foreach (var routes in (IEndpointRouteBuilder[])[root, api])
        {
            routes.Map("GET", "/health", it.HealthAsync).OpenToAll();
            routes.Map("GET", "/version", it.TellVersionAsync).OpenToAll();
        }
        root.Map("GET", "/healthz", it.HealthAsync).OpenToAll();
        root.Map("GET", "/readyz", it.ReadyAsync).OpenToAll();
        root.Map("GET", "/openapi.json", context => Task.FromResult(OpenApiDocument.Answer(context))).OpenToAll();
    }

    private async Task<IResult> HealthAsync(HttpContext context)
    {
        var databaseIsUp = await DatabaseIsUpAsync(context.RequestAborted);
        return Reply.One(
            new HealthStatus
            {
                Status = databaseIsUp && runtime.IsUp ? "ok" : "degraded",
                Version = Version,
                Checks = new JsonObject
                {
                    ["database"] = databaseIsUp ? "ok" : "down",
                    ["runtime"] = runtime.IsUp ? "ok" : "down",
                    ["cgroup"] = runtime.Hello?.Cgroup,
                    ["id_ranges"] = runtime.Hello?.IdRanges,
                    ["disk_limits"] = runtime.Hello?.DiskLimits,
                    ["network"] = runtime.Hello?.Network,
                    ["warm_machines"] = pool.ReadyCount,
                    ["warm_computers"] = pool.ReadyComputers,
                    ["notes"] = new JsonArray([.. (runtime.Hello?.Notes ?? []).Select(n => (JsonNode)n)]),
                },
                Time = time.GetUtcNow(),
            },
            WireJson.Default.HealthStatus,
            // Liveness is about this process: it serves reads and refuses the rest politely while the runtime is away.
            databaseIsUp ? 200 : 503);
    }

    private Task<IResult> ReadyAsync(HttpContext context) => Task.FromResult(
        runtime.IsUp && reconciliation.FirstPass.IsCompleted && warmUp.Done.IsCompleted
            ? Reply.Ok()
            : Reply.Refuse(Refusal.Unavailable(runtime.IsUp ? "the machines are being looked at" : "miosa-runtime is not reachable")));

    private Task<IResult> TellVersionAsync(HttpContext context) => Task.FromResult(Reply.One(
        new VersionInfo { Version = Version, Commit = Commit, MinClientVersion = "1.0.0" }, WireJson.Default.VersionInfo));

    private async Task<bool> DatabaseIsUpAsync(CancellationToken ct)
    {
        try
        {
            await using var db = database.Read();
            await db.Tenants.Select(t => t.Id).FirstOrDefaultAsync(ct);
            return true;
        }
        catch (Microsoft.Data.Sqlite.SqliteException)
        {
            return false;
        }
    }
}
