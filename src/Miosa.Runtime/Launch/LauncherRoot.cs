using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>
/// The launcher's own mount namespace: /proc, the data directory, a device directory and an empty one, nothing else. Every machine's
/// namespace starts as a copy of it, so a small one is fast to copy and holds nothing worth reaching.
/// </summary>
internal static unsafe class LauncherRoot
{
    private const int CLONE_NEWNS = 0x00020000;

    /// <summary>Where launches find the data directory, and where a machine under runsc finds its root, its door and its guest. The data directory is at its host's path, too, which may be any but one below this.</summary>
    public const string Data = Own + "/data";
    public const string GvisorRoot = Own + "/root";
    public const string GvisorDoor = Own + "/door";
    public const string GvisorGuest = Own + "/guest";

    private const string Own = "/.miosa";

    private static readonly (string Name, uint Major, uint Minor)[] Devices =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

    private static readonly (string Name, string Target)[] DeviceLinks =
        [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx")];

    public static void Enter(string dataDirectory, string workDirectory)
    {
        Libc.Check(Libc.Syscall(Sys.Unshare, CLONE_NEWNS), "unshare", "mount namespace");
        Libc.Mount("none", "/", null, Mounts.MS_REC | Mounts.MS_PRIVATE);
        Libc.Check(Libc.Syscall(Sys.Umask, 0), "umask", "0");

        using (var data = Mounts.CloneTree(dataDirectory))
        using (var proc = Mounts.CloneTree("/proc"))
        using (var root = Mounts.Create("tmpfs", Mounts.MOUNT_ATTR_NOSUID, ("mode", "755"), ("size", "1m")))
        {
            Mounts.Attach(root, workDirectory);
            foreach (var name in new[] { "proc", "dev", "empty", "mnt", "lower", "disk", "tmp", Own[1..], Data[1..], GvisorRoot[1..], GvisorDoor[1..] }) Libc.Mkdir($"{workDirectory}/{name}", 0x1ed);
            File.WriteAllText(workDirectory + GvisorGuest, "");
            Mounts.Attach(data, workDirectory + Data);
            Mounts.Attach(proc, workDirectory + "/proc");
        }
        // runsc writes the paths of its files down for those who come later and see the host's paths.
        Directory.CreateDirectory(workDirectory + Path.GetDirectoryName(dataDirectory.TrimEnd('/')));
        Libc.Symlink(Data, workDirectory + dataDirectory.TrimEnd('/'));
        AttachDevices(workDirectory + "/dev");
        using (var empty = Mounts.Create("tmpfs", ReadOnly | Mounts.MOUNT_ATTR_NODEV, ("mode", "555"), ("size", "4k")))
            Mounts.Attach(empty, workDirectory + "/empty");

        Libc.Chdir(workDirectory);
        fixed (byte* dot = ".\0"u8) Libc.Check(Libc.Syscall(Sys.PivotRoot, (nint)dot, (nint)dot), "pivot_root", workDirectory);
        var errno = Libc.Umount(".", Mounts.MNT_DETACH);
        if (errno != 0) throw new LinuxException("umount", "old root", errno);
        Libc.Chdir("/");
    }

    private const ulong ReadOnly = Mounts.MOUNT_ATTR_RDONLY | Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NOEXEC;

    // One device directory for all machines: read-only, and owned by an id no machine has, so none can change what another sees.
    private static void AttachDevices(string path)
    {
        const uint characterDevice = 0x2000;
        using var devices = Mounts.Create("tmpfs", Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NOEXEC, ("mode", "755"), ("size", "64k"));
        Mounts.Attach(devices, path);
        foreach (var (name, major, minor) in Devices) Libc.Mknod($"{path}/{name}", characterDevice | 0x1b6, major, minor);
        foreach (var (name, target) in DeviceLinks) Libc.Symlink(target, $"{path}/{name}");
        foreach (var name in new[] { "pts", "shm" }) Libc.Mkdir($"{path}/{name}", 0x1ed);
        Mounts.SetAttributes(devices, ReadOnly);
    }
}
