using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.NetworkPolicies;

/// <summary>What a computer may reach, in rules. Asking and changing do not count as activity; a stopped computer has it from its next start.</summary>
internal static class NetworkPolicyEndpoints
{
    private const string Policy = "/computers/{computer_id}/network-policy";

    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", Policy, GetAsync).Needs(Scopes.ComputersRead);
        api.Map("PUT", Policy, SetAsync).Needs(Scopes.ComputersWrite);
        api.Map("DELETE", Policy, ResetAsync).Needs(Scopes.ComputersWrite);
    }

    private static async Task<IResult> GetAsync(HttpContext context) =>
        await context.FindMachineAsync() is { } row ? One(row) : Reply.Refuse(context.UnknownMachine());

    private static async Task<IResult> SetAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (egress, faults) = NetworkPolicy.Read(body);
        return faults is null ? await ChangeAsync(context, egress, One) : Reply.Refuse(faults);
    }

    private static Task<IResult> ResetAsync(HttpContext context) => ChangeAsync(context, egress: null, _ => Reply.Ok());

    private static async Task<IResult> ChangeAsync(HttpContext context, string? egress, Func<Machine, IResult> answer)
    {
        if (await context.FindMachineAsync() is not { } row)
            return Reply.Refuse(context.UnknownMachine());
        var (changed, no) = await context.RequestServices.GetRequiredService<Machines>().ChangeEgressAsync(context.Caller(), row.Id, egress, context.RequestAborted, row.Kind);
        return changed is null ? Reply.Refuse(no ?? Refusal.Internal()) : answer(changed);
    }

    private static IResult One(Machine row) => Reply.One(NetworkPolicy.Of(row), WireJson.Default.ComputerNetworkPolicy);
}
