using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Miosa.Runtime.Wire;

// The server compiles this same file, so it may use nothing else of the runtime.

/// <summary>IPv4 addresses written as address/prefix: the network's first address as a number, and how many bits of it count.</summary>
internal readonly record struct AddressRange(uint First, int Prefix)
{
    /// <summary>What no machine reaches unless the operator says so: this host's neighbourhood, metadata addresses, and what is no address of a host.</summary>
    public static IReadOnlyList<AddressRange> Closed { get; } =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16",
            "198.18.0.0/15", "224.0.0.0/3",
        }.Select(text => TryParse(text, out var range) ? range : throw new FormatException(text)),
    ];

    private uint Mask => Prefix == 0 ? 0 : uint.MaxValue << (32 - Prefix);

    /// <summary>Takes <c>a.b.c.d/n</c> with no bit set behind the prefix, and <c>a.b.c.d</c> as /32.</summary>
    public static bool TryParse(string text, out AddressRange range)
    {
        range = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var prefix = 32;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out prefix) || prefix > 32)) return false;
        if (!TryNumber(slash < 0 ? text : text[..slash], out var first)) return false;
        range = new AddressRange(first, prefix);
        return (first & ~range.Mask) == 0;
    }

    /// <summary>Four decimal numbers; the shorter and octal forms of inet_aton are refused, as readers disagree about them.</summary>
    public static bool TryNumber(string text, out uint number)
    {
        number = 0;
        if (text.Split('.') is not { Length: 4 } parts || !parts.All(part => part is [>= '0' and <= '9'] or [>= '1' and <= '9', ..] && part.Length <= 3)
            || !IPAddress.TryParse(text, out var address) || address.AddressFamily != AddressFamily.InterNetwork) return false;
        number = NumberOf(address);
        return true;
    }

    public static uint NumberOf(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    public bool Contains(uint address) => (address & Mask) == First;

    public bool Contains(AddressRange other) => other.Prefix >= Prefix && Contains(other.First);

    public static string Text(uint address) => string.Create(CultureInfo.InvariantCulture, $"{address >> 24}.{(address >> 16) & 255}.{(address >> 8) & 255}.{address & 255}");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Text(First)}/{Prefix}");
}
