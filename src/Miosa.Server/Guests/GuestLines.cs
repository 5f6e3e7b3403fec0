using System.Buffers;
using Miosa.Guest;

namespace Miosa.Server.Guests;

/// <summary>What a guest tells in lines.</summary>
internal sealed class GuestLines(GuestCall call, int maxLine)
{
    private readonly ArrayBufferWriter<byte> line = new(1024);
    private ReadOnlySequence<byte> rest;
    private bool isWhole;

    /// <summary>The next line, good until the one after it is asked for. Null: all is told, and the guest's reply is next.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> NextAsync(CancellationToken ct)
    {
        if (isWhole)
            line.ResetWrittenCount();
        isWhole = false;
        while (true)
        {
            if (rest.PositionOf((byte)'\n') is { } newline)
            {
                Append(rest.Slice(0, newline));
                rest = rest.Slice(rest.GetPosition(1, newline));
                isWhole = true;
                return line.WrittenMemory;
            }
            Append(rest);
            rest = default;
            var chunk = await call.NextAsync(ct);
            if (chunk.IsEnd)
                return null;
            if (chunk.Channel == FrameChannel.Body)
                rest = chunk.Bytes;
        }
    }

    private void Append(ReadOnlySequence<byte> bytes)
    {
        if (line.WrittenCount + bytes.Length > maxLine)
            throw call.Broken("the guest sent a line without end");
        foreach (var part in bytes)
            line.Write(part.Span);
    }
}
