using System.Globalization;
using System.Text;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Processes;

/// <summary>
/// The group Sandbox processes, and the log of the sandbox, which is what its entry point prints. The machine's guest has the processes and
/// their output; nothing of them is in the database, so nothing is lost with this process.
/// </summary>
internal static class ProcessEndpoints
{
    private const string Sandbox = Routes.Base + "/sandboxes/{sandbox_id}";
    private const string All = Sandbox + "/processes";
    private const string One = All + "/{pid}";
    private const int DefaultTail = 200;
    private const int MaxTail = 10_000;
    private const int MaxLogBytes = 1 << 20;
    private const int MaxStdinBytes = 1 << 20;

    private static readonly Dictionary<string, int> Signals = new(StringComparer.OrdinalIgnoreCase)
    {
        ["HUP"] = 1, ["INT"] = 2, ["QUIT"] = 3, ["ILL"] = 4, ["TRAP"] = 5, ["ABRT"] = 6, ["BUS"] = 7, ["FPE"] = 8, ["KILL"] = 9, ["USR1"] = 10,
        ["SEGV"] = 11, ["USR2"] = 12, ["PIPE"] = 13, ["ALRM"] = 14, ["TERM"] = 15, ["CHLD"] = 17, ["CONT"] = 18, ["STOP"] = 19, ["TSTP"] = 20,
        ["TTIN"] = 21, ["TTOU"] = 22, ["URG"] = 23, ["XCPU"] = 24, ["XFSZ"] = 25, ["VTALRM"] = 26, ["PROF"] = 27, ["WINCH"] = 28, ["IO"] = 29, ["SYS"] = 31,
    };

    public static void MapProcesses(this IEndpointRouteBuilder routes)
    {
        routes.Map("POST", All, ProcessStart.StartAsync).Needs(Scopes.SandboxesExec).WithMetadata(new Replayable(KeyInBody: false));
        routes.Map("GET", All, ListAsync).Needs(Scopes.SandboxesRead);
        routes.Map("GET", One, GetAsync).Needs(Scopes.SandboxesRead);
        routes.Map("GET", One + "/logs", LogsAsync).Needs(Scopes.SandboxesRead);
        routes.MapStream("GET", One + "/stream", ProcessStream.ProcessAsync).Needs(Scopes.SandboxesRead);
        routes.Map("POST", One + "/stdin", StdinAsync).Needs(Scopes.SandboxesExec).WithMetadata(new Replayable(KeyInBody: false));
        routes.Map("POST", One + "/signal", SignalAsync).Needs(Scopes.SandboxesExec).WithMetadata(new Replayable(KeyInBody: false));
        routes.Map("DELETE", One, StopAsync).Needs(Scopes.SandboxesExec);
        routes.Map("POST", One + "/stop", StopAsync).Needs(Scopes.SandboxesExec);
        routes.Map("GET", Sandbox + "/logs", SandboxLogsAsync).Needs(Scopes.SandboxesRead);
        routes.MapStream("GET", Sandbox + "/logs/stream", ProcessStream.LogAsync).Needs(Scopes.SandboxesRead);
    }

