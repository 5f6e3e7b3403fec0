using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>Which machine a route is about: <c>{computer_id}</c> names a computer, <c>{sandbox_id}</c> a sandbox.</summary>
internal static class MachinePaths
{
    public const string ComputerId = "computer_id";
    public const string SandboxId = "sandbox_id";

    public static (string Kind, string Id) MachinePath(this HttpContext context) =>
        context.Request.RouteValues.ContainsKey(ComputerId)
            ? (MachineKind.Computer, context.PathValue(ComputerId))
            : (MachineKind.Sandbox, context.PathValue(SandboxId));
}
