using System.Text.RegularExpressions;
using Miosa.Runtime.Gvisor;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>The bounds of everything a client may say about a machine.</summary>
internal static partial class MachineChecks
{
    public const double DefaultVcpus = 1;
    public const long DefaultMemoryMb = 2048;
    public const long DefaultDiskMb = 10_240;
    public const long DefaultPids = 4096;

    public static string Machine(RuntimeRequest request) =>
        request.Machine is { } machine && MachineId().IsMatch(machine)
            ? machine
            : throw new Refusal(RuntimeErrors.BadRequest, "\"machine\" must be [a-z0-9_-]{1,64}");

    public static string Snapshot(string? snapshot) =>
        snapshot is not null && MachineId().IsMatch(snapshot)
            ? snapshot
            : throw new Refusal(RuntimeErrors.BadRequest, "a snapshot is [a-z0-9_-]{1,64}");

    public static string Image(string? image) =>
        image is not null && ImageName().IsMatch(image)
            ? image
            : throw new Refusal(RuntimeErrors.BadRequest, "an image name is [a-z0-9][a-z0-9._-]{0,63}");

    public static string Hostname(string? hostname, string machine)
    {
        if (hostname is null)
        {
            // A host name has no underscores and at most 63 characters.
            var name = machine.Replace('_', '-').Trim('-');
            return name.Length == 0 ? "machine" : name[..Math.Min(63, name.Length)].TrimEnd('-');
        }
        return HostnameLabel().IsMatch(hostname) ? hostname : throw new Refusal(RuntimeErrors.BadRequest, "\"hostname\" must be letters, digits and dashes, at most 63");
    }

    public static double Vcpus(double value) =>
        value is >= 0.05 and <= 1024 ? value : throw new Refusal(RuntimeErrors.BadRequest, "\"vcpus\" must be 0.05 to 1024");

    public static long MemoryMb(long value) => Between("memory_mb", value, 16, 16L << 20);

    public static long DiskMb(long value) => Between("disk_mb", value, 16, 1L << 30);

    public static long Pids(long value) => Between("pids", value, 8, 1 << 22);

    public static string? Isolation(string? isolation, GvisorTier? gvisor) => isolation switch
    {
        null or Isolations.Namespace => null,
        Isolations.Gvisor when gvisor is not null => isolation,
        Isolations.Gvisor => throw new Refusal(RuntimeErrors.BadRequest, "this host has no gVisor tier: \"hello\" says why"),
        _ => throw new Refusal(RuntimeErrors.BadRequest, $"\"isolation\" must be {Isolations.Namespace} or {Isolations.Gvisor}"),
    };

    private static long Between(string name, long value, long least, long most) =>
        value >= least && value <= most ? value : throw new Refusal(RuntimeErrors.BadRequest, $"\"{name}\" must be {least} to {most}");

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z")]
    private static partial Regex MachineId();

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,63}\z")]
    private static partial Regex ImageName();

    [GeneratedRegex(@"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\z")]
    private static partial Regex HostnameLabel();
}
