using System.Text.Json;
using Miosa.Guest.Commands;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>info</c>: what this guest is and how full its machine is.</summary>
internal static class Info
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open) => JsonSerializer.SerializeToUtf8Bytes(
        new InfoReply
        {
            Generation = FrameLimits.Generation,
            Version = VerbTable.Version,
            UptimeMs = Environment.TickCount64 - FirstProcess.StartedAtMs,
            Processes = ProcessTable.Read().Count,
        },
        GuestJson.Wire.InfoReply);
}
