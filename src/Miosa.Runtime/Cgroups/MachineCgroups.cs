using System.Diagnostics;
using System.Globalization;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Cgroups;

/// <summary>Carries a <see cref="CgroupPlan"/> out on this host.</summary>
internal sealed class MachineCgroups
{
    private static readonly string[] Needed = ["cpu", "memory", "pids", "freezer"];

    private static readonly TimeSpan FreezeDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FreezeAttempt = TimeSpan.FromMilliseconds(500);

    private readonly CgroupPlan plan;

    private MachineCgroups(CgroupPlan plan, string? note) => (this.plan, Note) = (plan, note);

    public CgroupKind Kind => plan.Kind;

    /// <summary>What this host lacks, for the notes of hello.</summary>
    public string? Note { get; }

    public static MachineCgroups Detect(string instance, bool prepare = true)
    {
        var (kind, roots) = Find(File.ReadAllLines("/proc/self/mountinfo"));
        var plan = new CgroupPlan(kind, roots, instance);
        if (kind == CgroupKind.None) return new(plan, "no cgroup controllers are mounted: machines run without limits on cpu, memory and processes");
        if (!prepare) return new(plan, null);
        try
        {
            foreach (var parent in plan.Parents) Libc.Mkdir(parent, 0x1ed);
            Write(plan.Preparation);
            return new(plan, null);
        }
        catch (LinuxException e)
        {
            var none = new CgroupPlan(CgroupKind.None, new Dictionary<string, string>(), instance);
            return new(none, $"cgroups cannot be used ({e.Message}): machines run without limits on cpu, memory and processes");
        }
    }

    /// <summary>v1 counts when the controllers we need are mounted there; otherwise v2 when it is mounted.</summary>
    internal static (CgroupKind Kind, IReadOnlyDictionary<string, string> Roots) Find(IEnumerable<string> mountinfo)
    {
        var v1 = new Dictionary<string, string>();
        string? v2 = null;
        foreach (var line in mountinfo)
        {
            // id parent major:minor root mountpoint options… - type source superoptions
            var halves = line.Split(" - ", 2);
            if (halves.Length != 2) continue;
            var (point, tail) = (halves[0].Split(' ')[4], halves[1].Split(' '));
            if (tail[0] == "cgroup2") v2 ??= point;
            else if (tail[0] == "cgroup")
                foreach (var option in tail[2].Split(',')) v1.TryAdd(option, point);
        }
        if (Needed.All(v1.ContainsKey)) return (CgroupKind.V1, v1);
        return v2 is null ? (CgroupKind.None, v1) : (CgroupKind.V2, new Dictionary<string, string> { [""] = v2 });
    }

    public void Create(string machine, MachineLimits limits)
    {
        foreach (var directory in plan.Directories(machine)) Libc.Mkdir(directory, 0x1ed);
        Write(plan.Limit(machine, limits, null));
    }

    public void Limit(string machine, MachineLimits wanted, MachineLimits present) => Write(plan.Limit(machine, wanted, present));

    /// <summary>v1: the tasks files the machine writes itself into, which spares the wait of cgroup.procs. v2: the directory it is cloned into.</summary>
    public IReadOnlyList<Fd> OpenEntries(string machine) =>
        [.. plan.Directories(machine).Select(directory => Kind == CgroupKind.V1
            ? Libc.Open(directory + "/tasks", Libc.O_WRONLY)
            : Libc.Open(directory, Libc.O_PATH | Libc.O_DIRECTORY))];

    public void SetFrozen(string machine, bool frozen)
    {
        if (plan.Freeze(machine, frozen) is not { } write) throw new CommandFailure("this host has no freezer");
        Libc.WriteFile(write.Path, write.Value);
        if (!frozen) return;
        // Freezing ends when the last task has stopped; a task in the kernel takes a moment. The v1 freezer can be stuck for good while processes come
        // and go: letting them go on for a moment helps, as runc found out.
        var (clock, attempt) = (Stopwatch.StartNew(), Stopwatch.StartNew());
        while (!IsFrozen(machine, write.Path))
        {
            if (clock.Elapsed > FreezeDeadline) throw new LinuxException("freeze", machine, Errno.EBUSY);
            if (attempt.Elapsed > FreezeAttempt && plan.Freeze(machine, false) is { } thaw)
            {
                Libc.WriteFile(thaw.Path, thaw.Value);
                Thread.Sleep(10);
                Libc.WriteFile(write.Path, write.Value);
                attempt.Restart();
            }
            Thread.Yield();
        }
    }

