using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.delete</c>: a file or link, an empty directory, or with <c>recursive</c> a tree.</summary>
internal static class Delete
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.DeleteCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        using var place = Place.ToChange(call.Path, createParents: false, followLeaf: false);
        if (GuestPath.IsRoot(place.Real))
            throw new GuestFailure(GuestErrorCode.Forbidden, "\"" + place.Path + "\" itself cannot be deleted");
        var status = place.Existing();
        if (!status.IsDirectory)
            Libc.Check(Libc.UnlinkAt(place.Directory, place.LeafZ, 0), "delete", place.Path);
        else if (call.Recursive)
            Removal.Tree(place.Directory, place.LeafZ, place.Path);
        else if (Libc.UnlinkAt(place.Directory, place.LeafZ, Libc.AtRemoveDirectory) < 0)
            throw Libc.LastErrno == Errno.ENOTEMPTY
                ? new GuestFailure(GuestErrorCode.IsDirectory, "\"" + place.Path + "\" is a directory that is not empty; delete it with recursive")
                : new LinuxException("delete", place.Path, Libc.LastErrno);
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }
}
