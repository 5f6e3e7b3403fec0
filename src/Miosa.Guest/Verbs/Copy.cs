using System.Text.Json;
using Miosa.Guest.Files;
using Miosa.Guest.Linux;
using Miosa.Guest.Wire;

namespace Miosa.Guest.Verbs;

/// <summary><c>file.copy</c>: one file in one step, or with <c>recursive</c> a tree to a name that does not exist yet.</summary>
internal static class Copy
{
    public static byte[] Run(GuestStream stream, ReadOnlySpan<byte> open)
    {
        var call = JsonSerializer.Deserialize(open, GuestJson.Wire.CopyCall) ?? throw GuestFailure.BadRequest("OPEN is null");
        using var from = Place.ToRead(call.From);
        using var to = Place.ToChange(call.To, createParents: true, followLeaf: false);
        var status = from.Existing();
        if (status.IsDirectory && !call.Recursive)
            throw new LinuxException("copy", from.Path, Errno.EISDIR);
        if (from.Real.AsSpan().SequenceEqual(to.Real) || IsBelow(to.Real, from.Real))
            throw GuestFailure.BadRequest("\"" + from.Path + "\" cannot be copied onto or into itself");
        if (status.IsRegular)
            CopyFile(stream, from, to, status, call.Overwrite);
        else
            CopyTree(stream, from, to, call.Overwrite);
        return JsonSerializer.SerializeToUtf8Bytes(new Done(), GuestJson.Wire.Done);
    }

    private static bool IsBelow(ReadOnlySpan<byte> path, ReadOnlySpan<byte> root) =>
        path.StartsWith(root) && path.Length > root.Length && (root.Length == 1 || path[root.Length] == (byte)'/');

    private static void CopyFile(GuestStream stream, Place from, Place to, in FileStatus status, bool overwrite)
    {
        var source = from.OpenLeaf(Libc.ReadOnly | Libc.NoFollow | Libc.NonBlocking);
        try
        {
            using var file = new NewFile(to, overwrite);
            new TreeCopy(stream, from.Path).Contents(source, file.Fd);
            file.Commit(status.Permissions, overwrite, sync: false);
        }
        finally
        {
            Libc.Close(source);
        }
    }

    private static void CopyTree(GuestStream stream, Place from, Place to, bool overwrite)
    {
        if (to.Status() is { } old)
        {
            // A tree is never merged into another; a link or file in the way goes only if that was wanted.
            if (!overwrite || old.IsDirectory)
                throw new LinuxException("copy", to.Path, Errno.EEXIST);
            Libc.Check(Libc.UnlinkAt(to.Directory, to.LeafZ, 0), "copy", to.Path);
        }
        try
        {
            new TreeCopy(stream, from.Path).Entry(from.Directory, from.LeafZ, to.Directory, to.LeafZ);
        }
        catch (Exception e) when (e is not ConnectionLostException)
        {
            RemoveHalf(to);
            throw;
        }
    }

    private static void RemoveHalf(Place to)
    {
        try
        {
            Removal.Tree(to.Directory, to.LeafZ, to.Path);
        }
        catch (LinuxException)
        {
            // The first failure is the one to tell.
        }
    }
}
