using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Launch;

/// <summary>The root of a machine: its image seen through its id range below, its own disk above.</summary>
internal static class Layers
{
    private const string Lower = "/lower";

    /// <returns>A detached mount that appears in no namespace until the machine attaches it.</returns>
    public static Fd Mount(LaunchOrder order, Fd userNamespace)
    {
        using var lower = Mounts.CloneTree("/data/" + order.Rootfs);
        if (order.IsIdMapped) Mounts.SetAttributes(lower, Mounts.MOUNT_ATTR_IDMAP, userNamespace);
        // Overlay takes layers by path, and only from this namespace; its own copy of the mount outlives the path.
        Mounts.Attach(lower, Lower);
        try
        {
            var disk = "/data/" + order.Disk;
            // Nothing is moved by reference: what the upper directory holds is whole, so that it can become a layer.
            // volatile: no sync of the whole data volume when one machine ends or asks for it (docs/adr/0003).
            return Mounts.Create("overlay", Mounts.MOUNT_ATTR_NODEV,
                ("lowerdir", Lower), ("upperdir", disk + "/upper"), ("workdir", disk + "/work"), ("redirect_dir", "nofollow"), ("metacopy", "off"), ("volatile", null));
        }
        finally
        {
            Libc.Umount(Lower, Mounts.MNT_DETACH);
        }
    }
}
