using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>Sends a stream as the body of a call, no faster than the guest takes it.</summary>
internal static class GuestBody
{
    /// <summary>
    /// Ends when the source does, or quietly when the call does: the guest then wants no more. A source that fails, or a caller that gives up,
    /// cancels the call, so that half a body is never taken for a whole one.
    /// </summary>
    public static async Task SendAsync(GuestCall call, Stream source, CancellationToken ct)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var sending = PumpAsync(call, source, over.Token);
        await Task.WhenAny(sending, call.Reply);
        if (call.Reply.IsCompleted)
            await over.CancelAsync();
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // When the call is over its reply tells more than what stopped the pump.
        if (sending.IsCompletedSuccessfully || call.Reply.IsCompleted)
            return;
        await call.CancelAsync();
        await sending;
    }

    private static async Task PumpAsync(GuestCall call, Stream source, CancellationToken ct)
    {
        var frame = ArrayPool<byte>.Shared.Rent(FrameLimits.MaxFrame);
        try
        {
            while (true)
            {
                var read = await source.ReadAsync(frame.AsMemory(FrameLimits.HeaderBytes, FrameLimits.MaxPayload), ct);
                if (read == 0)
                    break;
                await call.Credit.TakeAsync(read, ct);
                await call.SendDataAsync(frame, read, ct);
            }
            await call.SendEndAsync(ct);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }
}
