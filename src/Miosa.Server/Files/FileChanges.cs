using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>Operations that change what is there without content: delete, mkdir, move, copy, chmod.</summary>
internal static class FileChanges
{
    private static readonly Aliases MkdirAliases = new Aliases().Add("recursive", "parents");

    private static readonly Aliases MoveAliases = new Aliases()
        .Add("from", "source", "src", "old_path", "path")
        .Add("to", "destination", "dest", "dst", "new_path");

    /// <summary>The path stands in the query (.NET client) or in a body, which the Go command line tool sends with DELETE.</summary>
    public static async Task<IResult> DeleteAsync(HttpContext context)
    {
        var query = FileFields.Of(context.Request.Query);
        if (query.Has("path"))
            return await DeleteAsync(context, query);
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        return refusal is null ? await DeleteAsync(context, fields) : Reply.Refuse(refusal);
    }

    public static Task<IResult> DeleteByUrlAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        fields.Body["path"] = UrlPath.Of(context);
        return DeleteAsync(context, fields);
    }

    public static async Task<IResult> MkdirAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, MkdirAliases);
        var path = fields.Path("path");
        var parents = fields.Bool("recursive") ?? true;
        var mode = fields.Mode("mode") ?? "0755";
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "path", async (guest, ct) =>
        {
            // Not null: a missing path is refused above.
            await MakeAsync(guest, path!, parents, mode, ct);
            return Reply.Ok();
        });
    }

    public static Task<IResult> MoveAsync(HttpContext context) => RelocateAsync(context, (guest, from, to, fields, ct) =>
        guest.MoveAsync(from, to, fields.Bool("overwrite") ?? true, ct));

    public static Task<IResult> CopyAsync(HttpContext context) => RelocateAsync(context, (guest, from, to, fields, ct) =>
        guest.CopyAsync(from, to, fields.Bool("overwrite") ?? true, fields.Bool("recursive") ?? false, ct));

    public static async Task<IResult> ChmodAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        var path = fields.Path("path");
        var mode = fields.Mode("mode");
        if (!fields.Has("mode"))
            fields.Fail("mode", "is required: octal permissions such as \"0755\"");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "path", async (guest, ct) =>
        {
            // Not null: a missing path or mode is refused above.
            await guest.ChmodAsync(path!, mode!, ct);
            return Reply.Ok();
        });
    }

    private static async Task<IResult> DeleteAsync(HttpContext context, Fields fields)
    {
        var path = fields.Path("path");
        var recursive = fields.Bool("recursive") ?? true;
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "path", async (guest, ct) =>
        {
            try
            {
                // Not null: a missing path is refused above.
                await guest.DeleteAsync(path!, recursive, ct);
            }
            catch (GuestException e) when (e.Code == GuestErrorCode.IsDirectory && context.IsAboutComputer())
            {
                // Their contract has another status for it than that of sandboxes.
                return Reply.Refuse(Refusal.Conflict(e.Message));
            }
            return Reply.Ok();
        });
    }

    private static async Task<IResult> RelocateAsync(
        HttpContext context, Func<GuestConnection, string, string, Fields, CancellationToken, Task> relocate)
    {
        var (fields, refusal) = await Body.ReadAsync(context, MoveAliases);
        var from = fields.Path("from");
        var to = fields.Path("to");
        fields.Bool("overwrite");
        fields.Bool("recursive");
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "from", async (guest, ct) =>
        {
            // Not null: missing paths are refused above.
            await relocate(guest, from!, to!, fields, ct);
            return Reply.Ok();
        });
    }

    /// <summary>A folder that is there already is fine, also without parents.</summary>
    private static async Task MakeAsync(GuestConnection guest, string path, bool parents, string mode, CancellationToken ct)
    {
        try
        {
            await guest.MkdirAsync(path, parents, mode, ct);
        }
        catch (GuestException e) when (e.Code == GuestErrorCode.Exists)
        {
            if ((await guest.StatAsync(path, ct)).Type != GuestEntryType.Directory)
                throw;
        }
    }
}
