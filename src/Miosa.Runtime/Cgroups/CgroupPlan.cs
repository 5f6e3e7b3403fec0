using System.Globalization;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Cgroups;

internal enum CgroupKind
{
    None,
    V1,
    V2,
}

internal sealed record MachineLimits(double Vcpus, long MemoryMb, long Pids);

/// <summary>One value for one control file. <see cref="Tolerated"/> is an errno that does not matter.</summary>
internal sealed record CgroupWrite(string Path, string Value, int Tolerated = 0);

/// <summary>
/// Which directories and files limit a machine, on both cgroup versions, as data. Roots maps a v1 controller to its mount, or "" to the v2 mount.
/// </summary>
internal sealed class CgroupPlan(CgroupKind kind, IReadOnlyDictionary<string, string> roots, string instance)
{
    private const int PeriodUsec = 100_000;

    // v1 in the order a machine enters them; freezer last, so that a frozen parent cannot stop the entering itself.
    private static readonly string[] V1Controllers = ["cpu", "cpuacct", "memory", "pids", "freezer"];

    public CgroupKind Kind => kind;

    /// <summary>The directory of the instance in each hierarchy.</summary>
    public IReadOnlyList<string> Parents { get; } =
        kind switch
        {
            CgroupKind.V1 => [.. V1Controllers.Where(roots.ContainsKey).Select(controller => $"{roots[controller]}/{instance}").Distinct()],
            CgroupKind.V2 => [$"{roots[""]}/{instance}"],
            _ => [],
        };

    /// <summary>What makes the controllers available to machines on v2.</summary>
    public IReadOnlyList<CgroupWrite> Preparation { get; } =
        kind == CgroupKind.V2
            ? [new($"{roots[""]}/cgroup.subtree_control", "+cpu +memory +pids"), new($"{roots[""]}/{instance}/cgroup.subtree_control", "+cpu +memory +pids")]
            : [];

    public IEnumerable<string> Directories(string machine) => Parents.Select(parent => $"{parent}/{machine}");

    public string FileOf(string machine, string controller, string file) =>
        kind == CgroupKind.V2 ? $"{Parents[0]}/{machine}/{file}" : $"{roots[controller]}/{instance}/{machine}/{file}";

    /// <summary>The writes that make <paramref name="wanted"/> true. Raising memory and swap on v1 has to go in the other order than lowering.</summary>
    public IReadOnlyList<CgroupWrite> Limit(string machine, MachineLimits wanted, MachineLimits? present)
    {
        var quota = Math.Max(1000, (long)Math.Round(wanted.Vcpus * PeriodUsec));
        var memory = wanted.MemoryMb * 1024 * 1024;
        var writes = new List<CgroupWrite>();
        void Add(string controller, string file, string value, int tolerated = 0) => writes.Add(new(FileOf(machine, controller, file), value, tolerated));

        if (kind == CgroupKind.V2)
        {
            Add("cpu", "cpu.max", string.Create(CultureInfo.InvariantCulture, $"{quota} {PeriodUsec}"));
            Add("memory", "memory.max", Number(memory));
            Add("memory", "memory.swap.max", "0", Errno.ENOENT);
            Add("pids", "pids.max", Number(wanted.Pids));
        }
        else if (kind == CgroupKind.V1)
        {
            Add("cpu", "cpu.cfs_period_us", Number(PeriodUsec));
            Add("cpu", "cpu.cfs_quota_us", Number(quota));
            // Equal limits for memory and memory with swap: no swap. The swap file is absent where swap accounting is off.
            if (present is not null && wanted.MemoryMb > present.MemoryMb)
            {
                Add("memory", "memory.memsw.limit_in_bytes", Number(memory), Errno.ENOENT);
                Add("memory", "memory.limit_in_bytes", Number(memory));
            }
            else
            {
                Add("memory", "memory.limit_in_bytes", Number(memory));
                Add("memory", "memory.memsw.limit_in_bytes", Number(memory), Errno.ENOENT);
            }
            Add("pids", "pids.max", Number(wanted.Pids));
        }
        return writes;
    }

    public CgroupWrite? Freeze(string machine, bool frozen) => kind switch
    {
        CgroupKind.V1 => new(FileOf(machine, "freezer", "freezer.state"), frozen ? "FROZEN" : "THAWED"),
        CgroupKind.V2 => new(FileOf(machine, "", "cgroup.freeze"), frozen ? "1" : "0"),
        _ => null,
    };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
