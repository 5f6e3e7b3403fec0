using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Primitives;
using Miosa.Guest;
using Miosa.Server.Exec;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Terminals;

/// <summary>How the clients of one address speak.</summary>
/// <param name="Standard">The form of output when <c>?frames=</c> does not say.</param>
/// <param name="IsTerminal">Whether a command gets a terminal when nothing is said.</param>
/// <param name="TellsExitByCode">The close code tells the exit code.</param>
/// <param name="SubProtocol">To be answered.</param>
internal sealed record SocketForm(OutputFrames Standard, bool IsTerminal, bool TellsExitByCode, string? SubProtocol = null)
{
    private const string TypedProtocol = "miosa-exec-v1";

    /// <summary>Binary with a prefix: our own clients and Go.</summary>
    public static readonly SocketForm Prefixed = new(OutputFrames.Prefixed, IsTerminal: false, TellsExitByCode: true);

    /// <summary>One address of Python and Go, each of which reads its half.</summary>
    public static readonly SocketForm Spawned = new(OutputFrames.Both, IsTerminal: true, TellsExitByCode: false);

    /// <summary>Elixir, which must not be answered any subprotocol.</summary>
    public static readonly SocketForm Raw = new(OutputFrames.Raw, IsTerminal: false, TellsExitByCode: true);

    private static readonly SocketForm Typed = new(OutputFrames.Typed, IsTerminal: false, TellsExitByCode: false, TypedProtocol);
    private static readonly SocketForm Texts = new(OutputFrames.Json, IsTerminal: true, TellsExitByCode: false);

    /// <summary>One address of TypeScript, which offers its subprotocol, and of Python up to 1.1, which offers none.</summary>
    public static SocketForm Offered(HttpContext context) => context.WebSockets.WebSocketRequestedProtocols.Contains(TypedProtocol) ? Typed : Texts;
}

/// <summary>
/// A command over a WebSocket (<c>exec/ws</c>, <c>exec/spawn</c>, <c>exec/stream</c> of computers): with <c>pty</c> in a terminal of its own, else with plain pipes. It ends with its
/// socket, like every command that is waited for.
/// </summary>
internal static class ExecSocket
{
    /// <summary>Names the terminal of a command with <c>pty</c>, for exec/resize.</summary>
    private const string SessionHeader = "X-Miosa-Session-Id";

    public static async Task RunAsync(HttpContext context, SocketForm form)
    {
        var query = context.Request.Query;
        var settings = context.RequestServices.GetRequiredService<ServerSettings>();
        var fields = ExecCommand.FieldsOf(query);
        var (cols, rows, pty) = (Size(query, "cols", 80, fields), Size(query, "rows", 24, fields), (query["pty"].ToString() + query["tty"]) is { Length: > 0 } said ? said is "true" or "1" : form.IsTerminal);
        var frames = form.Standard == OutputFrames.Typed ? OutputFrames.Typed : TerminalEndpoints.FramesOf(context, form.Standard, fields);
        // Python sends words joined by commas and the environment as one JSON object; TypeScript repeats both.
        fields.Body.Remove("args");
        fields.Body.Remove("env");
        if (query["args"] is { Count: > 0 } words && words.ToString().Length > 0 && query["command"].ToString() is { Length: > 0 } program)
            fields.Body["command"] = new JsonArray([program, .. (form.Standard == OutputFrames.Typed ? words.OfType<string>() : words.ToString().Split(',')).Select(word => (JsonNode?)word)]);
        if (query["env"] is { Count: > 0 } env && env.ToString().Length > 0 && !TryEnv(env, fields))
            fields.Fail("env", "must be a JSON object of strings, or NAME=VALUE, which may be repeated");
        var (command, refusal) = ExecCommand.Of(fields, ExecLimits.UpTo(TimeSpan.FromSeconds(settings.MaxExecSec)) with { TakesUser = context.IsAboutComputer() });
        if (command is { IsDetached: true })
            refusal = Refusal.Invalid("detached", "cannot be used with a WebSocket: start a process instead");
        if (refusal is null && !context.WebSockets.IsWebSocketRequest)
            refusal = TerminalEndpoints.NotASocket;
        if (command is null || refusal is not null)
        {
            await Reply.Refuse(refusal ?? Refusal.Internal()).ExecuteAsync(context);
            return;
        }
        var admitted = await context.AdmitAsync(AdmitFor.Exec);
        (var whole, refusal) = admitted.Refusal is null ? command.Within(admitted) : (null, admitted.Refusal);
        if (whole is null)
            await Reply.Refuse(refusal!).ExecuteAsync(context); // one of the two is always there
        else if (pty)
            await InTerminalAsync(context, whole, admitted, cols, rows, form, frames);
        else
            await WithPipesAsync(context, whole, admitted, form, frames);
    }

    private static async Task InTerminalAsync(
        HttpContext context, ExecCommand command, Admitted admitted, int cols, int rows, SocketForm form, OutputFrames frames)
    {
        var id = Ids.New("sess");
        var exec = command.ToCall();
        GuestCall call;
        try
        {
            await admitted.Guest.OpenTerminalAsync(
                new TerminalOpenCall { Id = id, Shell = exec.Shell, Argv = exec.Argv, Cwd = exec.Cwd, User = exec.User, Env = exec.Env, Cols = cols, Rows = rows }, CancellationToken.None);
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
            using var socket = new CommandSocket(await context.WebSockets.AcceptWebSocketAsync(form.SubProtocol), frames, form.TellsExitByCode);
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

    private static async Task WithPipesAsync(HttpContext context, ExecCommand command, Admitted admitted, SocketForm form, OutputFrames frames)
    {
        using var stopping = TerminalEndpoints.Stopping(context);
        using var left = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token, left.Token);
        using var socket = new CommandSocket(await context.WebSockets.AcceptWebSocketAsync(form.SubProtocol), frames, form.TellsExitByCode);
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

    private static bool TryEnv(StringValues values, Fields fields)
    {
        if (values[0] is not ['{', ..])
        {
            var pairs = new JsonObject();
            foreach (var pair in values)
            {
                var equals = pair?.IndexOf('=', StringComparison.Ordinal) ?? 0;
                if (pair is null || equals <= 0)
                    return false;
                pairs[pair[..equals]] = pair[(equals + 1)..];
            }
            fields.Body["env"] = pairs;
            return true;
        }
        try
        {
            if (JsonNode.Parse(values[0] ?? "") is not JsonObject env)
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
