using Miosa.Guest;
using Miosa.Server.Exec;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Terminals;

/// <summary>
/// Terminals, and commands over a WebSocket (group Sandbox exec, and the same of computers). A terminal belongs to the machine's guest: it outlives sockets and this process,
/// and ends with its program, by its DELETE, or with the machine.
/// </summary>
internal static class TerminalEndpoints
{
    public const int MaxSize = 1000;

    private const string Sandbox = Routes.Base + "/sandboxes/{sandbox_id}";
    private const string All = Sandbox + "/terminal";
    private const string One = All + "/{session_id}";

    private const string Computer = Routes.Base + "/computers/{computer_id}";

    public static Refusal NotASocket => Refusal.BadRequest("this address is for WebSockets: send an upgrade request");

    public static void MapTerminals(this IEndpointRouteBuilder routes)
    {
        routes.Map("POST", All, CreateAsync).Needs(Scopes.SandboxesExec).WithMetadata(new Replayable(KeyInBody: false));
        routes.Map("GET", All, ListAsync).Needs(Scopes.SandboxesRead);
        routes.Map("DELETE", One, DeleteAsync).Needs(Scopes.SandboxesExec);
        routes.Map("POST", One + "/resize", context => ResizeAsync(context, context.PathValue("session_id"))).Needs(Scopes.SandboxesExec);
        routes.Map("POST", Sandbox + "/exec/resize", context => ResizeAsync(context, null)).Needs(Scopes.SandboxesExec);
        Socket(One + "/ws", AttachAsync);
        Socket(Sandbox + "/exec/ws", context => ExecSocket.RunAsync(context, SocketForm.Prefixed));
        Socket(Sandbox + "/exec/spawn", context => ExecSocket.RunAsync(context, SocketForm.Spawned));
        routes.Map("POST", Computer + "/terminal", CreateAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        foreach (var session in (string[])["/pty/{session_id}", "/terminal/{session_id}"])
            routes.Map("POST", $"{Computer}{session}/resize", context => ResizeAsync(context, context.PathValue("session_id"))).Needs(Scopes.ComputersWrite);
        SocketOfComputer("/pty/{session_id}", AttachAsync);
        // The only WebSocket exec that existing clients have; they use it with sandbox ids, too.
        AlsoOfSandboxes("/exec/ws", _ => SocketForm.Raw);
        AlsoOfSandboxes("/exec/spawn", _ => SocketForm.Spawned);
        AlsoOfSandboxes("/exec/stream", SocketForm.Offered);

        void Socket(string pattern, RequestDelegate handler) => routes.MapStream("GET", pattern, handler).Needs(Scopes.SandboxesExec).WithMetadata(new KeyInQuery());

        IEndpointConventionBuilder SocketOfComputer(string path, RequestDelegate handler) =>
            routes.MapStream("GET", Computer + path, handler).Needs(Scopes.ComputersWrite).WithMetadata(new KeyInQuery());

        void AlsoOfSandboxes(string path, Func<HttpContext, SocketForm> form) =>
            SocketOfComputer(path, context => ExecSocket.RunAsync(context, form(context))).WithMetadata(new AlsoOfSandboxes(Scopes.SandboxesExec));
    }

    /// <summary>Which of the forms of output the client asked for with <c>?frames=</c>.</summary>
    public static OutputFrames FramesOf(HttpContext context, OutputFrames standard, Fields fields)
    {
        switch (context.Request.Query["frames"].ToString())
        {
            case "":
                return standard;
            case "binary":
                return OutputFrames.Prefixed;
            case "json":
                return OutputFrames.Json;
            default:
                fields.Fail("frames", "must be \"binary\" or \"json\"");
                return standard;
        }
    }

    /// <summary>Cancelled when the server stops: an open WebSocket would hold it up.</summary>
    public static CancellationTokenSource Stopping(HttpContext context) =>
        CancellationTokenSource.CreateLinkedTokenSource(context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);

    private static async Task<IResult> CreateAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var (cols, rows) = (fields.Int("cols", 1, MaxSize) ?? 80, fields.Int("rows", 1, MaxSize) ?? 24);
        var shell = fields.Text("shell", 4096);
        var cwd = fields.Text("cwd", 4096);
        var user = context.IsAboutComputer() ? fields.Text("user", 64) : null;
        var env = fields.TextMap("env", ExecCommand.EnvironmentName(), maxLength: 16_384);
        if (env?.Sum(pair => pair.Key.Length + pair.Value.Length) > 16_384)
            fields.Fail("env", "must have at most 16384 characters in all");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await RunAsync(context, "shell", async admitted =>
        {
            var merged = admitted.Env.ToDictionary();
            foreach (var (name, value) in env ?? new Dictionary<string, string>())
                merged[name] = value;
            // Not cancelled with the request: a terminal that nobody was told of could not be found by its caller.
            var terminal = await admitted.Guest.OpenTerminalAsync(
                new TerminalOpenCall { Id = Ids.New("sess"), Argv = shell is null ? null : [shell], Cwd = cwd ?? admitted.Defaults?.Folder, User = user ?? admitted.Defaults?.User, Env = merged, Cols = cols, Rows = rows }, CancellationToken.None);
            var session = Of(context, terminal);
            // Clients of computers give the answer on as it is, and unwrap what has "data".
            return context.IsAboutComputer() ? Reply.Bare(session, WireJson.Default.TerminalSession, 201) : Reply.One(session, WireJson.Default.TerminalSession, 201);
        });
    }

