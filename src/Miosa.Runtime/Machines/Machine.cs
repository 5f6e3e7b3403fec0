using System.Text.Json;
using System.Text.Json.Serialization;
using Miosa.Runtime.Disks;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Machines;

/// <summary>What machine.json holds: enough to find the machine again after a restart of the runtime.</summary>
internal sealed record MachineRecord
{
    public required MachineInfo Info { get; init; }
    public required int Slot { get; init; }

    /// <summary>The start time of the guest in clock ticks: with the pid it names one process.</summary>
    public required ulong PidStart { get; init; }
    public required ulong Subvolume { get; init; }

    /// <summary>The image content it stands on, which must stay while it lives.</summary>
    public required string Rootfs { get; init; }

    /// <summary>The image as it was: its name may mean another by now. Null in records of an earlier version.</summary>
    public ImageInfo? Base { get; init; }

    /// <summary>What it may reach; null is everything public.</summary>
    public EgressRequest? Egress { get; init; }

    /// <summary>See <see cref="Network.MachineEgress.Generation"/>.</summary>
    public uint EgressGeneration { get; init; }

    /// <summary>What its own sync reaches, see <see cref="RuntimeRequest.Durable"/>.</summary>
    public bool IsDurable { get; init; }

    /// <summary>The digest of the guest's program, of a machine under runsc.</summary>
    public string? Guest { get; init; }
}

/// <summary>A machine in memory. <see cref="Turn"/> is held by whoever changes it.</summary>
internal sealed class Machine(string id) : IDisposable
{
    private readonly TaskCompletionSource<ProcessEnd> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Id => id;
    public SemaphoreSlim Turn { get; } = new(1, 1);
    public MachineRecord? Record { get; set; }
    public Fd? Pidfd { get; set; }
    public bool IsGone { get; set; }

    /// <summary>The image content it is about to stand on, while it is not on record yet.</summary>
    public string? Rootfs { get; init; }

    /// <summary>Completes when the guest has ended and was reaped.</summary>
    public Task<ProcessEnd> Ended => ended.Task;

    public void SetEnded(ProcessEnd end) => ended.TrySetResult(end);

    public void Dispose()
    {
        Pidfd?.Dispose();
        Pidfd = null;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(MachineRecord))]
[JsonSerializable(typeof(SnapshotRecord))]
internal sealed partial class MachineJson : JsonSerializerContext;

/// <summary>machine.json: replaced whole, so that a kill at any moment leaves the old one or the new one.</summary>
internal static class MachineFile
{
    public static void Write(string directory, MachineRecord record)
    {
        var path = directory + "/machine.json";
        using (var file = File.Create(path + ".new"))
        {
            JsonSerializer.Serialize(file, record, MachineJson.Default.MachineRecord);
            // Of others not: after a crash of the host none of them runs, and one whose file is missing is swept (docs/runtime-protocol.md).
            file.Flush(flushToDisk: record.IsDurable);
        }
        Libc.Rename(path + ".new", path);
        if (record.IsDurable) Libc.SyncDirectory(directory);
    }

    public static MachineRecord? Read(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(directory + "/machine.json"), MachineJson.Default.MachineRecord);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }
}
