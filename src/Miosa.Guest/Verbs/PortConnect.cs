using System.Text.Json;
using Miosa.Guest.Ports;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>port.connect</c>: joins the stream to a TCP server inside the machine.</summary>
internal static class PortConnect
{
    public const int MostPorts = 65_535;

    public static byte[]? Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.PortConnectCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        if (call.Port is < 1 or > MostPorts)
            throw GuestFailure.BadRequest("port must be 1 to 65535");
        if (!Relay.TryAdd(new RelayedConnection(stream, call.Port)))
            throw new GuestFailure(GuestErrorCode.Busy, "no thread to be had: the machine is at its process limit");
        return null;
    }
}
