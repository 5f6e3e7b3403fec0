using System.Runtime.InteropServices;

namespace Miosa.Runtime.Linux;

internal static unsafe partial class Libc
{
    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);

    [LibraryImport(C, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint uid, uint gid);

    public static void HardLink(string from, string to) => Check(link(from, to), "link", $"{to} -> {from}");

    /// <summary>Changes the owner of the path itself, never of what a link points to.</summary>
    public static void ChangeOwner(string path, uint uid, uint gid) => Check(lchown(path, uid, gid), "chown", path);
}
