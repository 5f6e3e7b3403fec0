using System.Globalization;
using System.Text.Json;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Metering;

/// <summary>
/// The price table (<c>--prices</c>), in millionths of a cent an hour, and of models for a thousand tokens. All money is whole numbers: a machine in a state has a rate, which is a whole
/// number of millionths of a cent an hour, and what it costs is that rate times milliseconds, divided and cut or rounded once where it is told.
/// </summary>
internal sealed record Prices(long Vcpu, long MemoryGib, long DiskGib)
{
    public const string Currency = "usd";

    private const long Most = 100_000_000_000;

    private static readonly string[] Names = ["vcpu", "memory", "disk", "token_in", "token_out", "token_embedding"];

    /// <summary>For a thousand tokens that a chat model reads, that it writes, and that become a vector. A model may have prices of its own.</summary>
    public long TokenIn { get; init; }

    /// <inheritdoc cref="TokenIn"/>
    public long TokenOut { get; init; }

    /// <inheritdoc cref="TokenIn"/>
    public long TokenEmbedding { get; init; }

    private const int MibPerGib = 1024;

    /// <summary>Inline as <c>vcpu=5000000,memory=1600000,disk=10000</c>, or the path of a JSON file with the same names.</summary>
    public static Prices Of(string setting)
    {
        try
        {
            var given = setting.Contains('=', StringComparison.Ordinal) ? Inline(setting) : InFile(setting);
            if (given.Keys.FirstOrDefault(name => !Names.Contains(name)) is { } unknown)
                throw new FormatException($"there is no price \"{unknown}\"; there are {string.Join(", ", Names)}");
            return new Prices(Price(given, "vcpu"), Price(given, "memory"), Price(given, "disk"))
            {
                TokenIn = Price(given, "token_in"),
                TokenOut = Price(given, "token_out"),
                TokenEmbedding = Price(given, "token_embedding"),
            };
        }
        catch (Exception e) when (e is FormatException or JsonException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            throw new SettingsException($"--prices: {e.Message}");
        }
    }

    /// <summary>Of CPUs and memory, while it runs.</summary>
    public long ComputeRate(int vcpus, int memoryMb) => (vcpus * Vcpu) + OfMib(memoryMb, MemoryGib);

    /// <summary>Of the disk, for as long as it exists.</summary>
    public long StorageRate(int diskMb) => OfMib(diskMb, DiskGib);

    /// <summary>The meter on which a machine's time runs now; null when none does.</summary>
    public MeterRow? MeterOf(Machine machine) => !HoldsDisk(machine) ? null : new MeterRow
    {
        TenantId = machine.TenantId,
        Kind = machine.Kind,
        ExternalUserId = machine.ExternalUserId,
        ExternalProjectId = machine.ExternalProjectId,
        ExternalWorkspaceId = machine.ExternalWorkspaceId,
        WorkspaceId = machine.WorkspaceId,
        IsRunning = machine.State is MachineState.Running or MachineState.Starting,
        Vcpus = machine.Vcpus,
        MemoryMb = machine.MemoryMb,
        DiskMb = machine.DiskMb,
        ComputeRate = machine.State is MachineState.Running or MachineState.Starting ? ComputeRate(machine.Vcpus, machine.MemoryMb) : 0,
        StorageRate = StorageRate(machine.DiskMb),
    };

    // A computer that failed keeps its disk; a sandbox does not.
    private static bool HoldsDisk(Machine machine) => machine.State switch
    {
        MachineState.Running or MachineState.Paused or MachineState.Starting => true,
        MachineState.Error => machine is { IsComputer: true, SocketPath: not null },
        _ => false,
    };

    private static long OfMib(int mib, long pricePerGib) => (long)(((Int128)mib * pricePerGib + (MibPerGib / 2)) / MibPerGib);

    private static Dictionary<string, string> Inline(string text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Select(entry => entry.Split('=', 2, StringSplitOptions.TrimEntries) is [var name, var price] ? (name, price) : throw new FormatException($"\"{entry}\" is not name=price"))
        .ToDictionary(pair => pair.name, pair => pair.price);

    private static Dictionary<string, string> InFile(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        return json.RootElement.EnumerateObject().ToDictionary(price => price.Name, price => price.Value.ToString());
    }

    private static long Price(Dictionary<string, string> given, string name) =>
        long.TryParse(given.GetValueOrDefault(name, "0"), NumberStyles.None, CultureInfo.InvariantCulture, out var price) && price <= Most
            ? price
            : throw new FormatException($"\"{name}\" must be a whole number of millionths of a cent from 0 to {Most}, got \"{given[name]}\"");
}
