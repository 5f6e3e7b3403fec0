using System.Text.Json;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>suspend</c>: ends every connection, this one too, so that the machine's memory can be written to disk (<see cref="Door"/>).</summary>
internal static class Suspend
{
    public static byte[]? Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        Door.BeginClosing();
        // Answered before the main thread is woken: it ends this connection.
        StreamRun.End(stream, FrameType.Result, JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done));
        FirstProcess.Wake();
        return null;
    }
}
