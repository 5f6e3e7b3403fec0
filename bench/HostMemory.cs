using System.Globalization;

namespace Miosa.Bench;

internal static class HostMemory
{
    /// <summary>What the kernel could still hand out, in KiB: counts everything a machine costs, slab and page tables too.</summary>
    public static long AvailableKb() => Field("/proc/meminfo", "MemAvailable:");

    public static long ResidentKb(int pid) => Field($"/proc/{pid}/status", "VmRSS:");

    /// <summary>The most the process has ever had resident.</summary>
    public static long PeakKb(int pid) => Field($"/proc/{pid}/status", "VmHWM:");

    private static long Field(string file, string name) => File.ReadLines(file)
        .Where(line => line.StartsWith(name, StringComparison.Ordinal))
        .Select(line => long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture))
        .First();
}
