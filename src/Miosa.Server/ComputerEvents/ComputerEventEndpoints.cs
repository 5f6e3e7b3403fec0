using System.Net.WebSockets;
using System.Threading.Channels;
using Miosa.Server.Events;
using Miosa.Server.Files;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Snapshots;

namespace Miosa.Server.ComputerEvents;

/// <summary>
/// Live events of a computer, one address for two protocols. A WebSocket tells what happens inside: it needs the computer running and ends with it. Server-sent
/// events tell of its states first of all, and of what happens inside besides when that is asked for, whenever it runs.
/// </summary>
internal sealed class ComputerEventEndpoints(Machines machines, TenantFeeds feeds, Restores restores, TimeProvider time)
{
    private const string Protocol = "miosa-events-v1";
    private const int QueueLength = 1024;
    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(5);

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ComputerEventEndpoints>();
        api.MapStream("GET", "/computers/{computer_id}/events", it.RunAsync).Needs(Scopes.ComputersRead).WithMetadata(new KeyInQuery(), new TicketInQuery());
    }

    private async Task RunAsync(HttpContext context)
    {
        var isSocket = context.WebSockets.IsWebSocketRequest;
        var (wish, refusal) = EventWish.Of(context.Request.Query, isRequired: isSocket);
        if (wish is null)
            await Reply.Refuse(refusal ?? Refusal.Internal()).ExecuteAsync(context);
        else if (isSocket)
            await SocketAsync(context, wish);
        else
            await StreamAsync(context, wish);
    }

    private async Task SocketAsync(HttpContext context, EventWish wish)
    {
        // Not busy for as long as it is open: who looks on does not keep a computer from its idle limit.
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        var isOffered = context.WebSockets.WebSocketRequestedProtocols.Contains(Protocol);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(isOffered ? Protocol : null);
        using var stopping = Terminals.TerminalEndpoints.Stopping(context);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping.Token);
        using var left = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var queue = NewQueue();
        var input = DrainAsync(socket, over, left.Token);
        var producing = ProduceAsync(new Producers(admitted.Guest, wish, queue.Writer, time), queue.Writer, over.Token);
        var (status, reason) = (WebSocketCloseStatus.EndpointUnavailable, "the computer does not run any more");
        try
        {
            await foreach (var told in queue.Reader.ReadAllAsync(over.Token))
                await socket.SendAsync(Reply.Bytes(told, WireJson.Default.ComputerEvent).AsMemory(), WebSocketMessageType.Text, endOfMessage: true, over.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            (status, reason) = stopping.IsCancellationRequested ? ((WebSocketCloseStatus)1012, "the server stops; connect again") : (WebSocketCloseStatus.NormalClosure, "goodbye");
        }
        await over.CancelAsync();
        await producing;
        await CloseAsync(socket, status, reason);
        left.CancelAfter(ClosePatience);
        await input.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StreamAsync(HttpContext context, EventWish wish)
    {
        if (await context.FindMachineAsync() is not { } computer)
        {
            await Reply.Refuse(context.UnknownMachine()).ExecuteAsync(context);
            return;
        }
        // Before the headers: what happens behind them is told.
        var states = new StateReader(computer.Id, computer.State.Wire(computer.Kind), context.Abort);
        using var seat = await feeds.JoinAsync(computer.TenantId, states);
        LongStream.Allow(context);
        await using var sse = await Sse.StartAsync(context);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(sse.Ended);
        var queue = NewQueue();
        restores.Taken += OnTaken;
        var inside = wish.Producers.Count == 0 ? Task.CompletedTask : InsideAsync(context, wish, states, queue.Writer, over.Token);
        var telling = StatesAsync(sse, states);
        try
        {
            await foreach (var told in queue.Reader.ReadAllAsync(sse.Ended))
                await sse.WriteAsync(null, told.Type, Reply.Bytes(told, WireJson.Default.ComputerEvent));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && sse.Ended.IsCancellationRequested)
        {
            // The reader left or the server stops.
        }
        finally
        {
            restores.Taken -= OnTaken;
            await over.CancelAsync();
            states.Complete();
            await telling;
            await inside;
        }

        void OnTaken(SnapshotRow row)
        {
            if (row.SandboxId == computer.Id)
                states.TellTaken(time.GetUtcNow());
        }

        async Task StatesAsync(Sse stream, StateReader reader)
        {
            try
            {
                await foreach (var told in reader.ReadAllAsync(stream.Ended))
                    await stream.WriteAsync(null, told.Type, Reply.Bytes(told, WireJson.Default.ComputerStatusEvent));
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // The reader left or the server stops.
            }
            // Deleted: nothing comes any more.
            queue.Writer.TryComplete();
        }
    }

    /// <summary>What happens inside, in one life of the computer after the other.</summary>
    private async Task InsideAsync(HttpContext context, EventWish wish, StateReader states, ChannelWriter<ComputerEvent> queue, CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var started = states.NextStart;
                var admitted = await machines.FindAsync(context) is { State: MachineState.Running } ? await context.AdmitOnlookerAsync(AdmitFor.FileRead) : default(Admitted?);
                if (admitted is { Refusal: null } running)
                    await new Producers(running.Guest, wish, queue, time).RunAsync(ct);
                await started.WaitAsync(ct);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // Nobody reads any more.
        }
    }

    private static Channel<ComputerEvent> NewQueue() => Channel.CreateBounded<ComputerEvent>(new BoundedChannelOptions(QueueLength) { SingleReader = true });

    private static async Task ProduceAsync(Producers producers, ChannelWriter<ComputerEvent> queue, CancellationToken ct)
    {
        try
        {
            await producers.RunAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // Nobody reads any more.
        }
        queue.TryComplete();
    }

    /// <summary>Nothing a client says means anything; its close ends the stream.</summary>
    private static async Task DrainAsync(WebSocket socket, CancellationTokenSource over, CancellationToken ct)
    {
        var buffer = new byte[1024];
        try
        {
            while ((await socket.ReceiveAsync(buffer.AsMemory(), ct)).MessageType != WebSocketMessageType.Close)
            {
                // Dropped.
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Gone.
        }
        await over.CancelAsync();
    }

    private static async Task CloseAsync(WebSocket socket, WebSocketCloseStatus status, string reason)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
            return;
        using var patience = new CancellationTokenSource(ClosePatience);
        try
        {
            await socket.CloseOutputAsync(status, reason, patience.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Gone already.
        }
    }
}
