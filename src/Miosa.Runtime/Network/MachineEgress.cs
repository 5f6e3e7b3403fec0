namespace Miosa.Runtime.Network;

/// <summary>What the runtime holds of one machine's egress: its policy and generation, the addresses its names led to, what it was refused.</summary>
internal sealed class MachineEgress(string machine, int slot, string interfaceName, EgressPolicy policy, uint generation)
{
    /// <summary>An address stays open this long at least after a name led to it: clients keep addresses longer than they should.</summary>
    private static readonly TimeSpan ShortestStay = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan LongestStay = TimeSpan.FromDays(1);

    /// <summary>Most addresses that names may open for one machine at a time.</summary>
    private const int LearntLimit = 1024;

    private readonly Dictionary<uint, (string Name, DateTimeOffset Until)> learnt = [];

    public string Machine => machine;
    public int Slot => slot;
    public string InterfaceName => interfaceName;

    /// <summary>Held by whoever changes the policy or the learnt addresses, and while the kernel's sets follow.</summary>
    public Lock Turn { get; } = new();

    public EgressPolicy Policy { get; set; } = policy;

    /// <summary>Connections carry the generation under which they began: a policy that takes something away has a new one, and what began before must be allowed anew.</summary>
    public uint Generation { get; set; } = generation;

    /// <summary>False when the machine is gone and its answers have no reader any more.</summary>
    public bool IsOver { get; set; }

    public Refusals Refusals { get; } = new();

    public Dns.MachinePace DnsPace { get; } = new();

    /// <summary>Every element this machine has in the sets now.</summary>
    public IReadOnlyList<NfTables.Change> Elements(bool isNew) =>
    [
        .. EgressSets.PolicyElements(interfaceName, Policy, Generation, isNew),
        new(EgressSets.Names, isNew, [.. learnt.Keys.Select(address => new NfTables.Element(NfTables.Key(interfaceName, address)))]),
    ];

    /// <summary>Notes addresses that <paramref name="name"/> led to.</summary>
    /// <returns>Those that are new, and those that had to make room.</returns>
    public (IReadOnlyList<uint> New, IReadOnlyList<uint> Gone) Learn(string name, IReadOnlyCollection<uint> addresses, TimeSpan ttl, DateTimeOffset now)
    {
        var until = now + (ttl < ShortestStay ? ShortestStay : ttl > LongestStay ? LongestStay : ttl);
        var (fresh, gone) = (new List<uint>(), new List<uint>());
        foreach (var address in addresses)
        {
            if (learnt.TryGetValue(address, out var old))
            {
                if (old.Until < until) learnt[address] = (name, until);
                continue;
            }
            if (learnt.Count == LearntLimit)
            {
                var first = learnt.MinBy(entry => entry.Value.Until).Key;
                learnt.Remove(first);
                if (!fresh.Remove(first)) gone.Add(first);
            }
            learnt[address] = (name, until);
            fresh.Add(address);
        }
        return (fresh, gone);
    }

    /// <summary>What was learnt did not reach the kernel.</summary>
    public void Unlearn(IEnumerable<uint> addresses)
    {
        foreach (var address in addresses) learnt.Remove(address);
    }

    /// <summary>Forgets what has run out, or what <paramref name="policy"/> does not list any more.</summary>
    public IReadOnlyDictionary<uint, (string Name, DateTimeOffset Until)> Forget(EgressPolicy policy, DateTimeOffset now)
    {
        var gone = learnt.Where(entry => entry.Value.Until <= now || !policy.Lists(entry.Value.Name)).ToDictionary();
        foreach (var address in gone.Keys) learnt.Remove(address);
        return gone;
    }

    /// <summary>What was forgotten is still in the kernel.</summary>
    public void Remember(IReadOnlyDictionary<uint, (string Name, DateTimeOffset Until)> forgotten)
    {
        foreach (var (address, entry) in forgotten) learnt[address] = entry;
    }
}
