using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Keys;

/// <summary>
/// What a key that acts for one external user reaches: that user's machines, and nothing else of the tenant. Looked at before every route's
/// handler: a route about one machine needs that machine to be the user's, a route that says so keeps to the user itself, every other is closed.
/// </summary>
internal static class UserBound
{
    private const string UserField = "external_user_id";
    private const string WorkspaceField = "workspace_id";

    public static async ValueTask<Refusal?> CheckAsync(HttpContext context, Caller caller)
    {
        if (caller.BoundExternalUserId is null || context.GetEndpoint()?.Metadata.GetMetadata<KeepsToUser>() is not null)
            return null;
        var kind = context.Request.RouteValues.ContainsKey(MachinePaths.ComputerId) ? MachineKind.Computer : MachineKind.Sandbox;
        if (context.Request.RouteValues[kind == MachineKind.Computer ? MachinePaths.ComputerId : MachinePaths.SandboxId] is not string id)
            return Refusal.Forbidden("the key acts for one external user, who has only his sandboxes and computers");
        var machine = await context.RequestServices.GetRequiredService<Machines>().FindAsync(caller, id, context.RequestAborted, kind);
        return machine is not null && caller.Sees(machine) ? null : Refusal.NotFound(kind);
    }

    /// <summary>What the key makes or changes is its user's: the fields are filled in, and another user's name in them is a fault.</summary>
    public static void Apply(Fields fields, Caller caller)
    {
        Bind(fields, UserField, caller.BoundExternalUserId);
        Bind(fields, WorkspaceField, caller.BoundWorkspaceId);
    }

    private static void Bind(Fields fields, string field, string? value)
    {
        if (value is null)
            return;
        if (fields.IsNull(field) || (fields.Text(field) is { } other && other != value))
            fields.Fail(field, $"must be \"{value}\" or left out: the key acts for nobody else");
        else
            fields.Body[field] = value;
    }
}
