using Miosa.Guest;
using Miosa.Server.Exec;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Templates;

namespace Miosa.Server.Processes;

/// <summary>Starts a background process: by its own route, or for a detached <c>exec</c>.</summary>
internal static class ProcessStart
{
    private const int MaxName = 200;

    /// <summary>What the guest allows at most; also what stands for "none".</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    public static async Task<IResult> StartAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, ExecCommand.Aliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var name = fields.Text("name", MaxName, allowEmpty: true);
        if (name is AfterBoot.EntrypointName or TemplateStart.ProgramName)
            fields.Fail("name", $"\"{name}\" is the name of a process that the sandbox starts itself");
        var (command, faults) = ExecCommand.Of(fields, ExecLimits.UpTo(Longest));
        if (command is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var admitted = await context.AdmitAsync(AdmitFor.Exec);
        if (admitted.Refusal is { } no)
            return Reply.Refuse(no);
        (var whole, faults) = command.Within(admitted);
        return whole is null
            ? Reply.Refuse(faults!) // as above
            : await RunAsync(context, whole, string.IsNullOrEmpty(name) ? null : name, admitted.Guest, 201);
    }

    /// <summary>A time limit of the command's own holds, the server's default for commands that are waited for does not.</summary>
    public static Task<IResult> DetachedAsync(HttpContext context, ExecCommand command, GuestConnection guest)
    {
        var standard = TimeSpan.FromSeconds(context.RequestServices.GetRequiredService<ServerSettings>().MaxExecSec);
        return RunAsync(context, command.Timeout == standard ? command with { Timeout = Longest } : command, name: null, guest, 200);
    }

    private static async Task<IResult> RunAsync(HttpContext context, ExecCommand command, string? name, GuestConnection guest, int status)
    {
        var exec = command.ToCall();
        try
        {
            // Not cancelled with the request: a process that was started and that nobody was told of could not be found by its caller.
            var process = await guest.StartProcessAsync(
                new ProcessStartCall
                {
                    Shell = exec.Shell,
                    Argv = exec.Argv,
                    Cwd = exec.Cwd,
                    User = exec.User,
                    Env = exec.Env,
                    TimeoutMs = command.Timeout < Longest ? exec.TimeoutMs : null,
                    Name = name,
                },
                CancellationToken.None);
            if (command.Stdin is { Length: > 0 } stdin && process.State == GuestProcessState.Running)
                process = await guest.FeedProcessAsync(process.Pid, stdin, isLast: true, context.RequestAborted);
            return Reply.One(ProcessView.Of(process), WireJson.Default.ProcessInfo, status);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(ExecRefusal.Of(e) ?? Refusal.AgentUnavailable(e.Message));
        }
    }
}
