using System.Buffers;
using System.Globalization;
using Microsoft.Net.Http.Headers;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary><c>files.read</c> and <c>files.download</c>: the raw bytes of a file of any size, or the part that Range asks for.</summary>
internal static class FileDownload
{
    public static Task<IResult> ByUrlAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        fields.Body["path"] = UrlPath.Of(context);
        return ReadAsync(context, fields);
    }

    public static Task<IResult> ByQueryAsync(HttpContext context) => ReadAsync(context, FileFields.Of(context.Request.Query));

    private static async Task<IResult> ReadAsync(HttpContext context, Fields fields)
    {
        var path = fields.Path("path");
        var fileName = fields.Text("filename");
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        // Not null: a missing path is refused above.
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", (guest, ct) => OpenAsync(context, guest, path!, fileName, ct));
    }

    internal static async Task<IResult> OpenAsync(HttpContext context, GuestConnection guest, string path, string? fileName, CancellationToken ct)
    {
        var file = await guest.OpenReadAsync(path, 0, null, ct);
        try
        {
            var modified = FolderListing.ModifiedAt(file.Entry);
            var verdict = ByteRange.Of(RangeOf(context.Request, modified), file.Entry.Size, out var range);
            if (verdict == ByteRange.Verdict.Unsatisfiable)
            {
                await file.DisposeAsync();
                return new RangeRefusal(file.Entry.Size);
            }
            var head = new FileHead(fileName ?? path[(path.LastIndexOf('/') + 1)..], modified);
            if (verdict == ByteRange.Verdict.Part)
            {
                await file.DisposeAsync();
                var size = file.Entry.Size;
                file = await guest.OpenReadAsync(path, range.Offset, range.Length, ct);
                // A slice of text need not be text: it may begin inside a character.
                return new FileReply(file, head with { IsText = false, Part = range, Size = size, Length = range.Length }, default);
            }

            var peek = await FilePeek.ReadAsync(file, path, ct);
            if (peek.MustReopen)
            {
                await file.DisposeAsync();
                file = await guest.OpenReadAsync(path, 0, null, ct);
            }
            // Files such as those of /proc say size 0 and have content: their length is not known before the end.
            long? length = file.Entry.Size > 0 || peek.IsWhole ? (peek.IsWhole ? peek.Bytes.Length : file.Entry.Size) : null;
            return new FileReply(file, head with { IsText = peek.IsText, Size = file.Entry.Size, Length = length }, peek.MustReopen ? default : peek.Bytes);
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>Range counts only while the file is the one that If-Range names.</summary>
    private static string? RangeOf(HttpRequest request, DateTimeOffset modified)
    {
        var condition = request.Headers.IfRange.ToString();
        return condition.Length == 0 || condition == FileHead.HttpDate(modified) ? request.Headers.Range.ToString() : null;
    }

    private sealed class RangeRefusal(long size) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.ContentRange = $"bytes */{size}";
            httpContext.Response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            httpContext.Response.ContentType = "application/json; charset=utf-8";
            var refusal = Refusal.Invalid("range", $"begins after the end of the file, which has {size} bytes");
            return httpContext.Response.Body.WriteAsync(Reply.Bytes(refusal, httpContext.RequestId()), httpContext.RequestAborted).AsTask();
        }
    }
}

/// <summary>What the headers of a download say.</summary>
internal sealed record FileHead(string FileName, DateTimeOffset Modified)
{
    public bool IsText { get; init; }
    public long Size { get; init; }

    /// <summary>Bytes of the body; null when only the end will tell.</summary>
    public long? Length { get; init; }

    public ByteRange? Part { get; init; }

    public static string HttpDate(DateTimeOffset time) => time.ToString("R", CultureInfo.InvariantCulture);

    public void Write(HttpResponse response)
    {
        response.StatusCode = Part is null ? StatusCodes.Status200OK : StatusCodes.Status206PartialContent;
        // Never JSON or HTML, whatever the name says (common.md, section 15): clients decode JSON, browsers run HTML.
        response.ContentType = IsText ? "text/plain; charset=utf-8" : "application/octet-stream";
        response.ContentLength = Length;
        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(SafeName(FileName));
        response.Headers.ContentDisposition = disposition.ToString();
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.AcceptRanges = "bytes";
        response.Headers.LastModified = HttpDate(Modified);
        if (Part is { } part)
            response.Headers.ContentRange = $"bytes {part.Offset}-{part.Offset + part.Length - 1}/{Size}";
    }

    // A name that a browser would take for a path, or that would break the header.
    private static string SafeName(string name)
    {
        var safe = string.Concat(name.Select(c => c is '/' or '\\' or '"' || char.IsControl(c) ? '_' : c));
        return safe is "" or "." or ".." ? "file" : safe;
    }
}

/// <summary>The bytes peeked at, then the rest of the stream. Once the headers are out, a failure can only cut the connection.</summary>
internal sealed partial class FileReply(GuestFile file, FileHead head, ReadOnlyMemory<byte> first) : IResult
{
    private const int CopyBytes = 64 * 1024;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        await using var source = file;
        LongStream.Allow(httpContext);
        head.Write(httpContext.Response);
        try
        {
            var left = await CopyAsync(httpContext);
            if (left > 0)
            {
                Log.Shrunk(LogOf(httpContext), httpContext.RequestId(), left);
                httpContext.Abort();
            }
        }
        catch (GuestException e)
        {
            Log.Cut(LogOf(httpContext), httpContext.RequestId(), e.Message);
            httpContext.Abort();
        }
    }

    /// <summary>How many promised bytes are missing: the file became shorter while it was read.</summary>
    private async Task<long> CopyAsync(HttpContext context)
    {
        var ct = context.RequestAborted;
        var target = context.Response.Body;
        var left = head.Length ?? long.MaxValue;
        if (!first.IsEmpty)
        {
            var part = first[..(int)Math.Min(first.Length, left)];
            await target.WriteAsync(part, ct);
            left -= part.Length;
        }
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            // A file that grows meanwhile is cut at the length that the header promised.
            while (left > 0)
            {
                var count = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), ct);
                if (count == 0)
                    break;
                await target.WriteAsync(buffer.AsMemory(0, count), ct);
                left -= count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return head.Length is null ? 0 : left;
    }

    private static ILogger LogOf(HttpContext context) => context.RequestServices.GetRequiredService<ILogger<FileReply>>();

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "{RequestId}: download cut, the file became {Missing} bytes shorter while it was read")]
        public static partial void Shrunk(ILogger logger, string requestId, long missing);

        [LoggerMessage(2, LogLevel.Warning, "{RequestId}: download cut: {Reason}")]
        public static partial void Cut(ILogger logger, string requestId, string reason);
    }
}
