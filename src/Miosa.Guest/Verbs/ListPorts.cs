using System.Text.Json;
using Miosa.Guest.Ports;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>ports</c>: the TCP ports that something in the machine listens on.</summary>
internal static class ListPorts
{
    /// <summary>Fits the 64 KiB of a RESULT with the longest address.</summary>
    private const int Most = 400;

    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var listeners = Listeners.Read();
        var ports = listeners.OrderBy(listener => listener.Port).Take(Most).Select(listener => new ListeningPort { Port = listener.Port, Address = listener.Text }).ToArray();
        return JsonSerializer.SerializeToUtf8Bytes(new PortsReply { Ports = ports, Truncated = listeners.Count > Most }, GuestJson.Wire.PortsReply);
    }
}
