using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

/// <summary>The host's side of all machine networks: one nft table whose rules are loaded once; what differs between machines are elements of its sets.</summary>
internal sealed class MachineNetwork
{
    private const string Forwarding = "/proc/sys/net/ipv4/ip_forward";

    private readonly RuntimeSettings settings;

    private MachineNetwork(RuntimeSettings settings, bool isAvailable, string? note) => (this.settings, IsAvailable, Note) = (settings, isAvailable, note);

    public bool IsAvailable { get; private set; }

    public string? Note { get; private set; }

    public static MachineNetwork Open(RuntimeSettings settings)
    {
        if (Tools.Find("nft") is null) return new(settings, false, "machines have only loopback: nft is missing (apt-get install nftables)");
        try
        {
            if (File.ReadAllText(Forwarding).Trim() == "1") return new(settings, true, null);
            File.WriteAllText(ForwardingRecord(settings), "");
            Libc.WriteFile(Forwarding, "1");
            return new(settings, true, "net.ipv4.ip_forward was off and is on now; \"miosa-runtime down\" puts it back");
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            return new(settings, false, $"machines have only loopback: {e.Message}");
        }
    }

    public void Fail(string why) => (IsAvailable, Note) = (false, $"machines have only loopback: {why}");

    /// <summary>Replaces the table by one that holds the policies of <paramref name="machines"/>, in one transaction.</summary>
    public void Load(int logGroup, int dnsPort, IReadOnlyList<MachineEgress> machines) => Load(settings, EgressRules.Text(settings, logGroup, dnsPort, machines));

    public static void Remove(RuntimeSettings settings)
    {
        if (Tools.Find("nft") is null) return;
        Load(settings, $"table inet {settings.Table} {{}}\ndelete table inet {settings.Table}\n");
        if (!File.Exists(ForwardingRecord(settings))) return;
        File.Delete(ForwardingRecord(settings));
        // Another instance may live on the forwarding that this one switched on.
        if (!Tools.Output("nft", "list", "tables").Contains("inet machines_", StringComparison.Ordinal)) Libc.WriteFile(Forwarding, "0");
    }

    /// <summary>The interfaces of this instance that still exist.</summary>
    public static IReadOnlyList<string> Interfaces(RuntimeSettings settings) =>
        [.. Directory.EnumerateFileSystemEntries("/sys/class/net").Select(path => Path.GetFileName(path)).Where(name => name.StartsWith(settings.InterfacePrefix, StringComparison.Ordinal))];

    // A file and not standard input: nft 1.0.6 breaks a word in two where the pipe was filled by two writes.
    private static void Load(RuntimeSettings settings, string rules)
    {
        var path = settings.Data + "/network.nft";
        File.WriteAllText(path, rules);
        Tools.Run("nft", ["-f", path]);
    }

    private static string ForwardingRecord(RuntimeSettings settings) => settings.Data + "/ip_forward_was_off";
}
