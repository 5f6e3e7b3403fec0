using System.Globalization;
using Miosa.Runtime.Host;
using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Disks;

/// <summary>
/// The data directory: a btrfs file system, on a sparse file where the host has none, because its quotas are the only disk limit that
/// works without remounting the host (docs/adr/0003).
/// </summary>
internal sealed class DataVolume : IDisposable
{
    private readonly RuntimeSettings settings;
    private readonly Fd? directory;

    private DataVolume(RuntimeSettings settings, bool hasLimits, string? note)
    {
        this.settings = settings;
        (HasLimits, Note) = (hasLimits, note);
        foreach (var path in new[] { settings.Machines, settings.Images }) Libc.Mkdir(path, 0x1c0);
        if (hasLimits) directory = Libc.Open(settings.Data, Libc.O_RDONLY | Libc.O_DIRECTORY);
    }

    /// <summary>True when a machine cannot take more than its share.</summary>
    public bool HasLimits { get; }

    public string? Note { get; }

    public static DataVolume Open(RuntimeSettings settings)
    {
        Directory.CreateDirectory(settings.Data);
        Libc.Chmod(settings.Data, 0x1c0);
        string? note = null;
        try
        {
            if (!Btrfs.IsAt(settings.Data)) MountVolume(settings);
            Libc.Chmod(settings.Data, 0x1c0);
            var kind = Btrfs.EnableQuotas(settings.Data);
            if (kind != "simple") note = "this kernel has no simple quotas (6.7 and later): disk limits use full quota groups, which slow down with many snapshots";
            return new(settings, hasLimits: true, note);
        }
        catch (Exception e) when (e is LinuxException or CommandFailure)
        {
            return new(settings, hasLimits: false, $"disks of machines are not limited: {e.Message}");
        }
    }

    /// <summary>Unmounts what <see cref="Open"/> mounted.</summary>
    /// <returns>True when the directory is no mount of ours any more.</returns>
    public static bool Unmount(RuntimeSettings settings)
    {
        if (!File.Exists(settings.VolumeFile) || !IsMountPoint(settings.Data)) return true;
        for (var attempt = 0; attempt < 200; attempt++)
        {
            var errno = Libc.Umount(settings.Data);
            if (errno == 0) return true;
            if (errno != Errno.EBUSY) throw new LinuxException("umount", settings.Data, errno);
            // The mount namespaces of machines that have just died are taken down by kernel workers.
            Thread.Sleep(25);
        }
        return false;
    }

    public static bool IsMountPoint(string path) =>
        File.ReadLines("/proc/self/mountinfo").Any(line => line.Split(' ')[4] == path.TrimEnd('/'));

