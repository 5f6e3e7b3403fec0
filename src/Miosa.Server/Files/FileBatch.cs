using System.Text.Json.Nodes;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>
/// <c>files.write_files</c> and <c>write_many</c>: many small files with an outcome for each. The two routes differ in one thing, what
/// <c>content</c> without <c>encoding</c> is: text on write-many, base64 on batch, as their clients send it.
/// </summary>
internal static class FileBatch
{
    private const int MaxFiles = 1000;

    private static readonly Aliases ItemAliases = new Aliases().Add("content", "data");

    public static Task<IResult> WriteManyAsync(HttpContext context) => WriteAsync(context, textByDefault: true);

    public static Task<IResult> BatchAsync(HttpContext context) => WriteAsync(context, textByDefault: false);

    private static async Task<IResult> WriteAsync(HttpContext context, bool textByDefault)
    {
        var (fields, refusal) = await FileWrite.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var items = ItemsOf(fields, textByDefault);
        if (fields.Errors() is { } faulty)
            return Reply.Refuse(faulty);

        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "files", async (guest, ct) =>
        {
            var written = new List<WrittenItem>();
            var failed = new List<RefusedItem>();
            // In order, one after the other: a later entry may replace an earlier one.
            foreach (var item in items)
            {
                var error = item.Error ?? await StoreAsync(guest, item, written, ct);
                if (error is not null)
                    failed.Add(new RefusedItem { Path = item.Path, Error = error });
            }
            return Reply.One(new WriteManyResult { Written = written, Failed = failed }, WireJson.Default.WriteManyResult);
        });
    }

    /// <summary>Null when the file is stored, else why not.</summary>
    private static async Task<string?> StoreAsync(GuestConnection guest, Item item, List<WrittenItem> written, CancellationToken ct)
    {
        try
        {
            var result = await guest.WriteAsync(new WriteFileCall { Path = item.Path, Mode = item.Mode }, new MemoryStream(item.Content, writable: false), ct);
            written.Add(new WrittenItem { Path = result.Path ?? item.Path, SizeBytes = result.Size });
            return null;
        }
        // A guest that is gone before anything was stored is the whole call's failure; after that each file tells its own.
        catch (GuestException e) when (written.Count > 0 || FileCall.RefusalOf(e, "files").Code != ErrorCodes.AgentUnavailable)
        {
            return e.Message;
        }
    }

    private static List<Item> ItemsOf(Fields fields, bool textByDefault)
    {
        var items = new List<Item>();
        if (!fields.Has("files"))
        {
            fields.Fail("files", "is required: a list of files, which may be empty");
            return items;
        }
        if (fields.List("files") is not { } list)
            return items;
        if (list.Count > MaxFiles)
        {
            fields.Fail("files", $"must have at most {MaxFiles} entries, got {list.Count}");
            return items;
        }
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i] is not JsonObject entry)
            {
                fields.Fail($"files[{i}]", "must be an object with path and content");
                continue;
            }
            var item = new Fields(ItemAliases.Apply(entry));
            // Without a path there is nothing the outcome could be told about.
            if (item.Path("path") is not { } path)
            {
                fields.Fail($"files[{i}].path", "is required: an absolute path, or one relative to /workspace");
                continue;
            }
            var mode = item.Mode("mode");
            var content = item.Content(textByDefault);
            items.Add(new Item(path, mode, content ?? [], item.Errors()?.Message));
        }
        return items;
    }

    private readonly record struct Item(string Path, string? Mode, byte[] Content, string? Error);
}
