using System.Buffers;
using System.Net.WebSockets;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Terminals;

/// <summary>A WebSocket attached to a terminal: what is typed there, what is printed here, until one of them ends.</summary>
internal sealed class TerminalSocket(CommandSocket socket, Admitted admitted, string id, TimeProvider time)
{
    private const WebSocketCloseStatus Restarting = (WebSocketCloseStatus)1012;
    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(2);

    /// <summary>True when the terminal ended; false when only this socket did.</summary>
    public async Task<bool> RunAsync(GuestCall call, CancellationToken stopping, CancellationToken aborted)
    {
        using var left = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping, left.Token);
        // Waiting for input is not cancelled by a stop: that would tear the socket before it can be told.
        var input = ReceiveAsync(call, left.Token);
        var output = SendAsync(call, over.Token);
        await Task.WhenAny(input, output);
        var hasEnded = output.IsCompleted && await ToldAsync(output);
        if (!hasEnded)
        {
            await LeaveAsync(call, output);
            await socket.CloseAsync(stopping.IsCancellationRequested ? Restarting : WebSocketCloseStatus.NormalClosure, "this socket is over, the terminal is not");
        }
        call.Abandon();
        await CommandSocket.GoodbyeAsync(input, left);
        await ((Task)output).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return hasEnded;
    }

    /// <summary>What was typed before the goodbye still reaches the terminal, unless its program does not read.</summary>
    private static async Task LeaveAsync(GuestCall call, Task output)
    {
        try
        {
            await call.SendEndAsync(CancellationToken.None);
            await output.WaitAsync(LeavePatience);
        }
        catch (Exception e) when (e is GuestException or OperationCanceledException or WebSocketException or IOException or TimeoutException)
        {
            // Then not.
        }
    }

    private async Task<bool> ToldAsync(Task<int?> output)
    {
        try
        {
            if (await output is not { } exit)
                return false;
            await socket.ExitAsync(exit, CancellationToken.None);
            return true;
        }
        catch (GuestException e)
        {
            await socket.CloseAsync(WebSocketCloseStatus.InternalServerError, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or IOException)
        {
            // The server stops, or the client is gone.
        }
        return false;
    }

    private async Task ReceiveAsync(GuestCall call, CancellationToken ct)
    {
        var frame = ArrayPool<byte>.Shared.Rent(FrameLimits.MaxFrame);
        try
        {
            while (await socket.ReceiveAsync(ct) is { } input)
            {
                admitted.Touch(time.GetUtcNow());
                if (input.Size is { } size)
                    await admitted.Guest.ResizeTerminalAsync(id, size.Cols, size.Rows, ct);
                var key = KeyOf(input.Signal);
                if (input.Signal is not null && key is null)
                    return;
                for (var bytes = key is null ? input.Bytes : key; !bytes.IsEmpty;)
                {
                    var count = Math.Min(bytes.Length, FrameLimits.MaxPayload);
                    bytes[..count].CopyTo(frame.AsMemory(FrameLimits.HeaderBytes));
                    await call.Credit.TakeAsync(count, ct);
                    await call.SendDataAsync(frame, count, ct);
                    bytes = bytes[count..];
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    /// <summary>The key that means the signal in a terminal. The others mean the end of this socket, and so of a command that belongs to it.</summary>
    private static byte[]? KeyOf(string? signal) => signal switch
    {
        "SIGINT" or "INT" => [3],
        "SIGQUIT" or "QUIT" => [28],
        "SIGTSTP" or "TSTP" => [26],
        _ => null,
    };

    private async Task<int?> SendAsync(GuestCall call, CancellationToken ct)
    {
        for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
        {
            admitted.Touch(time.GetUtcNow());
            await socket.SendAsync(isStderr: false, chunk.Bytes, ct);
        }
        return (await call.ReplyAsync(GuestJson.Wire.GuestTerminal, ct)).ExitCode;
    }
}
