using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Miosa.Runtime.Images;
using Miosa.Runtime.Launch;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Host;

/// <summary>Where one instance of the runtime keeps its things and what they are called on the host.</summary>
internal sealed partial record RuntimeSettings
{
    public string Data { get; init; } = "/var/lib/miosa";
    public string Run { get; init; } = "/run/miosa";

    /// <summary>Tells instances on one host apart: cgroup, nft table and interfaces are named after it.</summary>
    public string Name { get; init; } = "miosa";

    /// <summary>The account of miosa-server: its uid may speak to the runtime, its group may connect to the guests.</summary>
    public string User { get; init; } = "miosa";
    public string Subnet { get; init; } = "10.213.0.0/16";
    public uint IdBase { get; init; } = IdRanges.DefaultBase;
    public string? Guest { get; init; }

    /// <summary>The program of gVisor; null looks for it where programs are.</summary>
    public string? Runsc { get; init; }

    /// <summary>Size of the data volume when one has to be made; null takes 80 % of what is free.</summary>
    public int? DiskGb { get; init; }
    /// <summary>What one image may take when unpacked.</summary>
    public int ImageGb { get; init; } = 16;

    /// <summary>How many entries one archive may have.</summary>
    public int ImageFiles { get; init; } = 1_000_000;

    /// <summary>Name servers that answer for machines, as address or address:port; null takes those of the host.</summary>
    public IReadOnlyList<IPEndPoint>? Resolvers { get; init; }

    /// <summary>Private ranges that machines may reach like public ones.</summary>
    public IReadOnlyList<AddressRange> EgressAllow { get; init; } = [];
    public bool Purge { get; init; }

    /// <summary>Where built images are kept as archives, so that a second data directory has them in seconds.</summary>
    public string Cache { get; init; } = "/var/cache/miosa";

    /// <summary>A step of the launch that shall fail (for tests).</summary>
    public string? FailAt { get; init; }

    /// <summary>Behave as on a kernel without id-mapped layers: one range for all machines, over a copy of the image shifted into it.</summary>
    public bool IsSharedIdRange { get; init; }

    /// <summary>One line per launch with the time of each step.</summary>
    public bool IsTraced { get; init; }

    public string Socket => Run + "/runtime.sock";
    public string Machines => Data + "/machines";
    public string Images => Data + "/images";
    public string VolumeFile => Data.TrimEnd('/') + ".img";
    public string Table => "machines_" + Name.Replace('-', '_');

    /// <summary>Eleven characters at most stay for the kernel's limit of 15; the dash ends it, so that no prefix begins another.</summary>
    public string InterfacePrefix
    {
        get
        {
            var hash = new Sha256();
            hash.Append(Encoding.UTF8.GetBytes(Name));
            return $"ms{hash.Finish()[..4]}-";
        }
    }

    /// <summary>The group of nflog that is tried first.</summary>
    public int LogGroup => 1024 + (NameNumber % 60_000);

    /// <summary>The port of the name server that is tried first: the same after a restart, so that a machine's flows go on. Below the ports that the kernel gives out.</summary>
    public int DnsPort => 20_000 + (NameNumber % 12_000);

    public AddressRange SubnetRange => AddressRange.TryParse(Subnet, out var range) ? range : throw new CommandFailure($"--subnet \"{Subnet}\"");

    private int NameNumber
    {
        get
        {
            var hash = new Sha256();
            hash.Append(Encoding.UTF8.GetBytes(Name));
            return Convert.ToInt32(hash.Finish()[4..8], 16);
        }
    }

    public string InterfaceOf(int slot) => InterfacePrefix + slot.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>True for addresses that no machine may reach, whatever its policy says.</summary>
    public bool IsClosed(uint address) =>
        SubnetRange.Contains(address) || (AddressRange.Closed.Any(range => range.Contains(address)) && !EgressAllow.Any(range => range.Contains(address)));

    public string DirectoryOf(string machine) => $"{Machines}/{machine}";

    public string RunDirectoryOf(string machine) => $"{Run}/machines/{machine}";

    /// <summary>The network of machine number <paramref name="slot"/>: four addresses, ours and its in the middle.</summary>
    public (IPAddress Host, IPAddress Machine) AddressesOf(int slot)
    {
        var first = Subnets.First(Subnet) + (4u * (uint)slot);
        return (Subnets.Address(first + 1), Subnets.Address(first + 2));
    }

    /// <summary>How many machines this instance can number: id ranges and addresses go by the same slot.</summary>
    public int Slots => Math.Min(IdRanges.Count(IdBase), Subnets.Count(Subnet) / 4);

    public void Validate()
    {
        if (!InstanceName().IsMatch(Name)) throw new CommandFailure($"--name \"{Name}\" is not [a-z][a-z0-9-]{{0,15}}");
        foreach (var (option, path) in new[] { ("--data", Data), ("--run", Run) })
            if (!Path.IsPathRooted(path) || path.Contains("..", StringComparison.Ordinal) || path.Contains(':') || path.Contains(',') || path.TrimEnd('/').Length < 2)
                throw new CommandFailure($"{option} \"{path}\" must be an absolute path without \"..\", \",\" and \":\"");
        Subnets.Check(Subnet);
        if (EgressAllow.FirstOrDefault(range => range.Contains(SubnetRange) || SubnetRange.Contains(range)) is { Prefix: > 0 } own)
            throw new CommandFailure($"--egress-allow {own} holds addresses of machines (--subnet {Subnet}): machines never reach each other");
        if (IdBase < IdRanges.Size || Slots < 1) throw new CommandFailure($"--id-base {IdBase} leaves no id range");
    }

    [GeneratedRegex("^[a-z][a-z0-9-]{0,15}$")]
    private static partial Regex InstanceName();
}
