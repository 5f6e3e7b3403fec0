using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;

namespace Miosa.Server.Egress;

/// <summary>What a sandbox may reach, and what it was refused. Asking and changing neither resume it nor count as activity.</summary>
internal static class EgressEndpoints
{
    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", "/sandboxes/{sandbox_id}/egress", GetAsync).Needs(Scopes.SandboxesRead);
        api.Map("PUT", "/sandboxes/{sandbox_id}/egress", SetAsync).Needs(Scopes.SandboxesWrite);
        api.Map("GET", "/sandboxes/{sandbox_id}/egress/refused", RefusedAsync).Needs(Scopes.SandboxesRead);
    }

    private static async Task<IResult> GetAsync(HttpContext context) =>
        await Machines(context).FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is { } row
            ? One(row)
            : Reply.Refuse(Refusal.NotFound("sandbox"));

    private static async Task<IResult> SetAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var machines = Machines(context);
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var (egress, faults) = context.RequestServices.GetRequiredService<EgressFields>().Read(body);
        if (faults is not null)
            return Reply.Refuse(faults);
        var (row, no) = await machines.ChangeEgressAsync(context.Caller(), context.PathValue("sandbox_id"), egress, context.RequestAborted);
        return row is null ? Reply.Refuse(no ?? Refusal.Internal()) : One(row);
    }

    private static async Task<IResult> RefusedAsync(HttpContext context)
    {
        var machines = Machines(context);
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } row)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        if (row.State is not (MachineState.Running or MachineState.Paused))
            return Reply.Refuse(Refusal.Conflict($"the sandbox is {row.State.Wire()}: what it was refused is told while it is running or paused"));
        try
        {
            var refused = await machines.Runtime.RefusedAsync(row.Id, context.RequestAborted);
            return Reply.Bare(new EgressRefusals { Data = [.. refused.Select(Told)] }, WireJson.Default.EgressRefusals);
        }
        catch (Exception e) when (e is RuntimeDownException or RuntimeRefusedException)
        {
            return Reply.Refuse(Refusal.Unavailable(e.Message));
        }
    }

    private static IResult One(Machine row)
    {
        var egress = EgressFields.RequestOf(row);
        return Reply.One(
            new SandboxEgress { Mode = egress.Mode ?? EgressMode.Open, Cidrs = egress.Cidrs ?? [], Domains = egress.Domains ?? [] }, WireJson.Default.SandboxEgress);
    }

    private static EgressRefusal Told(RefusedInfo info) => new()
    {
        Protocol = info.Protocol,
        Target = info.Target,
        Port = info.Port == 0 ? null : info.Port,
        Reason = info.Reason,
        Count = info.Count,
        FirstAt = info.FirstAt,
        LastAt = info.LastAt,
    };

    private static Machines Machines(HttpContext context) => context.RequestServices.GetRequiredService<Machines>();
}