    private static Task<IResult> ListAsync(HttpContext context) => RunAsync(context, "session_id", async admitted => Reply.Bare(
        new TerminalList { Data = [.. (await admitted.Guest.ListTerminalsAsync(context.RequestAborted)).Where(t => t.ExitCode is null).Select(t => Of(context, t))] },
        WireJson.Default.TerminalList));

    private static Task<IResult> DeleteAsync(HttpContext context) => RunAsync(context, "session_id", async admitted =>
    {
        await admitted.Guest.CloseTerminalAsync(context.PathValue("session_id"), context.RequestAborted);
        return Reply.Ok();
    });

    private static async Task<IResult> ResizeAsync(HttpContext context, string? id)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        id ??= fields.Text("session_id");
        var (cols, rows) = (fields.Int("cols", 1, MaxSize), fields.Int("rows", 1, MaxSize));
        foreach (var (name, isThere) in ((string, bool)[])[("session_id", id is not null), ("cols", cols is not null), ("rows", rows is not null)])
        {
            if (!isThere && !fields.Has(name))
                fields.Fail(name, "is required");
        }
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await RunAsync(context, "session_id", async admitted =>
        {
            await admitted.Guest.ResizeTerminalAsync(id ?? "", cols ?? 0, rows ?? 0, context.RequestAborted); // refused above when one is missing
            return Reply.Ok();
        });
    }

    private static async Task AttachAsync(HttpContext context)
    {
        var fields = new Fields([]);
        var frames = FramesOf(context, context.IsAboutComputer() ? OutputFrames.Plain : OutputFrames.Prefixed, fields);
        var refusal = fields.Errors() ?? (context.WebSockets.IsWebSocketRequest ? null : NotASocket);
        var id = context.PathValue("session_id");
        if (refusal is null)
        {
            // Not busy for as long as it is open: what is typed and printed counts as use.
            var admitted = await context.AdmitOnlookerAsync(AdmitFor.Exec);
            refusal = admitted.Refusal;
            if (refusal is null)
                refusal = await AttachAsync(context, admitted, id, frames);
        }
        if (refusal is not null)
            await Reply.Refuse(refusal).ExecuteAsync(context);
    }

    private static async Task<Refusal?> AttachAsync(HttpContext context, Admitted admitted, string id, OutputFrames frames)
    {
        GuestCall call;
        try
        {
            // Before the upgrade: one that is not known is a 404.
            if (!(await admitted.Guest.ListTerminalsAsync(context.RequestAborted)).Any(terminal => terminal.Id == id))
                return Refusal.NotFound("terminal");
            call = await admitted.Guest.AttachTerminalAsync(id, context.RequestAborted);
        }
        catch (GuestException e)
        {
            return RefusalOf(e, "session_id");
        }
        using var stopping = Stopping(context);
        using var socket = new CommandSocket(await context.WebSockets.AcceptWebSocketAsync(), frames, tellsExitByCode: !context.IsAboutComputer());
        await new TerminalSocket(socket, admitted, id, context.RequestServices.GetRequiredService<TimeProvider>()).RunAsync(call, stopping.Token, context.RequestAborted);
        return null;
    }

    private static async Task<IResult> RunAsync(HttpContext context, string field, Func<Admitted, Task<IResult>> act)
    {
        var admitted = await context.AdmitAsync(AdmitFor.Exec);
        if (admitted.Refusal is { } refusal)
            return Reply.Refuse(refusal);
        try
        {
            return await act(admitted);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(RefusalOf(e, field));
        }
    }

    private static Refusal RefusalOf(GuestException e, string field) => e.Code switch
    {
        GuestErrorCode.NotFound when field == "session_id" => Refusal.NotFound("terminal"),
        GuestErrorCode.NotFound or GuestErrorCode.NotDirectory => Refusal.Invalid("cwd", e.Message),
        _ => Files.FileCall.RefusalOf(e, field),
    };

    private static TerminalSession Of(HttpContext context, GuestTerminal terminal)
    {
        var id = terminal.Id ?? "";
        var request = context.Request;
        return new TerminalSession
        {
            SessionId = id,
            Id = id,
            Cols = terminal.Cols,
            Rows = terminal.Rows,
            Shell = terminal.Shell,
            WsUrl = $"{(request.IsHttps ? "wss" : "ws")}://{request.Host}{Routes.Base}/{context.Area()}/{Uri.EscapeDataString(context.MachinePath().Id)}"
                + (context.IsAboutComputer() ? $"/pty/{id}" : $"/terminal/{id}/ws"),
            CreatedAt = GuestTime.Of(terminal.StartedMs),
        };
    }
}
