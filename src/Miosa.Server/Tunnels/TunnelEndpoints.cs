using System.Globalization;
using System.Net.WebSockets;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Terminals;

namespace Miosa.Server.Tunnels;

/// <summary>
/// A TCP connection into a computer over a WebSocket: binary messages are its bytes, both ways. A close from either side ends it: 1000 when the
/// other side had ended it, 1011 when it broke.
/// </summary>
internal static class TunnelEndpoints
{
    private const string Protocol = "miosa-tunnel-v1";
    private const int PieceBytes = 64 * 1024;
    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(5);

    public static void Map(IEndpointRouteBuilder api) =>
        api.MapStream("GET", "/computers/{computer_id}/tunnel/{port}", RunAsync).Needs(Scopes.ComputersWrite).WithMetadata(new KeyInQuery());

    private static async Task RunAsync(HttpContext context)
    {
        var refusal = int.TryParse(context.PathValue("port"), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= 65_535
            ? null
            : Refusal.NotFound("port");
        if (refusal is null && !context.WebSockets.IsWebSocketRequest)
            refusal = TerminalEndpoints.NotASocket;
        if (refusal is null)
        {
            var admitted = await context.AdmitAsync(AdmitFor.Preview);
            refusal = admitted.Refusal ?? await RunAsync(context, admitted, port);
        }
        if (refusal is not null)
            await Reply.Refuse(refusal).ExecuteAsync(context);
    }

    private static async Task<Refusal?> RunAsync(HttpContext context, Admitted admitted, int port)
    {
        GuestPortStream connection;
        try
        {
            // Before the upgrade: a port on which nothing listens is an answer.
            connection = await admitted.Guest.ConnectPortAsync(port, context.RequestAborted);
        }
        catch (GuestException e)
        {
            return e.Code == GuestErrorCode.NotFound ? Refusal.Conflict($"nothing listens on port {port} of the computer") : Refusal.AgentUnavailable(e.Message);
        }
        await using (connection)
        {
            var isOffered = context.WebSockets.WebSocketRequestedProtocols.Contains(Protocol);
            using var socket = await context.WebSockets.AcceptWebSocketAsync(isOffered ? Protocol : null);
            using var stopping = TerminalEndpoints.Stopping(context);
            using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping.Token);
            var inward = SendInAsync(socket, connection, over.Token);
            var outward = SendOutAsync(connection, socket, over.Token);
            var isBroken = await Task.WhenAny(inward, outward) is { IsFaulted: true };
            await CloseAsync(socket, isBroken);
            over.CancelAfter(ClosePatience);
            // The client has read all that was sent before its own close.
            await inward.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await over.CancelAsync();
            await outward.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return null;
    }

    private static async Task SendInAsync(WebSocket socket, GuestPortStream connection, CancellationToken ct)
    {
        var buffer = new byte[PieceBytes];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), ct);
            if (part.MessageType == WebSocketMessageType.Close)
                return;
            // After the connection's end there is nobody to write to; the client's close is still waited for.
            if (part.MessageType == WebSocketMessageType.Binary && socket.State == WebSocketState.Open)
                await connection.WriteAsync(buffer.AsMemory(0, part.Count), ct);
        }
    }

    private static async Task SendOutAsync(GuestPortStream connection, WebSocket socket, CancellationToken ct)
    {
        var buffer = new byte[PieceBytes];
        while (await connection.ReadAsync(buffer.AsMemory(), ct) is > 0 and var count)
            await socket.SendAsync(buffer.AsMemory(0, count), WebSocketMessageType.Binary, endOfMessage: true, ct);
    }

    private static async Task CloseAsync(WebSocket socket, bool isBroken)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
            return;
        using var patience = new CancellationTokenSource(ClosePatience);
        try
        {
            await socket.CloseOutputAsync(isBroken ? WebSocketCloseStatus.InternalServerError : WebSocketCloseStatus.NormalClosure, isBroken ? "the connection broke" : "the connection ended", patience.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Gone already.
        }
    }
}
