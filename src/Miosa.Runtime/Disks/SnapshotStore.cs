using System.Collections.Concurrent;
using System.Text.Json;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;
using Miosa.Runtime.Machines;
using Miosa.Runtime.Wire;

namespace Miosa.Runtime.Disks;

/// <summary>
/// The stored copies of disks: <c>snapshots/ID/disk</c> and, written last and removed first, <c>snapshots/ID/snapshot.json</c>. What
/// has no file is a copy that a crash cut short, and is removed at the next start. A snapshot needs neither its machine nor the name of its image.
/// </summary>
internal sealed class SnapshotStore
{
    private readonly string directory;
    private readonly DataVolume volume;
    private readonly ConcurrentDictionary<string, SnapshotRecord> records = [];

    public SnapshotStore(RuntimeSettings settings, DataVolume volume)
    {
        (directory, this.volume) = (settings.Data + "/snapshots", volume);
        Libc.Mkdir(directory, 0x1c0);
        foreach (var path in Directory.EnumerateDirectories(directory))
        {
            var id = Path.GetFileName(path);
            if (Read(path) is { } record && record.Info.Snapshot == id)
            {
                records[id] = record;
                continue;
            }
            Log.Line($"snapshot {id}: cut short, removed");
            DataVolume.Delete(path);
        }
    }

    public IReadOnlyList<SnapshotInfo> List() => [.. records.Values.Select(record => record.Info).OrderBy(info => info.Snapshot, StringComparer.Ordinal)];

    /// <summary>Image contents that must stay.</summary>
    public IEnumerable<string> Rootfs => records.Values.Select(record => record.Rootfs);

    public SnapshotRecord? Find(string id) => records.GetValueOrDefault(id);

    public string DiskOf(string id) => $"{directory}/{id}/disk";

    public string MemoryOf(string id) => $"{directory}/{id}/memory";

    /// <summary>Digests of programs of guests that must stay.</summary>
    public IEnumerable<string> Guests => records.Values.Select(record => record.Guest).OfType<string>();

    /// <summary>Copies a machine: <paramref name="standStill"/> writes its memory into the folder it is given, if that is wanted, and runs what copies the disk at the same moment.</summary>
    public SnapshotRecord Add(SnapshotRecord draft, string machineDirectory, Action<string, Action> standStill)
    {
        var id = draft.Info.Snapshot;
        var path = $"{directory}/{id}";
        try
        {
            Libc.Mkdir(path, 0x1c0);
            ulong subvolume = 0;
            standStill(MemoryOf(id), () => subvolume = volume.Copy(machineDirectory + "/disk", path));
            var record = draft with { Subvolume = subvolume };
            if (draft.Info.Memory == true)
            {
                record = record with { Info = draft.Info with { SizeBytes = draft.Info.SizeBytes + Durable.Sync(MemoryOf(id)) } };
            }
            Durable.Write(path + "/snapshot.json", JsonSerializer.SerializeToUtf8Bytes(record, MachineJson.Default.SnapshotRecord));
            return records[id] = record;
        }
        catch
        {
            DataVolume.Delete(path);
            throw;
        }
    }

    /// <returns>The subvolume whose counter can go, 0 for none.</returns>
    public ulong Remove(string id)
    {
        if (!records.TryRemove(id, out var record)) return 0;
        File.Delete($"{directory}/{id}/snapshot.json");
        DataVolume.Delete($"{directory}/{id}");
        return record.Subvolume;
    }

    private static SnapshotRecord? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path + "/snapshot.json"), MachineJson.Default.SnapshotRecord);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }
}

/// <summary>What snapshot.json holds.</summary>
internal sealed record SnapshotRecord
{
    public required SnapshotInfo Info { get; init; }
    public required string Rootfs { get; init; }
    public required ImageInfo Base { get; init; }
    public ulong Subvolume { get; init; }

    /// <summary>The digest of the guest's program, when there is memory with it.</summary>
    public string? Guest { get; init; }
}
