using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>Marks a route of computers that clients also use with the ids of sandboxes; with one it needs this scope.</summary>
internal sealed record AlsoOfSandboxes(string Scope);

/// <summary>
/// Which machine a route is about: <c>{computer_id}</c> names a computer, <c>{sandbox_id}</c> a sandbox. What works inside a machine is the same for both:
/// its handlers come to the machine through here, and need not know which of them they serve.
/// </summary>
internal static class MachinePaths
{
    public const string ComputerId = "computer_id";
    public const string SandboxId = "sandbox_id";

    private const string SandboxPrefix = "sbx_";

    public static (string Kind, string Id) MachinePath(this HttpContext context)
    {
        if (!context.Request.RouteValues.ContainsKey(ComputerId))
            return (MachineKind.Sandbox, context.PathValue(SandboxId));
        var id = context.PathValue(ComputerId);
        var isSandbox = id.StartsWith(SandboxPrefix, StringComparison.Ordinal) && context.GetEndpoint()?.Metadata.GetMetadata<AlsoOfSandboxes>() is not null;
        return (isSandbox ? MachineKind.Sandbox : MachineKind.Computer, id);
    }

    public static bool IsAboutComputer(this HttpContext context) => context.MachinePath().Kind == MachineKind.Computer;

    /// <summary>What the machine's kind is called in addresses.</summary>
    public static string Area(this HttpContext context) => context.IsAboutComputer() ? "computers" : "sandboxes";

    public static Refusal UnknownMachine(this HttpContext context) => Refusal.NotFound(context.MachinePath().Kind);

    public static ValueTask<Machine?> FindMachineAsync(this HttpContext context) => Machines(context).FindAsync(context);

    public static ValueTask<Admitted> AdmitAsync(this HttpContext context, AdmitFor purpose) => Machines(context).AdmitAsync(context, purpose);

    /// <summary>For a request that stays open and only looks on: the machine is busy while it is admitted, not until it ends.</summary>
    public static ValueTask<Admitted> AdmitOnlookerAsync(this HttpContext context, AdmitFor purpose)
    {
        var (kind, id) = context.MachinePath();
        return Machines(context).AdmitOnlookerAsync(context, id, purpose, kind);
    }

    private static Machines Machines(HttpContext context) => context.RequestServices.GetRequiredService<Machines>();
}
