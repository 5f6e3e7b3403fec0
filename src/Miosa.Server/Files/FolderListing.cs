using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary><c>files.list</c>: the entries of a folder, parents before children.</summary>
internal static class FolderListing
{
    public const int MaxDepth = 10;

    /// <summary>More is refused: the body holds every entry four times, once per spelling that clients read.</summary>
    public const int MaxEntries = 50_000;

    public const string DefaultFolder = "/workspace";

    public static async Task<IResult> ListAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        // Of computers this is readdir, which names its folder; their list has a default of its own.
        var path = fields.Has("path") || context.IsAboutComputer() ? fields.Path("path") : DefaultFolder;
        var depth = fields.Int("depth", 1, MaxDepth) ?? 1;
        if (fields.Bool("recursive") is true)
            depth = MaxDepth;
        var hidden = fields.Bool("include_hidden") ?? true;
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);

        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            // Not null: a missing path is the default, a faulty one refused above.
            var (folder, entries) = await EntriesAsync(guest, path!, depth, hidden, ct);
            return entries is null
                ? Reply.Refuse(TooMany(folder))
                : Reply.One(new FileListing { Path = folder, Entries = entries, Files = entries }, WireJson.Default.FileListing);
        });
    }

    /// <summary>The folder in the guest's spelling, and what is in it; null when that is too much.</summary>
    public static async Task<(string Folder, IReadOnlyList<FileEntry>? Entries)> EntriesAsync(
        GuestConnection guest, string path, int depth, bool hidden, CancellationToken ct)
    {
        var folder = (await guest.StatAsync(path, ct)).Path ?? path;
        var entries = new List<FileEntry>();
        var call = new ListFilesCall { Path = folder, Depth = depth, Hidden = hidden, Limit = MaxEntries + 1 };
        await foreach (var entry in guest.ListAsync(call, tree: false, ct))
        {
            if (entries.Count == MaxEntries)
                return (folder, null);
            entries.Add(EntryOf(entry));
        }
        return (folder, entries);
    }

    public static Refusal TooMany(string folder) =>
        Refusal.Invalid("path", $"has more than {MaxEntries} entries below \"{folder}\": name a folder deeper down or a smaller depth");

    public static string TypeOf(GuestEntry entry) => entry.Type == GuestEntryType.Directory ? "directory" : entry.Type ?? "other";

    public static DateTimeOffset ModifiedAt(GuestEntry entry) => GuestTime.Of(entry.ModifiedMs);

    public static FileEntry EntryOf(GuestEntry entry) => new()
    {
        Name = entry.Name ?? "",
        Path = entry.Path ?? "",
        Type = TypeOf(entry),
        IsDir = entry.Type == GuestEntryType.Directory,
        IsSymlink = entry.Type == GuestEntryType.Symlink,
        Size = entry.Size,
        SizeBytes = entry.Size,
        Mode = entry.Mode,
        Permissions = entry.Mode,
        ModifiedAt = ModifiedAt(entry),
    };
}
