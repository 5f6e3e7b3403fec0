using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>
/// A name in an opened directory. The directory is opened by the kernel's own resolution and its real path is read back from the descriptor,
/// so what is checked is what is used: nobody can swap a link in between. Everything then happens relative to the descriptor.
/// </summary>
internal sealed class Place : IDisposable
{
    private const int MaxLinks = 40;

    private Place(string path, int directory, byte[] real, byte[] leaf)
    {
        Path = path;
        Directory = directory;
        Real = real.Length == 1 ? [.. real, .. leaf] : [.. real, (byte)'/', .. leaf];
        LeafZ = [.. leaf, 0];
    }

    /// <summary>The normalised path as it was asked for.</summary>
    public string Path { get; }

    public int Directory { get; private set; }

    /// <summary>Where it is, links resolved (the last name as well, if that was wanted).</summary>
    public byte[] Real { get; }

    /// <summary>The last name, with a final zero.</summary>
    public byte[] LeafZ { get; }

    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    public static Place ToRead(string? path) => Open(GuestPath.Normalise(path), createParents: false);

    public static Place ToChange(string? path, bool createParents, bool followLeaf)
    {
        var place = Open(GuestPath.Normalise(path), createParents, forChange: true);
        try
        {
            for (var links = 0; followLeaf && place.TryFollow() is { } next; links++)
            {
                place.Dispose();
                place = next;
                if (links == MaxLinks)
                    throw new LinuxException("resolve", place.Path, Errno.ELOOP);
            }
            Confine(place.Real, place.Path);
            return place;
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    /// <summary>Null when nothing has this name; the last name is not followed.</summary>
    public FileStatus? Status()
    {
        if (Libc.StatAt(Directory, LeafZ, out var status, Libc.AtNoFollow) == 0)
            return status;
        return Libc.LastErrno == Errno.ENOENT ? null : throw new LinuxException("stat", Path, Libc.LastErrno);
    }

    public FileStatus Existing() => Status() ?? throw new LinuxException("stat", Path, Errno.ENOENT);

    /// <summary>
    /// To whom something new here belongs: a file in a user's home is that user's, who could not change it otherwise. Null for root, and
    /// where everybody may make files: whose the directory is says nothing then.
    /// </summary>
    public (uint Uid, uint Gid)? Owner() => OwnerOf(Directory);

    /// <summary>Opens the place itself.</summary>
    public int OpenLeaf(int flags, uint mode = 0) => Libc.Check(Libc.OpenAt(Directory, LeafZ, flags, mode), "open", Path);

    public void Dispose()
    {
        Libc.Close(Directory);
        Directory = -1;
    }

    /// <summary>The real path of an open descriptor.</summary>
    public static byte[] RealPath(int fd) =>
        Libc.ReadLinkAt(Libc.AtCwd, DescriptorZ(fd)) ?? throw new LinuxException("readlink", "/proc/self/fd", Libc.LastErrno);

    /// <summary>A path that opens again what a descriptor stands for.</summary>
    public static byte[] DescriptorZ(int fd) => Encoding.UTF8.GetBytes("/proc/self/fd/" + fd + "\0");

    public static void Confine(ReadOnlySpan<byte> real, string path)
    {
        if (!GuestPath.MayChange(real))
            throw new GuestFailure(GuestErrorCode.Forbidden, "\"" + path + "\" is outside of what may be changed");
    }

    private static Place Open(string path, bool createParents, bool forChange = false)
    {
        if (path == "/")
            return forChange
                ? throw new GuestFailure(GuestErrorCode.Forbidden, "\"/\" is outside of what may be changed")
                : new Place(path, OpenDirectory("/"), "/"u8.ToArray(), "."u8.ToArray());
        var slash = path.LastIndexOf('/');
        var parent = slash == 0 ? "/" : path[..slash];
        var fd = createParents ? OpenOrCreate(parent, path) : OpenDirectory(parent);
        return new Place(path, fd, RealPath(fd), Encoding.UTF8.GetBytes(path[(slash + 1)..]));
    }

    private static (uint Uid, uint Gid)? OwnerOf(int directory) =>
        Libc.StatAt(directory, ".\0"u8, out var status, 0) == 0 && status.Uid != 0 && (status.Permissions & 0b001_000_000_000) == 0 ? (status.Uid, status.Gid) : null;

    /// <summary>By descriptor: behind the name may stand something else by now.</summary>
    public static void Give(int directory, (uint Uid, uint Gid) owner, string path) =>
        Libc.Check(Libc.ChownAt(directory, "\0"u8, owner.Uid, owner.Gid, Libc.AtEmptyPath), "chown", path);

    private static int OpenDirectory(string path) =>
        Libc.Check(Libc.OpenAt(Libc.AtCwd, Encoding.UTF8.GetBytes(path + "\0"), Libc.PathOnly | Libc.Directory), "open", path);

    /// <summary>From the deepest directory that exists, one at a time: each is made and opened below the descriptor of the one before.</summary>
    private static int OpenOrCreate(string parent, string path)
    {
        var missing = new Stack<string>();
        int fd;
        while ((fd = Libc.OpenAt(Libc.AtCwd, Encoding.UTF8.GetBytes(parent + "\0"), Libc.PathOnly | Libc.Directory)) < 0)
        {
            if (Libc.LastErrno != Errno.ENOENT || parent == "/")
                throw new LinuxException("open", parent, Libc.LastErrno);
            var slash = parent.LastIndexOf('/');
            missing.Push(parent[(slash + 1)..]);
            parent = slash == 0 ? "/" : parent[..slash];
        }
        try
        {
            if (missing.Count > 0)
            {
                var above = Encoding.UTF8.GetString(RealPath(fd)).TrimEnd('/');
                Confine(Encoding.UTF8.GetBytes(above + "/" + string.Join('/', missing)), path);
            }
            while (missing.TryPop(out var name))
            {
                var nameZ = Encoding.UTF8.GetBytes(name + "\0");
                var isNew = Libc.MkdirAt(fd, nameZ, 0x1ED) == 0;
                if (!isNew && Libc.LastErrno != Errno.EEXIST)
                    throw new LinuxException("mkdir", path, Libc.LastErrno);
                var owner = OwnerOf(fd);
                var below = Libc.Check(Libc.OpenAt(fd, nameZ, Libc.PathOnly | Libc.Directory | Libc.NoFollow), "open", path);
                if (isNew && owner is { } it)
                    Give(below, it, path);
                Libc.Close(fd);
                fd = below;
            }
            return fd;
        }
        catch
        {
            Libc.Close(fd);
            throw;
        }
    }

    /// <summary>Where the last name points to when it is a link.</summary>
    private Place? TryFollow()
    {
        var target = Libc.ReadLinkAt(Directory, LeafZ);
        if (target is null)
            return null;
        var slash = target.AsSpan().LastIndexOf((byte)'/');
        var leaf = target[(slash + 1)..];
        if (leaf.Length == 0 || leaf.AsSpan().SequenceEqual("."u8) || leaf.AsSpan().SequenceEqual(".."u8))
            throw new LinuxException("open", Path, Errno.EISDIR);
        byte[] above = slash < 0 ? [(byte)'.', 0] : [.. target.AsSpan(0, Math.Max(1, slash)), 0];
        var fd = Libc.Check(Libc.OpenAt(Directory, above, Libc.PathOnly | Libc.Directory), "open", Path);
        return new Place(Path, fd, RealPath(fd), leaf);
    }
}
