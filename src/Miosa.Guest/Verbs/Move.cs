using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.move</c>: a rename, or between file systems (and for directories of a lower overlay layer) a copy and a removal.</summary>
internal static class Move
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.MoveCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        using var from = Place.ToChange(call.From, createParents: false, followLeaf: false);
        // Before the target's parents are made for nothing.
        _ = from.Existing();
        using var to = Place.ToChange(call.To, createParents: true, followLeaf: false);
        if (GuestPath.IsRoot(from.Real) || GuestPath.IsRoot(to.Real))
            throw new GuestFailure(GuestErrorCode.Forbidden, "\"" + from.Path + "\" cannot be moved there");
        var flags = call.Overwrite ? 0 : Libc.RenameNoReplace;
        if (Libc.RenameAt(from.Directory, from.LeafZ, to.Directory, to.LeafZ, flags) < 0)
        {
            if (Libc.LastErrno != Errno.EXDEV)
                throw new LinuxException("move", to.Path, Libc.LastErrno);
            Across(stream, from, to, call.Overwrite);
        }
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }

    private static void Across(GuestStream stream, Place from, Place to, bool overwrite)
    {
        if (to.Status() is { } old)
        {
            if (!overwrite || old.IsDirectory)
                throw new LinuxException("move", to.Path, old.IsDirectory && overwrite ? Errno.EISDIR : Errno.EEXIST);
            Libc.Check(Libc.UnlinkAt(to.Directory, to.LeafZ, 0), "move", to.Path);
        }
        try
        {
            new TreeCopy(stream, from.Path).Entry(from.Directory, from.LeafZ, to.Directory, to.LeafZ);
        }
        catch (Exception e) when (e is LinuxException or GuestFailure or StreamCancelledException)
        {
            if (to.Status() is not null)
                Removal.Tree(to.Directory, to.LeafZ, to.Path);
            throw;
        }
        Removal.Tree(from.Directory, from.LeafZ, from.Path);
    }
}
