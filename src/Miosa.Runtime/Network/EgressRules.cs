using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Miosa.Runtime.Host;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Network;

/// <summary>
/// The nft table of an instance, as text. A machine's packet goes through these, in this order:
/// 1. its source must be the machine's own; 2. no IPv6, no other machine, no closed range, no address of this host; 3. everything, for a
/// machine in <c>open</c>; 4. what belongs to a connection that was allowed under the present policy; 5. for a machine in <c>listed</c>: no
/// name server but ours, then its ranges and the addresses its names led to; 6. refused: told at once, and noted.
/// Packets to a machine pass when they answer one that passed. Connections the host opens (previews) are answered in every mode.
/// </summary>
internal static class EgressRules
{
    /// <summary>Where machines send their questions: the same on every host and for every slot, so that a copied disk needs no change. No route leads there; the rules hand it to our server.</summary>
    public const string DnsAddress = "169.254.53.53";

    public static string Text(RuntimeSettings settings, int logGroup, int dnsPort, IReadOnlyList<MachineEgress> machines)
    {
        var from = $"iifname \"{settings.InterfacePrefix}*\"";
        var to = $"oifname \"{settings.InterfacePrefix}*\"";
        return string.Create(CultureInfo.InvariantCulture, $$"""
            table inet {{settings.Table}} {}
            delete table inet {{settings.Table}}
            table inet {{settings.Table}} {
              set closed {
                type ipv4_addr
                flags interval
                auto-merge
                elements = { {{string.Join(", ", AddressRange.Closed.Append(settings.SubnetRange))}} }
              }
              set allowed {
                type ipv4_addr
                flags interval
                auto-merge
                {{Elements(settings.EgressAllow)}}
              }
              set open { type ifname; }
              set listed { type ifname; }
              set going { type ifname . mark; }
              map generations { type ifname : mark; }
              set names { type ifname . ipv4_addr; }
              {{string.Join("\n  ", Enumerable.Range(1, 32).Select(prefix => $"set {EgressSets.Ranges(prefix)} {{ type ifname . ipv4_addr; }}"))}}
              set noted { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }
              set dns_pace { type ifname; size 65535; flags dynamic,timeout; timeout 1m; }

              chain spoofed {
                type filter hook prerouting priority raw; policy accept;
                {{from}} fib saddr . iif oif eq 0 drop
              }
              chain name_server {
                type nat hook prerouting priority dstnat; policy accept;
                {{from}} ip daddr {{DnsAddress}} meta l4proto { tcp, udp } th dport 53 redirect to :{{dnsPort}}
              }
              chain to_host {
                type filter hook input priority filter - 10; policy accept;
                iifname != "{{settings.InterfacePrefix}}*" meta l4proto { tcp, udp } th dport {{dnsPort}} drop
                {{from}} jump machine_to_host
              }
              chain machine_to_host {
                meta nfproto ipv6 drop
                ct status dnat meta l4proto udp th dport {{dnsPort}} update @dns_pace { iifname limit rate over {{DnsPerSecond}}/second burst {{DnsBurst}} packets } drop
                ct status dnat meta l4proto { tcp, udp } th dport {{dnsPort}} accept
                ct state established,related accept
                jump refused_host
              }
              chain through_host {
                type filter hook forward priority filter - 10; policy accept;
                {{from}} jump from_machine
                {{to}} jump to_machine
              }
              chain from_machine {
                meta nfproto ipv6 drop
                {{to}} jump refused_private
                ip daddr @closed ip daddr != @allowed jump refused_private
                fib daddr type { local, broadcast, multicast, blackhole } jump refused_host
                iifname @open accept
                iifname . ct mark @going accept
                iifname @listed jump in_list
                jump refused_policy
              }
              chain in_list {
                meta l4proto { tcp, udp } th dport { 53, 853 } jump refused_resolver
                iifname . ip daddr @names ct mark set iifname map @generations accept
                {{string.Join("\n    ", Enumerable.Range(1, 32).Select(prefix => $"iifname . ip daddr & {AddressRange.Text(uint.MaxValue << (32 - prefix))} @{EgressSets.Ranges(prefix)} ct mark set iifname map @generations accept"))}}
              }
              chain to_machine {
                meta nfproto ipv6 drop
                oifname @open ct state established,related accept
                oifname . ct mark @going ct state established,related accept
                drop
              }
              {{string.Join("\n  ", Reasons.Select(reason => Refused(reason, logGroup)))}}
              chain leave_host {
                type nat hook postrouting priority srcnat; policy accept;
                {{from}} masquerade
              }
            }
            {{Present(settings, machines)}}
            """);
    }

    private const int DnsPerSecond = 200;
    private const int DnsBurst = 400;

    private static readonly string[] Reasons = [RefusalReasons.Private, RefusalReasons.Host, RefusalReasons.Resolver, RefusalReasons.Policy];

    // Noted at a bounded pace for each machine; answered at once, because a program that is refused should not wait for a time limit.
    private static string Refused(string reason, int logGroup) => string.Create(CultureInfo.InvariantCulture, $$"""
        chain refused_{{reason}} {
            update @noted { iifname limit rate 20/second burst 40 packets } log prefix "{{reason}}" group {{logGroup}} snaplen 64
            meta l4proto tcp reject with tcp reset
            reject with icmpx admin-prohibited
          }
        """);

    private static string Elements(IReadOnlyList<AddressRange> ranges) => ranges.Count == 0 ? "" : $"elements = {{ {string.Join(", ", ranges)} }}";

    // As text, in the same file: between the rules and the policies no packet passes.
    private static string Present(RuntimeSettings settings, IReadOnlyList<MachineEgress> machines)
    {
        var text = new StringBuilder();
        foreach (var set in machines.SelectMany(machine => machine.Elements(isNew: true)).Where(change => change.Elements.Count > 0).GroupBy(change => change.Set))
        {
            var elements = set.SelectMany(change => change.Elements).Select(element => Write(set.Key, element));
            text.Append(CultureInfo.InvariantCulture, $"add element inet {settings.Table} {set.Key} {{ {string.Join(", ", elements)} }}\n");
        }
        return text.ToString();
    }

    private static string Write(string set, NfTables.Element element)
    {
        var name = $"\"{Encoding.ASCII.GetString(element.Key.AsSpan(0, NfTables.NameSize)).TrimEnd('\0')}\"";
        var rest = element.Key.AsSpan(NfTables.NameSize);
        return set switch
        {
            EgressSets.Generations => string.Create(CultureInfo.InvariantCulture, $"{name} : {BitConverter.ToUInt32(element.Value ?? [0, 0, 0, 0])}"),
            EgressSets.Going => string.Create(CultureInfo.InvariantCulture, $"{name} . {BitConverter.ToUInt32(rest)}"),
            _ => rest.Length == 0 ? name : $"{name} . {AddressRange.Text(BinaryPrimitives.ReadUInt32BigEndian(rest))}",
        };
    }
}
