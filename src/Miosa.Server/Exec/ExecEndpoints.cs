using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Processes;

namespace Miosa.Server.Exec;

/// <summary>
/// Routes of the group Sandbox exec, and the same of computers. One road for both: the request becomes an <see cref="ExecCommand"/>, the machine admits it or
/// refuses, the guest runs it, and the output goes either into one answer or line by line into a stream. Nothing here touches the
/// database. A command ends with its request: clients repeat a POST whose answer they missed, and two of it would run.
/// </summary>
internal static class ExecEndpoints
{
    private const string Exec = Routes.Base + "/sandboxes/{sandbox_id}/exec";
    private const string OfComputer = Routes.Base + "/computers/{computer_id}/exec";

    public static void MapExec(this IEndpointRouteBuilder routes)
    {
        routes.MapStream("POST", Exec, RunAsync).Needs(Scopes.SandboxesExec);
        routes.MapStream("POST", $"{Exec}/stream", StreamByBodyAsync).Needs(Scopes.SandboxesExec);
        routes.MapStream("GET", $"{Exec}/stream", StreamByQueryAsync).Needs(Scopes.SandboxesExec);
        routes.MapStream("POST", OfComputer, RunAsync).Needs(Scopes.ComputersWrite);
        routes.MapStream("POST", $"{OfComputer}/python", ExecPython.RunAsync).Needs(Scopes.ComputersWrite);
    }

    private static async Task RunAsync(HttpContext context)
    {
        var (command, guest) = await AdmitAsync(context, await BodyAsync(context));
        if (command is null || guest is null)
            return;
        if (command.IsDetached && context.IsAboutComputer())
            await Reply.Refuse(Refusal.Invalid("detached", "cannot be used with a computer: register a service (POST /computers/{id}/services)")).ExecuteAsync(context);
        else if (command.IsDetached)
            await (await ProcessStart.DetachedAsync(context, command, guest)).ExecuteAsync(context);
        else
            await ExecAnswer.WriteAsync(context, command, guest);
    }

    private static async Task StreamByBodyAsync(HttpContext context) => await StreamAsync(context, await BodyAsync(context));

    private static Task StreamByQueryAsync(HttpContext context) =>
        StreamAsync(context, new BodyRead(ExecCommand.FieldsOf(context.Request.Query), null));

    private static async Task StreamAsync(HttpContext context, BodyRead read)
    {
        var (command, guest) = await AdmitAsync(context, read);
        if (command is null || guest is null)
            return;
        if (command.IsDetached)
        {
            await Reply.Refuse(Refusal.Invalid("detached", "cannot be streamed: start it as a process and stream that")).ExecuteAsync(context);
            return;
        }
        LongStream.Allow(context);
        await ExecStream.WriteAsync(context, command, guest);
    }

    private static Task<BodyRead> BodyAsync(HttpContext context) => Body.ReadAsync(context, ExecCommand.Aliases, ExecCommand.MaxBodyBytes);

    /// <summary>What to run and where; nulls when the refusal has been written.</summary>
    public static async Task<(ExecCommand? Command, GuestConnection? Guest)> AdmitAsync(HttpContext context, BodyRead read)
    {
        var settings = context.RequestServices.GetRequiredService<ServerSettings>();
        var (command, refusal) = read.Refusal is null
            ? ExecCommand.Of(read.Fields, ExecLimits.Of(context, settings))
            : (null, read.Refusal);
        if (command is { } asked)
        {
            var admitted = await context.AdmitAsync(AdmitFor.Exec);
            (command, refusal) = admitted.Refusal is null ? asked.Within(admitted) : (null, admitted.Refusal);
            if (command is not null)
                return (command, admitted.Guest);
        }
        // Not null: there is no command, or the machine refused.
        await Reply.Refuse(refusal!).ExecuteAsync(context);
        return default;
    }
}
