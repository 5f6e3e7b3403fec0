using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>Takes a piece of output; the memory is valid during the call. Until it returns the guest gets no more credit.</summary>
internal delegate ValueTask ExecOutput(bool isStderr, ReadOnlySequence<byte> bytes, CancellationToken ct);

/// <summary>Running commands in a machine.</summary>
internal static class GuestExec
{
    /// <summary>
    /// Runs to the end. Cancelling kills everything the command started, waits until the guest has done it, and throws
    /// <see cref="OperationCanceledException"/>; the same when <paramref name="output"/> or <paramref name="stdin"/> fail, with their exception.
    /// </summary>
    public static async Task<ExecReply> ExecAsync(
        this GuestConnection guest, ExecCall command, ExecOutput output, Stream? stdin, CancellationToken ct)
    {
        if (command.Stdin != stdin is not null)
            command = command with { Stdin = stdin is not null };
        var call = await guest.OpenAsync(GuestVerb.Exec, command, GuestJson.Wire.ExecCall, takesData: true, ct);
        var feeding = stdin is null ? Task.CompletedTask : GuestBody.SendAsync(call, stdin, ct);
        try
        {
            for (var chunk = await call.NextAsync(ct); !chunk.IsEnd; chunk = await call.NextAsync(ct))
            {
                if (chunk.Channel is FrameChannel.Stdout or FrameChannel.Stderr)
                    await output(chunk.Channel == FrameChannel.Stderr, chunk.Bytes, ct);
            }
            await feeding;
            return await call.ReplyAsync(GuestJson.Wire.ExecReply, ct);
        }
        catch
        {
            await call.CancelAsync();
            throw;
        }
    }
}
