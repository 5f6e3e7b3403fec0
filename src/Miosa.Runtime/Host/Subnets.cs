using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Miosa.Runtime.Host;

/// <summary>Arithmetic on an IPv4 network written as address/prefix.</summary>
internal static class Subnets
{
    public static void Check(string subnet)
    {
        var parts = subnet.Split('/');
        if (parts.Length == 2 && IPAddress.TryParse(parts[0], out var address) && address.AddressFamily == AddressFamily.InterNetwork
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var prefix) && prefix is >= 8 and <= 28
            && (Number(address) & (uint.MaxValue >> prefix)) == 0)
            return;
        throw new CommandFailure($"--subnet \"{subnet}\" is not an IPv4 network like 10.213.0.0/16 (prefix 8 to 28)");
    }

    public static uint First(string subnet) => Number(IPAddress.Parse(subnet.Split('/')[0]));

    public static int Count(string subnet) => 1 << (32 - int.Parse(subnet.Split('/')[1], CultureInfo.InvariantCulture));

    public static IPAddress Address(uint number)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }

    private static uint Number(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());
}
