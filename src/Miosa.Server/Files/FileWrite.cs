using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary><c>files.write</c>: one file, from a JSON body or as the raw bytes of the request.</summary>
internal static class FileWrite
{
    /// <summary>Base64 of 36 MB. The body is held in memory; whatever is larger streams.</summary>
    public const int MaxJsonBytes = 48 * 1024 * 1024;

    public static async Task<IResult> ByBodyAsync(HttpContext context)
    {
        if (FileUpload.IsMultipart(context))
            return await FileUpload.UploadAsync(context);
        var (fields, refusal) = await ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var path = fields.Path("path");
        var mode = fields.Mode("mode");
        // "content" of a computer's file is text; its bytes come as content_base64.
        var content = fields.Content(textByDefault: context.IsAboutComputer());
        if (fields.Errors() is { } faulty)
            return Reply.Refuse(faulty);
        // Not null: a missing path or content is refused above.
        return await StoreAsync(context, path!, mode, new MemoryStream(content!, writable: false));
    }

    /// <summary>PUT without a path in the URL is the JSON form, unless the query names the path: then the body is the file.</summary>
    public static Task<IResult> PutAsync(HttpContext context)
    {
        var query = FileFields.Of(context.Request.Query);
        return query.Has("path") && !context.Request.HasJsonContentType() ? RawAsync(context, query) : ByBodyAsync(context);
    }

    public static Task<IResult> ByUrlAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        fields.Body["path"] = UrlPath.Of(context);
        return RawAsync(context, fields);
    }

    /// <summary>A JSON body that carries content: larger than others, and the refusal of a still larger one names the way out.</summary>
    public static async Task<BodyRead> ReadAsync(HttpContext context, Aliases aliases)
    {
        LongStream.Allow(context);
        var read = await Body.ReadAsync(context, aliases, MaxJsonBytes);
        return read.Refusal is { Code: ErrorCodes.FileTooLarge }
            ? read with
            {
                Refusal = Refusal.TooLarge($"a JSON body may have at most {MaxJsonBytes} bytes: send "
                    + (context.IsAboutComputer() ? "" : "the raw bytes with PUT /sandboxes/{id}/files/{path}, or ") + $"multipart/form-data to POST /{context.Area()}/{{id}}/files/upload, which takes files of any size"),
            }
            : read;
    }

    private static Task<IResult> RawAsync(HttpContext context, Fields fields)
    {
        var path = fields.Path("path");
        var mode = fields.Mode("mode");
        if (fields.Errors() is { } refusal)
            return Task.FromResult(Reply.Refuse(refusal));
        LongStream.Allow(context);
        // Not null: a missing path is refused above.
        return StoreAsync(context, path!, mode, context.Request.Body);
    }

    private static Task<IResult> StoreAsync(HttpContext context, string path, string? mode, Stream content) =>
        FileCall.RunAsync(context, AdmitFor.FileWrite, "path", async (guest, ct) =>
        {
            var written = await guest.WriteAsync(new WriteFileCall { Path = path, Mode = mode }, content, ct);
            if (context.IsAboutComputer())
                return await ComputerFiles.WrittenAsync(guest, written.Path ?? path, 200, ct);
            return Reply.One(new FileWriteResult { Path = written.Path ?? path, Size = written.Size, SizeBytes = written.Size }, WireJson.Default.FileWriteResult);
        });
}
