using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>The root of a machine: its image below and its own disk above, both seen through its id range.</summary>
internal static class Layers
{
    private const string Lower = "/lower";
    private const string Disk = "/disk";

    /// <returns>A detached mount that appears in no namespace until the machine attaches it.</returns>
    public static Fd Mount(LaunchOrder order, Fd userNamespace)
    {
        using var lower = Mounts.CloneTree(LauncherRoot.Data + "/" + order.Rootfs);
        if (order.IsIdMapped) Mounts.SetAttributes(lower, Mounts.MOUNT_ATTR_IDMAP, userNamespace);
        // Overlay takes layers by path, and only from this namespace; its own copy of the mount outlives the path.
        Mounts.Attach(lower, Lower);
        try
        {
            using var own = Mounts.CloneTree(LauncherRoot.Data + "/" + order.Disk);
            if (order.IsIdMapped) Mounts.SetAttributes(own, Mounts.MOUNT_ATTR_IDMAP, userNamespace);
            Mounts.Attach(own, Disk);
            if (order.IsIdMapped) MachineOwner.Enter(order.BaseId);
            // Nothing is moved by reference: what the upper directory holds is whole, so that it can become a layer.
            (string, string?)[] options = [("lowerdir", Lower), ("upperdir", Disk + "/upper"), ("workdir", Disk + "/work"), ("redirect_dir", "nofollow"), ("metacopy", "off")];
            // volatile: no sync of the whole data volume when one machine ends or asks for it (docs/adr/0003).
            return Mounts.Create("overlay", Mounts.MOUNT_ATTR_NODEV, order.IsDurable ? options : [.. options, ("volatile", null)]);
        }
        finally
        {
            if (order.IsIdMapped) MachineOwner.Leave();
            Libc.Umount(Disk, Mounts.MNT_DETACH);
            Libc.Umount(Lower, Mounts.MNT_DETACH);
        }
    }
}
