using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Exec;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Terminals;

/// <summary>
/// A command over a WebSocket (<c>exec/ws</c>, <c>exec/spawn</c>): with <c>pty</c> in a terminal of its own, else with plain pipes. It ends with its
/// socket, like every command that is waited for.
/// </summary>
internal static class ExecSocket
{
    /// <summary>Names the terminal of a command with <c>pty</c>, for exec/resize.</summary>
    private const string SessionHeader = "X-Miosa-Session-Id";

    public static async Task RunAsync(HttpContext context, OutputFrames standard, bool isTerminal, bool tellsExitByCode)
    {
        var query = context.Request.Query;
        var settings = context.RequestServices.GetRequiredService<ServerSettings>();
        var fields = ExecCommand.FieldsOf(query);
        var (cols, rows, pty) = (Size(query, "cols", 80, fields), Size(query, "rows", 24, fields), query["pty"].ToString() is { Length: > 0 } said ? said is "true" or "1" : isTerminal);
        var frames = TerminalEndpoints.FramesOf(context, standard, fields);
        // Python sends words joined by commas and the environment as one JSON object.
        fields.Body.Remove("args");
        fields.Body.Remove("env");
        if (query["args"].ToString() is { Length: > 0 } words && query["command"].ToString() is { Length: > 0 } program)
            fields.Body["command"] = new JsonArray([program, .. words.Split(',').Select(word => (JsonNode?)word)]);
        if (query["env"].ToString() is { Length: > 0 } env && !TryEnv(env, fields))
            fields.Fail("env", "must be a JSON object of strings");
        var (command, refusal) = ExecCommand.Of(fields, TimeSpan.FromSeconds(settings.MaxExecSec));
        if (command is { IsDetached: true })
            refusal = Refusal.Invalid("detached", "cannot be used with a WebSocket: start a process instead");
        if (refusal is null && !context.WebSockets.IsWebSocketRequest)
            refusal = TerminalEndpoints.NotASocket;
        if (command is null || refusal is not null)
        {
            await Reply.Refuse(refusal ?? Refusal.Internal()).ExecuteAsync(context);
            return;
        }
        var admitted = await context.RequestServices.GetRequiredService<Machines>().AdmitAsync(context, context.PathValue("sandbox_id"), AdmitFor.Exec);
        (var whole, refusal) = admitted.Refusal is null ? command.Within(admitted.Env) : (null, admitted.Refusal);
        if (whole is null)
            await Reply.Refuse(refusal!).ExecuteAsync(context); // one of the two is always there
        else if (pty)
            await InTerminalAsync(context, whole, admitted, cols, rows, frames, tellsExitByCode);
        else
            await WithPipesAsync(context, whole, admitted, frames, tellsExitByCode);
    }

    private static async Task InTerminalAsync(
        HttpContext context, ExecCommand command, Admitted admitted, int cols, int rows, OutputFrames frames, bool tellsExitByCode)
    {
        var id = Ids.New("sess");
        var exec = command.ToCall();
        GuestCall call;
        try
        {
            await admitted.Guest.OpenTerminalAsync(
                new TerminalOpenCall { Id = id, Shell = exec.Shell, Argv = exec.Argv, Cwd = exec.Cwd, Env = exec.Env, Cols = cols, Rows = rows }, CancellationToken.None);
            call = await admitted.Guest.AttachTerminalAsync(id, CancellationToken.None);
        }
        catch (GuestException e)
        {
            await Reply.Refuse(ExecRefusal.Of(e) ?? Refusal.AgentUnavailable(e.Message)).ExecuteAsync(context);
            return;
        }
        var hasEnded = false;
        try
        {
            context.Response.Headers[SessionHeader] = id;
            using var limit = TerminalEndpoints.Stopping(context);
            limit.CancelAfter(command.Timeout);
            using var socket = new CommandSocket(await context.WebSockets.AcceptWebSocketAsync(), frames, tellsExitByCode);
            hasEnded = await new TerminalSocket(socket, admitted, id, context.RequestServices.GetRequiredService<TimeProvider>())
                .RunAsync(call, limit.Token, context.RequestAborted);
        }
        finally
        {
            if (!hasEnded)
                await CloseAsync(admitted.Guest, id);
        }
    }

    private static async Task CloseAsync(GuestConnection guest, string id)
    {
        try
        {
            await guest.CloseTerminalAsync(id, CancellationToken.None);
        }
        catch (GuestException)
        {
            // The machine is gone and the command with it.
        }
    }

    private static async Task WithPipesAsync(HttpContext context, ExecCommand command, Admitted admitted, OutputFrames frames, bool tellsExitByCode)
    {
        using var stopping = TerminalEndpoints.Stopping(context);
        using var left = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token, left.Token);
        using var socket = new CommandSocket(await context.WebSockets.AcceptWebSocketAsync(), frames, tellsExitByCode);
        var stdin = new Pipe();
        var typing = TypeAsync(socket, stdin.Writer, over, left.Token);
        try
        {
            var outcome = await admitted.Guest.ExecAsync(command.ToCall() with { Stdin = true }, socket.SendAsync, stdin.Reader.AsStream(), over.Token);
            await socket.ExitAsync(outcome.ExitCode, CancellationToken.None);
        }
        catch (GuestException e)
        {
            await socket.CloseAsync(WebSocketCloseStatus.InternalServerError, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or IOException)
        {
            // The client has left or the server stops: the guest has killed the tree before this was thrown.
            await socket.CloseAsync(WebSocketCloseStatus.EndpointUnavailable, "the command was ended");
        }
        await CommandSocket.GoodbyeAsync(typing, left);
    }

    /// <summary>A client that closes or vanishes ends the command; <c>stdin_close</c>, and the close of a client of raw frames, end its input alone.</summary>
    private static async Task TypeAsync(CommandSocket socket, PipeWriter stdin, CancellationTokenSource over, CancellationToken left)
    {
        var isOpen = true;
        while (await socket.ReceiveAsync(left) is { } input)
        {
            if (input.Signal is not null)
                break;
            if (input.IsEnd)
                await stdin.CompleteAsync();
            isOpen &= !input.IsEnd;
            // What comes after the end of input is nobody's; the same when the command does not read on.
            if (isOpen && !input.Bytes.IsEmpty)
                isOpen = !(await stdin.WriteAsync(input.Bytes, left)).IsCompleted;
        }
        await stdin.CompleteAsync();
        if (!socket.EndsInputOnly)
            await over.CancelAsync();
    }

    private static int Size(IQueryCollection query, string name, int standard, Fields fields)
    {
        if (query[name].ToString() is not { Length: > 0 } text)
            return standard;
        if (int.TryParse(text, out var size) && size is >= 1 and <= TerminalEndpoints.MaxSize)
            return size;
        fields.Fail(name, $"must be a whole number from 1 to {TerminalEndpoints.MaxSize}, got \"{text}\"");
        return standard;
    }

    private static bool TryEnv(string text, Fields fields)
    {
        try
        {
            if (JsonNode.Parse(text) is not JsonObject env)
                return false;
            fields.Body["env"] = env;
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
