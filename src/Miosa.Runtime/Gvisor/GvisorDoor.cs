using Miosa.Runtime.Linux;

namespace Miosa.Runtime.Gvisor;

/// <summary>
/// Where a machine under runsc makes the socket of its guest, and how the socket leaves its reach. Nothing can be handed into such a machine,
/// so it shares a folder with the host:
/// <code>
///   RUN/machines/ID/            a file system of a few pages, which a machine may fill; the server's group may look into it
///     door/                     the machine's alone (mode 0700): it appears in it as /run/miosa
///     guest.sock                moved out of door/: connections find a socket by its inode, not by its name
/// </code>
/// What the machine leaves in door/ is hostile: it is renamed and looked at where the machine cannot change it any more, and never followed.
/// </summary>
internal static class GvisorDoor
{
    private const string Socket = "/guest.sock";
    private const string Closed = "/guest.sock.closed";
    private const string Folder = "/door";

    /// <returns>A detached mount of the folder, for the machine.</returns>
    public static Fd Make(string runDirectory, uint owner, uint serverGroup)
    {
        Libc.Mkdir(runDirectory, 0x1e8);
        using (var files = Mounts.Create("tmpfs", Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NODEV | Mounts.MOUNT_ATTR_NOEXEC,
            ("mode", "750"), ("gid", serverGroup.ToString(System.Globalization.CultureInfo.InvariantCulture)), ("size", "64k"), ("nr_inodes", "64")))
            Mounts.Attach(files, runDirectory);
        Libc.Mkdir(runDirectory + Folder, 0x1c0);
        Libc.Chown(runDirectory + Folder, owner, owner);
        return Mounts.CloneTree(runDirectory + Folder);
    }

    /// <summary>True when the guest says that it has closed its socket and every connection.</summary>
    public static bool IsClosed(string runDirectory)
    {
        using var file = Libc.TryOpen(runDirectory + Folder + "/closed", Libc.O_PATH | Libc.O_NOFOLLOW);
        return file is not null;
    }

    /// <summary>Takes the place away from a socket whose guest has closed it: runsc may keep it open for a while, with nobody to answer.</summary>
    public static void Close(string runDirectory)
    {
        if (Libc.Unlink(runDirectory + Closed) is var errno && errno is not (0 or Errno.ENOENT)) throw new LinuxException("unlink", runDirectory + Closed, errno);
        using var present = Libc.TryOpen(runDirectory + Socket, Libc.O_PATH | Libc.O_NOFOLLOW);
        if (present is not null) Libc.Rename(runDirectory + Socket, runDirectory + Closed);
    }

    /// <summary>Gives the place back: the guest never closed it.</summary>
    public static void Reopen(string runDirectory)
    {
        using var present = Libc.TryOpen(runDirectory + Closed, Libc.O_PATH | Libc.O_NOFOLLOW);
        if (present is not null) Libc.Rename(runDirectory + Closed, runDirectory + Socket);
    }

    /// <summary>Lets a guest that has closed its socket make it again.</summary>
    public static void Open(string runDirectory)
    {
        // One that is there already, of whatever kind, does as well.
        using var file = Libc.TryOpen(runDirectory + Folder + "/open", Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL | Libc.O_NOFOLLOW, 0x180);
    }

    /// <summary>Moves a socket that the guest has made to where the server looks for it; false when there is none.</summary>
    public static bool TryTake(string runDirectory, uint serverGroup)
    {
        using (var made = Libc.TryOpen(runDirectory + Folder + Socket, Libc.O_PATH | Libc.O_NOFOLLOW))
            if (made is null) return false;
        var arrived = runDirectory + "/arrived";
        Libc.Rename(runDirectory + Folder + Socket, arrived);
        using (var made = Libc.Open(arrived, Libc.O_PATH | Libc.O_NOFOLLOW))
        {
            if (FileFacts.Of(made).Kind != FileFacts.Socket)
            {
                Tree.Delete(arrived);
                return false;
            }
        }
        Libc.Chown(arrived, 0, serverGroup);
        Libc.Chmod(arrived, 0x1b0);
        Libc.Rename(arrived, runDirectory + Socket);
        Libc.Unlink(runDirectory + Closed);
        return true;
    }

    /// <summary>Removes the run directory of a machine of either kind.</summary>
    public static void Remove(string runDirectory)
    {
        var errno = Libc.Umount(runDirectory, Mounts.MNT_DETACH);
        if (errno is not (0 or Errno.ENOENT or Errno.EINVAL)) throw new LinuxException("umount", runDirectory, errno);
        Tree.Delete(runDirectory);
    }
}