    /// <summary>A machine's disk: <c>upper</c> is what it writes, <c>work</c> is overlay's. One subvolume, so that a fork is a snapshot.</summary>
    /// <returns>The id of the subvolume, 0 where there are none.</returns>
    public ulong Create(string machineDirectory, uint owner, long sizeMb, IReadOnlyDictionary<string, string> etc)
    {
        var disk = machineDirectory + "/disk";
        ulong id = 0;
        if (HasLimits)
        {
            using var parent = Libc.Open(machineDirectory, Libc.O_RDONLY | Libc.O_DIRECTORY);
            Btrfs.CreateSubvolume(parent, "disk");
            using var subvolume = Libc.Open(disk, Libc.O_RDONLY | Libc.O_DIRECTORY);
            Btrfs.LimitBytes(subvolume, (ulong)sizeMb * 1024 * 1024);
            id = Btrfs.SubvolumeId(subvolume);
        }
        else
        {
            Libc.Mkdir(disk, 0x1c0);
        }
        Libc.Chmod(disk, 0x1c0);
        foreach (var name in new[] { "/upper", "/upper/etc", "/work" })
        {
            Libc.Mkdir(disk + name, 0x1ed);
            Libc.Chown(disk + name, owner, owner);
        }
        foreach (var (name, text) in etc)
        {
            var path = $"{disk}/upper/etc/{name}";
            using (var file = Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, 0x1a4))
            {
                var errno = Libc.TryWrite(file, System.Text.Encoding.UTF8.GetBytes(text));
                if (errno != 0) throw new LinuxException("write", path, errno);
            }
            Libc.Chown(path, owner, owner);
        }
        return id;
    }

    /// <summary>A copy of a disk that stands still; constant in time on btrfs.</summary>
    /// <returns>The id of the subvolume, 0 where there are none.</returns>
    public ulong Copy(string disk, string toDirectory)
    {
        if (!Directory.Exists(toDirectory)) Libc.Mkdir(toDirectory, 0x1c0);
        if (!HasLimits)
        {
            // No copy of a moment without copying: what the file system can share it shares.
            Tools.Run("cp", ["-a", "--reflink=auto", "--", disk, toDirectory + "/disk"]);
            return 0;
        }
        using (var source = Libc.Open(disk, Libc.O_RDONLY | Libc.O_DIRECTORY))
        using (var parent = Libc.Open(toDirectory, Libc.O_RDONLY | Libc.O_DIRECTORY))
            Btrfs.Snapshot(source, parent, "disk");
        using var copy = Libc.Open(toDirectory + "/disk", Libc.O_RDONLY | Libc.O_DIRECTORY);
        return Btrfs.SubvolumeId(copy);
    }

    /// <summary>Makes a copied disk fit for a machine: a limit, and none of the overlay's own state.</summary>
    public void Renew(string machineDirectory, uint owner, long sizeMb)
    {
        var work = machineDirectory + "/disk/work";
        Tree.Delete(work);
        Libc.Mkdir(work, 0x1ed);
        Libc.Chown(work, owner, owner);
        Limit(machineDirectory, sizeMb);
    }

    public void Limit(string machineDirectory, long sizeMb)
    {
        if (!HasLimits) return;
        using var subvolume = Libc.Open(machineDirectory + "/disk", Libc.O_RDONLY | Libc.O_DIRECTORY);
        Btrfs.LimitBytes(subvolume, (ulong)sizeMb * 1024 * 1024);
    }

    public long UsedBytes(ulong subvolume) => directory is null || subvolume == 0 ? 0 : Btrfs.UsedBytes(directory, subvolume);

    /// <summary>Deletes the machine's directory, its disk first.</summary>
    /// <remarks>The group's counter is removed later (<see cref="RemoveQgroup"/>): the kernel frees the subvolume in the background.</remarks>
    public static void Delete(string machineDirectory)
    {
        var errno = Btrfs.DeleteSubvolume(machineDirectory + "/disk");
        if (errno is not (0 or Errno.ENOENT or Errno.ENOTTY or Errno.EINVAL)) throw new LinuxException("delete subvolume", machineDirectory, errno);
        Tree.Delete(machineDirectory);
    }

    public bool RemoveQgroup(ulong subvolume) => directory is null || Btrfs.RemoveQgroup(directory, subvolume);

    public void Dispose() => directory?.Dispose();

    private static void MountVolume(RuntimeSettings settings)
    {
        if (!File.Exists(settings.VolumeFile))
        {
            if (Directory.EnumerateFileSystemEntries(settings.Data).Any())
                throw new CommandFailure($"{settings.Data} is not on btrfs and not empty: move its content away, or give --data a directory on btrfs");
            var (free, _) = Btrfs.Space(Path.GetDirectoryName(settings.Data.TrimEnd('/')) ?? "/");
            var size = settings.DiskGb is { } gigabytes ? gigabytes * (1L << 30) : free / 10 * 8;
            // btrfs wants some 120 MB for itself.
            if (size < 256L << 20) throw new CommandFailure(string.Create(CultureInfo.InvariantCulture, $"{size >> 20} MiB are too few for a data volume"));
            var partial = settings.VolumeFile + ".partial";
            using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None)) file.SetLength(size);
            Libc.Chmod(partial, 0x180);
            Tools.Run("mkfs.btrfs", ["-q", "-f", "-m", "single", "-L", settings.Name, partial]);
            Libc.Rename(partial, settings.VolumeFile);
        }
        var device = Loop.Attach(settings.VolumeFile, out var hold);
        using (hold) Libc.Mount(device, settings.Data, "btrfs", Mounts.MS_NOATIME | Mounts.MS_NODEV | Mounts.MS_NOSUID, "discard=async");
    }
}
