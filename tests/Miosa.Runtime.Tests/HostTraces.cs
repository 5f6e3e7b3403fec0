using System.Globalization;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Tests;

/// <summary>What a machine leaves on the host while it lives, and must not leave after.</summary>
internal static class HostTraces
{
    public static async Task AssertNoneAsync(RuntimeFixture runtime, MachineInfo info)
    {
        Assert.False(Directory.Exists($"{runtime.Data}/machines/{info.Machine}"), "the disk stays");
        Assert.False(Directory.Exists($"{runtime.Run}/machines/{info.Machine}"), "the run directory stays");
        Assert.Empty(Cgroups(runtime, info.Machine));
        Assert.False(Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{info.Pid}/ns")) && ProcessIsGuest(info.Pid), "the guest lives");
        Assert.DoesNotContain(await File.ReadAllLinesAsync("/proc/self/mountinfo"), line => line.Contains($"/{info.Machine}/", StringComparison.Ordinal) && line.Contains(runtime.Data, StringComparison.Ordinal));
        // The kernel closes a network namespace in a worker of its own.
        await Eventually.TrueAsync(() => Interfaces(info).Count == 0, "the end of the machine's interface");
    }

    public static IReadOnlyList<string> Cgroups(RuntimeFixture runtime, string machine) =>
        [.. Directory.EnumerateDirectories("/sys/fs/cgroup").Append("/sys/fs/cgroup").Select(root => $"{root}/{runtime.Name}/{machine}").Where(Directory.Exists)];

    // The host's side of the pair carries the address below the machine's.
    private static IReadOnlyList<string> Interfaces(MachineInfo info) =>
        info.Address is null ? [] : [.. System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces()
            .Where(nic => nic.GetIPProperties().UnicastAddresses.Any(address => HostSide(info.Address) == address.Address.ToString())).Select(nic => nic.Name)];

    public static string HostSide(string address)
    {
        var bytes = System.Net.IPAddress.Parse(address).GetAddressBytes();
        bytes[3]--;
        return new System.Net.IPAddress(bytes).ToString();
    }

    private static bool ProcessIsGuest(int pid) =>
        File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/comm")).Contains("miosa-guest", StringComparison.Ordinal);
}
