using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>Removes a tree by descriptors: a link is removed, never entered, even when somebody swaps a directory for one meanwhile.</summary>
internal static class Removal
{
    /// <summary>Deeper directories are first moved up to the top: every level holds a descriptor and a stack frame.</summary>
    private const int MaxDepth = 100;

    public static void Tree(int parent, byte[] nameZ, string path)
    {
        if (Libc.UnlinkAt(parent, nameZ, 0) == 0)
            return;
        // EPERM is the answer of POSIX to unlink of a directory, EISDIR that of Linux.
        if (Libc.LastErrno is not (Errno.EISDIR or Errno.EPERM))
            throw new LinuxException("delete", path, Libc.LastErrno);
        Directory(parent, nameZ, parent, path, 0);
    }

    private static void Directory(int parent, byte[] nameZ, int top, string path, int depth)
    {
        var directory = Libc.Check(
            Libc.OpenAt(parent, nameZ, Libc.ReadOnly | Libc.Directory | Libc.NoFollow | Libc.NonBlocking), "delete", path);
        try
        {
            foreach (var childZ in DirectoryNames.Read(directory, path))
            {
                if (Libc.UnlinkAt(directory, childZ, 0) == 0 || Libc.LastErrno == Errno.ENOENT)
                    continue;
                if (Libc.LastErrno is not (Errno.EISDIR or Errno.EPERM))
                    throw new LinuxException("delete", path, Libc.LastErrno);
                if (depth < MaxDepth)
                    Directory(directory, childZ, depth == 0 ? directory : top, path, depth + 1);
                else
                    MoveUp(directory, childZ, top, path);
            }
        }
        finally
        {
            Libc.Close(directory);
        }
        if (Libc.UnlinkAt(parent, nameZ, Libc.AtRemoveDirectory) == 0 || Libc.LastErrno == Errno.ENOENT)
            return;
        // What was moved up came after the names had been read: once more.
        if (Libc.LastErrno == Errno.ENOTEMPTY && depth == 0)
            Directory(parent, nameZ, top, path, 0);
        else
            throw new LinuxException("delete", path, Libc.LastErrno);
    }

    private static void MoveUp(int directory, byte[] nameZ, int top, string path)
    {
        var name = TemporaryNames.Next();
        Libc.Check(Libc.RenameAt(directory, nameZ, top, name, Libc.RenameNoReplace), "delete", path);
    }
}
