using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.mkdir</c>: with <c>parents</c> an existing directory is fine, as with <c>mkdir -p</c>.</summary>
internal static class Mkdir
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.MkdirCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        var mode = GuestPath.ModeOf(call.Mode);
        using var place = Place.ToChange(call.Path, call.Parents, followLeaf: false);
        if (Libc.MkdirAt(place.Directory, place.LeafZ, 0x1ED) == 0)
        {
            var owner = place.Owner();
            // mkdir itself cuts the mode by the umask.
            if (mode is not null || owner is not null)
                Settle(place, mode, owner);
        }
        else if (Libc.LastErrno != Errno.EEXIST || !call.Parents)
        {
            throw new LinuxException("mkdir", place.Path, Libc.LastErrno);
        }
        else if (Libc.StatAt(place.Directory, place.LeafZ, out var status, 0) < 0 || !status.IsDirectory)
        {
            throw new LinuxException("mkdir", place.Path, Errno.EEXIST);
        }
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }

    private static void Settle(Place place, uint? mode, (uint Uid, uint Gid)? owner)
    {
        var fd = place.OpenLeaf(Libc.ReadOnly | Libc.Directory | Libc.NoFollow);
        try
        {
            if (owner is { } it)
                Place.Give(fd, it, place.Path);
            if (mode is { } wanted)
                Libc.Check(Libc.ChmodFile(fd, wanted), "chmod", place.Path);
        }
        finally
        {
            Libc.Close(fd);
        }
    }
}
