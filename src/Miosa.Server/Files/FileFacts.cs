using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary><c>files.stat</c>: facts about one path, by body or by query.</summary>
internal static class FileFacts
{
    public static async Task<IResult> ByBodyAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        return refusal is null ? await StatAsync(context, fields) : Reply.Refuse(refusal);
    }

    public static Task<IResult> ByQueryAsync(HttpContext context) => StatAsync(context, FileFields.Of(context.Request.Query));

    private static async Task<IResult> StatAsync(HttpContext context, Fields fields)
    {
        var path = fields.Path("path");
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            // Not null: a missing path is refused above.
            var entry = await guest.StatAsync(path!, ct);
            return Reply.One(Of(entry), WireJson.Default.FileStat);
        });
    }

    private static FileStat Of(GuestEntry entry) => new()
    {
        Path = entry.Path ?? "",
        Name = entry.Name,
        Type = FolderListing.TypeOf(entry),
        Size = entry.Size,
        Mode = entry.Mode,
        IsDir = entry.Type == GuestEntryType.Directory,
        IsSymlink = entry.Type == GuestEntryType.Symlink,
        SymlinkTarget = entry.SymlinkTarget,
        ModifiedAt = FolderListing.ModifiedAt(entry),
        Mtime = FolderListing.ModifiedAt(entry),
    };
}