    /// <summary>Kills what is left when the guest is gone, on hosts where the pid namespace has not done it already. Nothing, where the cgroup is gone.</summary>
    public void KillAll(string machine)
    {
        if (Kind == CgroupKind.None) return;
        if (Kind == CgroupKind.V2 && Libc.TryWriteFile(plan.FileOf(machine, "", "cgroup.kill"), "1") == 0) return;
        foreach (var line in Lines(plan.FileOf(machine, "pids", "cgroup.procs")))
        {
            using var pidfd = int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? Processes.OpenPidfd(pid) : null;
            if (pidfd is not null) Processes.Kill(pidfd, Processes.SIGKILL);
        }
        // A task frozen by the v1 freezer does not even die.
        if (Kind == CgroupKind.V1 && plan.Freeze(machine, false) is { } thaw) Libc.TryWriteFile(thaw.Path, thaw.Value);
    }

    public void Remove(string machine)
    {
        var clock = Stopwatch.StartNew();
        foreach (var directory in plan.Directories(machine))
        {
            int errno;
            while ((errno = Libc.Rmdir(directory)) == Errno.EBUSY && clock.Elapsed < TimeSpan.FromSeconds(5))
            {
                KillAll(machine);
                Thread.Sleep(1);
            }
            if (errno is not (0 or Errno.ENOENT)) Log.Line($"cgroup {directory} stays: {LinuxException.Describe(errno)}");
        }
    }

    public void RemoveParents()
    {
        foreach (var parent in plan.Parents) Libc.Rmdir(parent);
    }

    /// <summary>The names of all machines that have a cgroup, known to us or not.</summary>
    public IReadOnlyList<string> Members() =>
        [.. plan.Parents.Where(Directory.Exists).SelectMany(Directory.EnumerateDirectories).Select(path => Path.GetFileName(path)).Distinct()];

    public MachineUsage Usage(string machine) => Kind switch
    {
        CgroupKind.V1 => new MachineUsage
        {
            CpuUsec = Number(plan.FileOf(machine, "cpuacct", "cpuacct.usage")) / 1000,
            MemoryBytes = Number(plan.FileOf(machine, "memory", "memory.usage_in_bytes")),
            MemoryPeakBytes = Number(plan.FileOf(machine, "memory", "memory.max_usage_in_bytes")),
            Pids = Number(plan.FileOf(machine, "pids", "pids.current")),
            OomKills = Keyed(plan.FileOf(machine, "memory", "memory.oom_control"), "oom_kill"),
        },
        CgroupKind.V2 => new MachineUsage
        {
            CpuUsec = Keyed(plan.FileOf(machine, "", "cpu.stat"), "usage_usec"),
            MemoryBytes = Number(plan.FileOf(machine, "", "memory.current")),
            MemoryPeakBytes = Number(plan.FileOf(machine, "", "memory.peak")),
            Pids = Number(plan.FileOf(machine, "", "pids.current")),
            OomKills = Keyed(plan.FileOf(machine, "", "memory.events"), "oom_kill"),
        },
        _ => new MachineUsage(),
    };

    private bool IsFrozen(string machine, string path) => Kind == CgroupKind.V1
        ? Lines(path) is ["FROZEN", ..]
        : Keyed(plan.FileOf(machine, "", "cgroup.events"), "frozen") == 1;

    private static void Write(IReadOnlyList<CgroupWrite> writes)
    {
        foreach (var write in writes)
        {
            var errno = Libc.TryWriteFile(write.Path, write.Value);
            if (errno != 0 && errno != write.Tolerated) throw new LinuxException("write", $"{write.Path} = {write.Value}", errno);
        }
    }

    private static long Number(string path) =>
        Lines(path) is [var line, ..] && long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static long Keyed(string path, string key) =>
        Lines(path).Select(line => line.Split(' ')).Where(pair => pair.Length == 2 && pair[0] == key)
            .Select(pair => long.Parse(pair[1], CultureInfo.InvariantCulture)).FirstOrDefault();

    // A counter that this kernel lacks, or of a machine that has just gone, reads as nothing.
    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
