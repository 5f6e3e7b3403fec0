using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>
/// A file that gets its name when it is complete: readers see the old one or the new one, never half of one. Until then it has no name at all
/// (O_TMPFILE) or, where the file system cannot do that, a name of our own that disappears when the file is not committed.
/// </summary>
internal sealed class NewFile : IDisposable
{
    private readonly Place _place;
    private readonly FileStatus? _old;
    private byte[]? _temporaryZ;

    public NewFile(Place place, bool overwrite)
    {
        _place = place;
        _old = place.Status();
        if (_old is { IsDirectory: true })
            throw new LinuxException("write", place.Path, Errno.EISDIR);
        if (_old is not null && !overwrite)
            throw new LinuxException("write", place.Path, Errno.EEXIST);
        if (_old is { IsRegular: false })
            throw GuestFailure.BadRequest("\"" + place.Path + "\" is not a regular file");
        Fd = OpenTemporary();
    }

    public int Fd { get; private set; }

    /// <summary>Gives it mode and owner (those of the file it replaces, unless told; a new one belongs to whom its directory belongs) and the name.</summary>
    public void Commit(uint? mode, bool overwrite, bool sync)
    {
        if (_old is { } old)
            Libc.Check(Libc.ChownFile(Fd, old.Uid, old.Gid), "chown", _place.Path);
        else if (_place.Owner() is { } owner)
            Libc.Check(Libc.ChownFile(Fd, owner.Uid, owner.Gid), "chown", _place.Path);
        // After chown, which clears set-user-id bits.
        Libc.Check(Libc.ChmodFile(Fd, mode ?? _old?.Permissions ?? 0x1A4), "chmod", _place.Path);
        if (sync)
            Libc.Check(Libc.Sync(Fd), "sync", _place.Path);
        TakeName(overwrite);
        if (sync)
            SyncDirectory();
    }

    public void Dispose()
    {
        Libc.Close(Fd);
        Fd = -1;
        if (_temporaryZ is not null)
            _ = Libc.UnlinkAt(_place.Directory, _temporaryZ, 0);
    }

    private int OpenTemporary()
    {
        var fd = Libc.OpenAt(_place.Directory, ".\0"u8, Libc.TemporaryFile | Libc.WriteOnly, 0x180);
        if (fd >= 0)
            return fd;
        if (Libc.LastErrno is not (Errno.EOPNOTSUPP or Errno.EISDIR or Errno.EINVAL or Errno.ENOENT))
            throw new LinuxException("create", _place.Path, Libc.LastErrno);
        var name = TemporaryNames.Next(replaces: _old is not null);
        fd = Libc.Check(Libc.OpenAt(_place.Directory, name, Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.NoFollow, 0x180), "create", _place.Path);
        _temporaryZ = name;
        return fd;
    }

    private void TakeName(bool overwrite)
    {
        if (_temporaryZ is null)
        {
            var self = Place.DescriptorZ(Fd);
            if (Libc.LinkOpenFile(self, _place.Directory, _place.LeafZ) == 0)
                return;
            if (Libc.LastErrno != Errno.EEXIST || !overwrite)
                throw new LinuxException("create", _place.Path, Libc.LastErrno);
            // A link cannot replace a name; a rename can.
            var name = TemporaryNames.Next(replaces: _old is not null);
            Libc.Check(Libc.LinkOpenFile(self, _place.Directory, name), "create", _place.Path);
            _temporaryZ = name;
        }
        var flags = overwrite ? 0 : Libc.RenameNoReplace;
        Libc.Check(Libc.RenameAt(_place.Directory, _temporaryZ, _place.Directory, _place.LeafZ, flags), "rename", _place.Path);
        _temporaryZ = null;
    }

    private void SyncDirectory()
    {
        var directory = Libc.OpenAt(_place.Directory, ".\0"u8, Libc.ReadOnly | Libc.Directory);
        if (directory >= 0)
            _ = Libc.Sync(directory);
        Libc.Close(directory);
    }
}
