using System.Buffers;
using System.Net.WebSockets;
using Miosa.Server.Guests;

namespace Miosa.Server.Viewer;

/// <summary>
/// One viewer: a WebSocket on one side, the desktop's RFB stream on the other, the filter between them. Each viewer has a stream of its own into the
/// computer, and no buffer grows: one that does not read holds back its own pictures, nobody else's, and is cut after <see cref="ReadPatience"/>.
/// </summary>
internal sealed class ViewerSocket(WebSocket socket, RfbFilter filter, Action use)
{
    public const WebSocketCloseStatus NotAllowed = (WebSocketCloseStatus)4401;
    public const WebSocketCloseStatus NotRunning = (WebSocketCloseStatus)4409;
    public const WebSocketCloseStatus TooMany = (WebSocketCloseStatus)1013;
    private const WebSocketCloseStatus Restarting = (WebSocketCloseStatus)1012;
    private const int PieceBytes = 32 * 1024;

    /// <summary>A single piece that a viewer has not taken by then has filled every buffer on its way.</summary>
    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(5);

    public async Task RunAsync(GuestPortStream desktop, CancellationToken stopping, CancellationToken aborted)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping, aborted);
        var input = InputAsync(desktop, aborted);
        var output = OutputAsync(desktop, over.Token);
        await Task.WhenAny(input, output);
        var (status, reason) = (stopping.IsCancellationRequested, input.IsCompleted) switch
        {
            (true, _) => (Restarting, "the server is being restarted"),
            (_, true) when filter.Fault is { } fault => (WebSocketCloseStatus.ProtocolError, fault),
            (_, true) => (WebSocketCloseStatus.NormalClosure, "goodbye"),
            _ => await EndOfAsync(output),
        };
        await CloseAsync(socket, status, reason);
        await over.CancelAsync();
        // Ends what still waits for the other side: a viewer that does not read, a machine that takes no input.
        socket.Abort();
        await desktop.DisposeAsync();
        await Task.WhenAll(input, output).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Says why, for at most a few seconds.</summary>
    public static async Task CloseAsync(WebSocket socket, WebSocketCloseStatus status, string reason)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
            return;
        using var patience = new CancellationTokenSource(ClosePatience);
        try
        {
            await socket.CloseAsync(status, reason.Length <= 100 ? reason : reason[..100], patience.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException)
        {
            // Gone already, or somebody else waits for its last word.
        }
    }

    private static async Task<(WebSocketCloseStatus Status, string Reason)> EndOfAsync(Task<bool> output)
    {
        try
        {
            return await output ? (WebSocketCloseStatus.NormalClosure, "the desktop has stopped") : (WebSocketCloseStatus.PolicyViolation, "the viewer does not read");
        }
        catch (Exception e) when (e is IOException or GuestException)
        {
            return (WebSocketCloseStatus.NormalClosure, "the desktop has stopped");
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            return (WebSocketCloseStatus.NormalClosure, "goodbye");
        }
    }

    private async Task InputAsync(GuestPortStream desktop, CancellationToken ct)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        var passed = new ArrayBufferWriter<byte>(PieceBytes);
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(0, PieceBytes), ct);
                if (part.MessageType != WebSocketMessageType.Binary)
                    return;
                passed.ResetWrittenCount();
                if (!filter.TryFeed(buffer.AsSpan(0, part.Count), passed, out var hasInput))
                    return;
                if (hasInput)
                    use();
                if (passed.WrittenCount > 0)
                    await desktop.WriteAsync(passed.WrittenMemory, ct);
            }
        }
        catch (Exception e) when (e is WebSocketException or IOException or OperationCanceledException)
        {
            // The viewer is gone, or the desktop: the other direction tells which.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>True when the desktop ended, false when the viewer does not read.</summary>
    private async Task<bool> OutputAsync(GuestPortStream desktop, CancellationToken ct)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            while (await desktop.ReadAsync(buffer.AsMemory(0, PieceBytes), ct) is > 0 and var count)
            {
                patience.CancelAfter(ReadPatience);
                await socket.SendAsync(buffer.AsMemory(0, count), WebSocketMessageType.Binary, endOfMessage: true, patience.Token);
                patience.CancelAfter(Timeout.InfiniteTimeSpan);
            }
            return true;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
