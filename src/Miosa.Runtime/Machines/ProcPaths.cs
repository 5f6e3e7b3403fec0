namespace Miosa.Runtime.Machines;

/// <summary>The parts of /proc that a machine does not see or cannot write; only those this kernel has.</summary>
internal sealed record ProcPaths
{
    public IReadOnlyList<string> MaskedFiles { get; } =
        [.. new[]
        {
            "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
            "/proc/sched_debug", "/proc/sysrq-trigger", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup",
            "/proc/kmsg", "/proc/kallsyms", "/proc/interrupts", "/proc/config.gz", "/proc/slabinfo", "/proc/vmallocinfo",
        }.Where(File.Exists)];

    public IReadOnlyList<string> MaskedDirectories { get; } =
        [.. new[] { "/proc/acpi", "/proc/scsi", "/proc/asound", "/proc/driver", "/proc/dynamic_debug", "/proc/pressure" }.Where(Directory.Exists)];

    public IReadOnlyList<string> ReadOnly { get; } =
        [.. new[] { "/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/tty", "/proc/sysvipc" }.Where(Directory.Exists)];
}
