using System.Text;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Files;

/// <summary>Copies by descriptors: links as links, modes and owners kept, devices refused.</summary>
internal sealed unsafe class TreeCopy(GuestStream stream, string path)
{
    private const int MaxDepth = 100;
    private const nuint Piece = 8 << 20;

    /// <summary>The contents of one open file into another.</summary>
    public void Contents(int from, int to)
    {
        while (true)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            var copied = Libc.CopyRange(from, null, to, null, Piece, 0);
            if (copied == 0)
                break;
            if (copied > 0)
                continue;
            if (Libc.LastErrno is not (Errno.EXDEV or Errno.EINVAL or Errno.ENOSYS or Errno.EOPNOTSUPP))
                throw new LinuxException("copy", path, Libc.LastErrno);
            break;
        }
        // Whatever the kernel could not copy by itself: other file system, or a file of /proc that states no size.
        ByHand(from, to);
    }

    /// <summary>One name of a directory to a name that does not exist in another.</summary>
    public void Entry(int fromDirectory, byte[] fromZ, int toDirectory, byte[] toZ, int depth = 0)
    {
        Libc.Check(Libc.StatAt(fromDirectory, fromZ, out var status, Libc.AtNoFollow), "copy", path);
        if (status.IsRegular)
            File(fromDirectory, fromZ, toDirectory, toZ, status);
        else if (status.IsDirectory)
            Directory(fromDirectory, fromZ, toDirectory, toZ, status, depth);
        else if (status.IsSymlink)
            Link(fromDirectory, fromZ, toDirectory, toZ);
        else if (status.IsFifo)
            Libc.Check(Libc.FifoAt(toDirectory, toZ, status.Permissions), "copy", path);
        else
            throw GuestFailure.BadRequest("\"" + Encoding.UTF8.GetString(fromZ.AsSpan(0, fromZ.Length - 1)) + "\" is a device or socket");
    }

    private void File(int fromDirectory, byte[] fromZ, int toDirectory, byte[] toZ, in FileStatus status)
    {
        var from = Libc.Check(Libc.OpenAt(fromDirectory, fromZ, Libc.ReadOnly | Libc.NoFollow | Libc.NonBlocking), "copy", path);
        var to = Libc.OpenAt(toDirectory, toZ, Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.NoFollow, 0x180);
        try
        {
            Libc.Check(to, "copy", path);
            Contents(from, to);
            Keep(to, status);
        }
        finally
        {
            Libc.Close(from);
            Libc.Close(to);
        }
    }

    private void Directory(int fromDirectory, byte[] fromZ, int toDirectory, byte[] toZ, in FileStatus status, int depth)
    {
        if (depth == MaxDepth)
            throw new GuestFailure(GuestErrorCode.TooLarge, "\"" + path + "\" is more than " + MaxDepth + " directories deep");
        var flags = Libc.ReadOnly | Libc.Directory | Libc.NoFollow | Libc.NonBlocking;
        var from = Libc.Check(Libc.OpenAt(fromDirectory, fromZ, flags), "copy", path);
        var to = -1;
        try
        {
            // Named before the copy is made: a copy into itself must not find itself.
            var names = DirectoryNames.Read(from, path);
            Libc.Check(Libc.MkdirAt(toDirectory, toZ, 0x1C0), "copy", path);
            to = Libc.Check(Libc.OpenAt(toDirectory, toZ, flags), "copy", path);
            foreach (var nameZ in names)
                Entry(from, nameZ, to, nameZ, depth + 1);
            Keep(to, status);
        }
        finally
        {
            Libc.Close(from);
            Libc.Close(to);
        }
    }

    private void Link(int fromDirectory, byte[] fromZ, int toDirectory, byte[] toZ)
    {
        var target = Libc.ReadLinkAt(fromDirectory, fromZ) ?? throw new LinuxException("copy", path, Libc.LastErrno);
        Libc.Check(Libc.SymlinkAt([.. target, 0], toDirectory, toZ), "copy", path);
    }

    private void Keep(int fd, in FileStatus status)
    {
        Libc.Check(Libc.ChownFile(fd, status.Uid, status.Gid), "chown", path);
        Libc.Check(Libc.ChmodFile(fd, status.Permissions), "chmod", path);
    }

    private void ByHand(int from, int to)
    {
        using var buffer = new FrameBuffer();
        while (true)
        {
            if (stream.IsCancelled)
                throw new StreamCancelledException();
            var read = Libc.Check((long)Libc.Read(from, buffer.Payload, FrameLimits.MaxPayload), "copy", path);
            if (read == 0)
                return;
            for (long done = 0; done < read;)
                done += Libc.Check((long)Libc.Write(to, buffer.Payload + done, (nuint)(read - done)), "copy", path);
        }
    }
}
