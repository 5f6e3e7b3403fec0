using Miosa.Guest.Files;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Watching;

/// <summary>
/// Every folder that the kernel watches for us, as a tree per watched folder. A folder is here while somebody watches it or, recursively, one
/// above it. Used by the watching thread alone.
/// </summary>
internal sealed class FolderTree(int descriptor)
{
    /// <summary>A folder takes some 300 of the guest's bytes, and a kilobyte of the kernel's.</summary>
    public const int MostFolders = 32_768;

    private const int LongestPath = 4095;

    private const uint Wanted = ChangeMask.Modified | ChangeMask.Attributes | ChangeMask.WrittenAndClosed | ChangeMask.MovedFrom | ChangeMask.MovedTo
        | ChangeMask.Created | ChangeMask.Deleted | ChangeMask.SelfDeleted | ChangeMask.SelfMoved | ChangeMask.OnlyFolders | ChangeMask.OnlyLinked;

    private readonly Dictionary<int, Folder> _folders = [];

    public IEnumerable<Folder> All => _folders.Values;

    public Folder? Find(int watch) => _folders.GetValueOrDefault(watch);

    public bool Has(Folder folder) => _folders.GetValueOrDefault(folder.Watch) == folder;

    /// <summary>The folder somebody wants to watch; throws what the host is told.</summary>
    public Folder Attach(Watcher watcher)
    {
        var fd = Libc.Check(Libc.OpenAt(Libc.AtCwd, RawName.WithZero(watcher.RealPath), Libc.ReadOnly | Libc.Directory | Libc.NonBlocking), "open", watcher.Path);
        try
        {
            var watch = WatchOf(fd);
            if (watch < 0)
                throw new LinuxException("watch", watcher.Path, Libc.LastErrno);
            if (!_folders.TryGetValue(watch, out var folder))
            {
                folder = Added(watch);
                folder.PlaceAt(watcher.RealPath);
            }
            folder.Watchers.Add(watcher);
            return folder;
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    public void Detach(Watcher watcher, Folder folder)
    {
        folder.Watchers.Remove(watcher);
        Prune(folder);
    }

    /// <summary>A descriptor of the folder, or -1 when it is not where it was: a notice of that is under way.</summary>
    public int Open(Folder folder)
    {
        var path = folder.RealPath;
        if (path.Length > LongestPath)
            throw new GuestFailure(GuestErrorCode.TooLarge, "a folder lies too deep to be watched: its path is longer than 4,095 bytes");
        var fd = Libc.OpenAt(Libc.AtCwd, RawName.WithZero(path), Libc.ReadOnly | Libc.Directory | Libc.NoFollow | Libc.NonBlocking);
        if (fd < 0)
            return -1;
        // Another folder may have the name by now.
        var watch = WatchOf(fd);
        if (watch == folder.Watch)
            return fd;
        Libc.Close(fd);
        if (watch >= 0 && !_folders.ContainsKey(watch))
            _ = Libc.RemoveWatch(descriptor, watch);
        return -1;
    }

    /// <summary>Watches a folder within another; null when there is no such folder any more.</summary>
    public Folder? Enter(int parentFd, Folder parent, string name)
    {
        var fd = Libc.OpenAt(parentFd, RawName.WithZero(name), Libc.ReadOnly | Libc.Directory | Libc.NoFollow | Libc.NonBlocking);
        if (fd < 0)
            return Libc.LastErrno is Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM ? throw Limit(Errno.Describe(Libc.LastErrno)) : null;
        var watch = WatchOf(fd);
        Libc.Close(fd);
        if (watch < 0)
            return null;
        if (!_folders.TryGetValue(watch, out var folder))
            folder = Added(watch);
        else if (parent.IsBelowOrSame(folder))
            // A mount that shows a folder within itself.
            return null;
        if (parent.Children.TryGetValue(name, out var other) && other != folder)
            Unhook(other);
        if (folder.Parent != parent || folder.Name != name)
            folder.PlaceBelow(parent, name);
        return folder;
    }

    /// <summary>The names in a folder, each with what it is; folders among them are watched from now on.</summary>
    public List<(string Name, bool IsFolder, Folder? Entered)>? List(Folder folder)
    {
        var fd = Open(folder);
        if (fd < 0)
            return null;
        try
        {
            var entries = new List<(string, bool, Folder?)>();
            var folders = new HashSet<string>(StringComparer.Ordinal);
            foreach (var nameZ in DirectoryNames.Read(fd, ""))
            {
                if (Libc.StatAt(fd, nameZ, out var status, Libc.AtNoFollow) < 0)
                    continue;
                var name = RawName.Of(nameZ.AsSpan(0, nameZ.Length - 1));
                var entered = status.IsDirectory ? Enter(fd, folder, name) : null;
                if (entered is not null)
                    folders.Add(name);
                entries.Add((name, status.IsDirectory, entered));
            }
            foreach (var (name, child) in folder.Children.ToArray())
            {
                if (!folders.Contains(name))
                    Unhook(child);
            }
            folder.IsListed = true;
            return entries;
        }
        catch (LinuxException)
        {
            // It went while it was read.
            return null;
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    /// <summary>It is not in its place any more; with what is below it, it goes, except what is watched for its own sake.</summary>
    public void Unhook(Folder folder)
    {
        folder.PlaceAt(folder.RealPath);
        Prune(folder);
    }

    /// <summary>The kernel does not watch it any more.</summary>
    public void Forget(Folder folder)
    {
        _folders.Remove(folder.Watch);
        foreach (var child in folder.Children.Values.ToArray())
            Unhook(child);
        folder.PlaceAt("");
    }

    private void Prune(Folder folder)
    {
        if (folder.IsWatchedRecursively)
            return;
        folder.IsListed = false;
        folder.Told = null;
        foreach (var child in folder.Children.Values.ToArray())
            Unhook(child);
        if (folder.Watchers.Count > 0 || !Has(folder))
            return;
        _ = Libc.RemoveWatch(descriptor, folder.Watch);
        _folders.Remove(folder.Watch);
        folder.PlaceAt("");
    }

    private Folder Added(int watch)
    {
        if (_folders.Count >= MostFolders)
        {
            _ = Libc.RemoveWatch(descriptor, watch);
            throw Limit($"more than {MostFolders} folders are watched in this machine");
        }
        var folder = new Folder(watch);
        _folders.Add(watch, folder);
        return folder;
    }

    /// <summary>-1 when the folder cannot be watched for a reason of its own; the kernel's limits are a failure.</summary>
    private int WatchOf(int fd)
    {
        var watch = Libc.AddWatch(descriptor, Place.DescriptorZ(fd), Wanted);
        return watch < 0 && Libc.LastErrno is Errno.ENOSPC or Errno.ENOMEM
            ? throw Limit("the kernel gives no more watches (fs.inotify.max_user_watches)")
            : watch;
    }

    private static GuestFailure Limit(string why) => new(GuestErrorCode.Busy, why + ": watch fewer folders");
}
