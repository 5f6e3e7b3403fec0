using Miosa.Server.Host;

namespace Miosa.Server.Lifecycle;

/// <summary>
/// The way of a request to the machine that its path names: below /sandboxes the parameter is sandbox_id, below /computers computer_id. What
/// works inside a machine is the same for both and goes through here, so that a handler need not know which it serves.
/// </summary>
internal static class MachineDoor
{
    private const string OfComputer = "computer_id";
    private const string OfSandbox = "sandbox_id";

    public static bool IsAboutComputer(this HttpContext context) => context.Request.RouteValues.ContainsKey(OfComputer);

    /// <summary>The id, slug or name in the path.</summary>
    public static string NamedMachine(this HttpContext context) => context.PathValue(context.IsAboutComputer() ? OfComputer : OfSandbox);

    /// <summary>What such machines are called in addresses.</summary>
    public static string Area(this HttpContext context) => context.IsAboutComputer() ? "computers" : "sandboxes";

    public static Refusal UnknownMachine(this HttpContext context) => Refusal.NotFound(context.IsAboutComputer() ? "computer" : "sandbox");

    public static ValueTask<Machine?> FindMachineAsync(this HttpContext context) => context.IsAboutComputer()
        ? Machines(context).FindComputerAsync(context.Caller(), context.NamedMachine(), context.RequestAborted)
        : Machines(context).FindAsync(context.Caller(), context.NamedMachine(), context.RequestAborted);

    public static ValueTask<Admitted> AdmitAsync(this HttpContext context, AdmitFor purpose) => context.IsAboutComputer()
        ? Machines(context).AdmitComputerAsync(context, context.NamedMachine(), purpose)
        : Machines(context).AdmitAsync(context, context.NamedMachine(), purpose);

    /// <inheritdoc cref="Lifecycle.Machines.AdmitOnlookerAsync"/>
    public static ValueTask<Admitted> AdmitOnlookerAsync(this HttpContext context, AdmitFor purpose) => context.IsAboutComputer()
        ? Machines(context).AdmitComputerOnlookerAsync(context, context.NamedMachine(), purpose)
        : Machines(context).AdmitOnlookerAsync(context, context.NamedMachine(), purpose);

    private static Machines Machines(HttpContext context) => context.RequestServices.GetRequiredService<Machines>();
}
