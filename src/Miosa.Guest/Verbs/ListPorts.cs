using System.Text;
using System.Text.Json;
using Miosa.Guest.Linux;
using Miosa.Guest.Ports;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>ports</c>: the TCP ports that something in the machine listens on.</summary>
internal static class ListPorts
{
    /// <summary>Fits the 64 KiB of a RESULT with the longest address and program name.</summary>
    private const int Most = 400;

    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.PortsCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var listeners = Listeners.Read();
        var owners = call.Owners ? Listeners.Owners(listeners.Select(l => l.Inode).ToHashSet()) : [];
        var ports = listeners.OrderBy(l => l.Port).Take(Most).Select(l => Describe(l, owners)).ToArray();
        return JsonSerializer.SerializeToUtf8Bytes(new PortsReply { Ports = ports, Truncated = listeners.Count > Most }, GuestJson.Wire.PortsReply);
    }

    private static ListeningPort Describe(Listener listener, Dictionary<ulong, int> owners)
    {
        int? pid = owners.TryGetValue(listener.Inode, out var owner) ? owner : null;
        return new ListeningPort
        {
            Port = listener.Port,
            Address = listener.Text,
            Pid = pid,
            Program = pid is { } id ? NameOf(id) : null,
        };
    }

    private static string NameOf(int pid)
    {
        const int mostBytes = 64;
        Span<byte> name = stackalloc byte[mostBytes];
        var length = SmallFile.Read(Encoding.ASCII.GetBytes($"/proc/{pid}/comm\0"), name);
        return length <= 0 ? "" : Encoding.UTF8.GetString(name[..length].TrimEnd((byte)'\n'));
    }
}
