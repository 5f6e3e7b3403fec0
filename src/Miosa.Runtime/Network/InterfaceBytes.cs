using System.Globalization;

namespace Miosa.Runtime.Network;

/// <summary>The byte counters of a machine's interface on the host's side, where the machine cannot change them.</summary>
internal static class InterfaceBytes
{
    /// <summary>As the machine sees it: what the host's end received, the machine sent. Nulls when there is no such interface.</summary>
    public static (long? Sent, long? Received) Of(string hostInterface)
    {
        try
        {
            return (Read(hostInterface, "rx_bytes"), Read(hostInterface, "tx_bytes"));
        }
        catch (IOException)
        {
            // No network, or the machine died in this moment.
            return (null, null);
        }
    }

    private static long Read(string hostInterface, string counter) =>
        long.Parse(File.ReadAllText($"/sys/class/net/{hostInterface}/statistics/{counter}"), NumberStyles.Integer | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
}