    /// <summary>Null for what cannot be a process: the caller answers 404, never 400.</summary>
    public static int? PidOf(HttpContext context) =>
        int.TryParse(context.PathValue("pid"), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && pid > 0 ? pid : null;

    public static Refusal RefusalOf(GuestException e, string field) => e.Code switch
    {
        GuestErrorCode.NotFound => Refusal.NotFound("process"),
        _ => FileCall.RefusalOf(e, field),
    };

    /// <summary>The process of the sandbox's entry point: the last one started, should there have been several lives.</summary>
    public static async Task<int?> EntrypointAsync(GuestConnection guest, CancellationToken ct) =>
        (await guest.ListProcessesAsync(ct)).LastOrDefault(process => process.Name == AfterBoot.EntrypointName)?.Pid;

    private static Task<IResult> ListAsync(HttpContext context) => RunAsync(context, AdmitFor.FileRead, "pid", async (guest, ct) =>
        Reply.Bare(new ProcessList { Data = [.. (await guest.ListProcessesAsync(ct)).Select(ProcessView.Of)] }, WireJson.Default.ProcessList));

    private static Task<IResult> GetAsync(HttpContext context) => WithPidAsync(context, AdmitFor.FileRead, "pid", async (guest, pid, ct) =>
        Reply.One(ProcessView.Of(await guest.GetProcessAsync(pid, ct)), WireJson.Default.ProcessInfo));

    private static Task<IResult> StopAsync(HttpContext context) => WithPidAsync(context, AdmitFor.Exec, "pid", async (guest, pid, ct) =>
    {
        await guest.StopProcessAsync(pid, ct);
        return Reply.Ok();
    });

    private static async Task<IResult> LogsAsync(HttpContext context)
    {
        var (lines, refusal) = LinesOf(context);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        return await WithPidAsync(context, AdmitFor.FileRead, "pid", async (guest, pid, ct) =>
        {
            var (text, truncated) = await guest.TailProcessAsync(pid, lines, MaxLogBytes, ct);
            var logs = new ProcessLogs { Data = text, Logs = text, Pid = pid.ToString(CultureInfo.InvariantCulture), Truncated = truncated };
            return Reply.Bare(logs, WireJson.Default.ProcessLogs);
        });
    }

    private static async Task<IResult> SandboxLogsAsync(HttpContext context)
    {
        var (lines, refusal) = LinesOf(context);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        return await RunAsync(context, AdmitFor.FileRead, "pid", async (guest, ct) =>
        {
            var text = await EntrypointAsync(guest, ct) is { } pid ? (await guest.TailProcessAsync(pid, lines, MaxLogBytes, ct)).Text : "";
            var split = text.Split('\n');
            return Reply.One(new SandboxLogs { Logs = text, Lines = split[^1].Length == 0 ? split[..^1] : split }, WireJson.Default.SandboxLogs);
        });
    }

    private static async Task<IResult> StdinAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None, 2 * MaxStdinBytes);
        var data = fields.Text("data", MaxStdinBytes, allowEmpty: true);
        var eof = fields.Bool("eof") ?? false;
        if (data is null && refusal is null)
            fields.Fail("data", "is required: text for standard input");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await WithPidAsync(context, AdmitFor.Exec, "data", async (guest, pid, ct) =>
        {
            await guest.FeedProcessAsync(pid, Encoding.UTF8.GetBytes(data!), eof, ct); // refused above when it is missing
            return Reply.Ok();
        });
    }

    private static async Task<IResult> SignalAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var name = fields.Text("signal", 20);
        if (name is null && refusal is null)
            fields.Fail("signal", "is required: a name such as \"SIGTERM\" or a number");
        var signal = name is null ? null : SignalOf(name);
        if (name is not null && signal is null)
            fields.Fail("signal", $"must be a name such as \"SIGTERM\" or a number from 1 to 64, got \"{name}\"");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await WithPidAsync(context, AdmitFor.Exec, "signal", async (guest, pid, ct) =>
        {
            await guest.SignalProcessAsync(pid, signal ?? 0, ct);
            return Reply.Ok();
        });
    }

    private static int? SignalOf(string name)
    {
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number is >= 1 and <= 64 ? number : null;
        return Signals.TryGetValue(name.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? name[3..] : name, out var found) ? found : null;
    }

    private static (int Lines, Refusal? Refusal) LinesOf(HttpContext context)
    {
        foreach (var name in (string[])["tail", "lines"])
        {
            if (context.Request.Query[name].ToString() is not { Length: > 0 } text)
                continue;
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var lines) && lines is >= 1 and <= MaxTail
                ? (lines, null)
                : (0, Refusal.Invalid(name, $"must be a number from 1 to {MaxTail}, got \"{text}\""));
        }
        return (DefaultTail, null);
    }

    private static Task<IResult> WithPidAsync(
        HttpContext context, AdmitFor purpose, string field, Func<GuestConnection, int, CancellationToken, Task<IResult>> act) =>
        RunAsync(context, purpose, field, (guest, ct) => PidOf(context) is { } pid ? act(guest, pid, ct) : Task.FromResult(Reply.Refuse(Refusal.NotFound("process"))));

    private static async Task<IResult> RunAsync(
        HttpContext context, AdmitFor purpose, string field, Func<GuestConnection, CancellationToken, Task<IResult>> act)
    {
        var admitted = await context.AdmitAsync(purpose);
        if (admitted.Refusal is { } refusal)
            return Reply.Refuse(refusal);
        try
        {
            return await act(admitted.Guest, context.RequestAborted);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(RefusalOf(e, field));
        }
    }
}
