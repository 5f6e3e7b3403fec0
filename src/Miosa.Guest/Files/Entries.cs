using System.Globalization;
using System.Text;
using Miosa.Guest.Linux;

namespace Miosa.Guest.Files;

/// <summary>What the host is told about a file.</summary>
internal static class Entries
{
    public static GuestEntry Of(Place place) => Of(place.Path, place.Name, place.Directory, place.LeafZ, place.Existing());

    public static GuestEntry Of(string path, string name, int directory, byte[] nameZ, in FileStatus status) => new()
    {
        Path = path,
        Name = name,
        Type = TypeOf(status),
        Size = status.Size,
        Mode = Octal(status.Permissions),
        Uid = status.Uid,
        Gid = status.Gid,
        ModifiedMs = status.ModifiedSeconds * 1000 + status.ModifiedNanoseconds / 1_000_000,
        SymlinkTarget = status.IsSymlink && Libc.ReadLinkAt(directory, nameZ) is { } target ? Encoding.UTF8.GetString(target) : null,
    };

    private static string TypeOf(in FileStatus status) =>
        status.IsRegular ? GuestEntryType.File
        : status.IsDirectory ? GuestEntryType.Directory
        : status.IsSymlink ? GuestEntryType.Symlink
        : GuestEntryType.Other;

    private static string Octal(uint mode) => string.Create(CultureInfo.InvariantCulture, $"{mode >> 9 & 7}{mode >> 6 & 7}{mode >> 3 & 7}{mode & 7}");
}
