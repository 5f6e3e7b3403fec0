using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>
/// Routes of the files of computers. The operations are those of sandboxes; here is what differs: the folder that nobody names, and answers in
/// the shapes that clients of computers read.
/// </summary>
internal static class ComputerFiles
{
    /// <summary>The home of the user of a desktop image.</summary>
    private const string Home = "/home/user";

    private const string Files = Routes.Base + "/computers/{computer_id}/files";

    public static void MapComputerFiles(this IEndpointRouteBuilder routes)
    {
        Read("GET", ListAsync, Files, $"{Files}/list");
        Read("GET", FolderListing.ListAsync, $"{Files}/readdir");
        Read("GET", FileFacts.ByQueryAsync, $"{Files}/stat");
        Read("POST", FileFacts.ByBodyAsync, $"{Files}/stat");
        Read("GET", FileDownload.ByQueryAsync, $"{Files}/download");
        Write("POST", FileWrite.ByBodyAsync, $"{Files}/write");
        Write("POST", FileUpload.UploadAsync, $"{Files}/upload");
        Write("DELETE", FileChanges.DeleteAsync, Files);
        Write("POST", FileChanges.MkdirAsync, $"{Files}/mkdir");
        Write("POST", FileChanges.MoveAsync, $"{Files}/rename", $"{Files}/move");
        Write("POST", FileChanges.CopyAsync, $"{Files}/copy");
        Write("POST", FileChanges.ChmodAsync, $"{Files}/chmod");

        void Read(string method, Func<HttpContext, Task<IResult>> handler, params string[] patterns) => Map(method, handler, Scopes.ComputersRead, patterns);

        void Write(string method, Func<HttpContext, Task<IResult>> handler, params string[] patterns) => Map(method, handler, Scopes.ComputersWrite, patterns);

        void Map(string method, Func<HttpContext, Task<IResult>> handler, string scope, string[] patterns)
        {
            foreach (var pattern in patterns)
                routes.Map(method, pattern, handler).Needs(scope);
        }
    }

    /// <summary>The entry as it is now: the answer to a write.</summary>
    public static async Task<IResult> WrittenAsync(GuestConnection guest, string path, int status, CancellationToken ct)
    {
        var entry = FolderListing.EntryOf(await guest.StatAsync(path, ct));
        return Reply.One(
            new ComputerFileWritten
            {
                Name = entry.Name,
                Path = entry.Path,
                Type = entry.Type,
                IsDir = entry.IsDir,
                IsSymlink = entry.IsSymlink,
                Size = entry.Size,
                SizeBytes = entry.SizeBytes,
                Permissions = entry.Mode,
                Mode = entry.Mode,
                ModifiedAt = entry.ModifiedAt,
            },
            WireJson.Default.ComputerFileWritten,
            status);
    }

    private static async Task<IResult> ListAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        var path = fields.Has("path") ? fields.Path("path") : null;
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            var (folder, entries) = await FolderListing.EntriesAsync(guest, path ?? await DefaultAsync(guest, ct), depth: 1, hidden: true, ct);
            return entries is null
                ? Reply.Refuse(FolderListing.TooMany(folder))
                : Reply.Bare(new ComputerFileList { Path = folder, Entries = entries, Data = entries, Total = entries.Count }, WireJson.Default.ComputerFileList);
        });
    }

    /// <summary>An image without that user has its files where sandboxes have them.</summary>
    private static async Task<string> DefaultAsync(GuestConnection guest, CancellationToken ct)
    {
        try
        {
            return (await guest.StatAsync(Home, ct)).Type == GuestEntryType.Directory ? Home : FolderListing.DefaultFolder;
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.NotFound)
        {
            return FolderListing.DefaultFolder;
        }
    }
}
