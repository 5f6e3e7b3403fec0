using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Network;

/// <summary>The host's side of all machine networks: one static nft table, loaded once; no rule is added per machine.</summary>
internal sealed class MachineNetwork
{
    private const string Forwarding = "/proc/sys/net/ipv4/ip_forward";

    private MachineNetwork(bool isAvailable, string? note) => (IsAvailable, Note) = (isAvailable, note);

    public bool IsAvailable { get; }

    public string? Note { get; }

    public static MachineNetwork Open(RuntimeSettings settings)
    {
        if (Tools.Find("nft") is null) return new(false, "machines have only loopback: nft is missing (apt-get install nftables)");
        try
        {
            Load(settings, Rules(settings));
            if (File.ReadAllText(Forwarding).Trim() == "1") return new(true, null);
            File.WriteAllText(ForwardingRecord(settings), "");
            Libc.WriteFile(Forwarding, "1");
            return new(true, "net.ipv4.ip_forward was off and is on now; \"miosa-runtime down\" puts it back");
        }
        catch (Exception e) when (e is CommandFailure or LinuxException)
        {
            return new(false, $"machines have only loopback: {e.Message}");
        }
    }

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

    /// <summary>
    /// Machines reach the internet and nothing else: no private network, no metadata address, not this host, not each other, no IPv6.
    /// Answers to connections the host itself opened (previews) may pass; source addresses must be the machine's own.
    /// </summary>
    internal static string Rules(RuntimeSettings settings) => $$"""
        table inet {{settings.Table}} {}
        delete table inet {{settings.Table}}
        table inet {{settings.Table}} {
          set closed {
            type ipv4_addr
            flags interval
            elements = { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3 }
          }
          chain spoofed {
            type filter hook prerouting priority raw; policy accept;
            iifname "{{settings.InterfacePrefix}}*" fib saddr . iif oif eq 0 drop
          }
          chain to_host {
            type filter hook input priority filter - 10; policy accept;
            iifname "{{settings.InterfacePrefix}}*" ct state established,related accept
            iifname "{{settings.InterfacePrefix}}*" drop
          }
          chain through_host {
            type filter hook forward priority filter - 10; policy accept;
            iifname "{{settings.InterfacePrefix}}*" jump from_machine
            oifname "{{settings.InterfacePrefix}}*" ct state established,related accept
            oifname "{{settings.InterfacePrefix}}*" drop
          }
          chain from_machine {
            meta nfproto ipv6 drop
            oifname "{{settings.InterfacePrefix}}*" drop
            ip daddr @closed drop
            fib daddr type { local, broadcast, multicast, blackhole } drop
          }
          chain leave_host {
            type nat hook postrouting priority srcnat; policy accept;
            iifname "{{settings.InterfacePrefix}}*" masquerade
          }
        }
        """;

    // A file and not standard input: nft 1.0.6 breaks a word in two where the pipe was filled by two writes.
    private static void Load(RuntimeSettings settings, string rules)
    {
        var path = settings.Data + "/network.nft";
        File.WriteAllText(path, rules);
        Tools.Run("nft", ["-f", path]);
    }

    private static string ForwardingRecord(RuntimeSettings settings) => settings.Data + "/ip_forward_was_off";
}
