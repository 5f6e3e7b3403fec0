using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Miosa.Guest;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Files;

/// <summary>
/// <c>files.upload</c>: multipart/form-data, streamed part by part. The parts may come in any order: a file whose <c>path</c> is not known
/// yet goes to a staging name and is moved when the form has ended.
/// </summary>
internal static class FileUpload
{
    private const string DefaultTarget = FolderListing.DefaultFolder + "/";
    private const int MaxFieldBytes = 8 * 1024;
    private const int MaxBoundaryLength = 200;

    public static bool IsMultipart(HttpContext context) =>
        context.Request.ContentType?.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase) is true;

    public static async Task<IResult> UploadAsync(HttpContext context)
    {
        var boundary = MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) && IsMultipart(context)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).ToString()
            : "";
        if (boundary.Length is 0 or > MaxBoundaryLength)
            return Reply.Refuse(Refusal.Invalid("file", "is required: send multipart/form-data with the parts path and file"));
        LongStream.Allow(context);
        return await FileCall.RunAsync(context, AdmitFor.FileWrite, "path", async (guest, ct) =>
        {
            var form = new Form(guest, FileFields.Of(context.Request.Query));
            try
            {
                var refusal = await form.ReceiveAsync(new MultipartReader(boundary, context.Request.Body), ct);
                if (refusal is not null)
                    return Reply.Refuse(refusal);
                var result = await form.FinishAsync(ct);
                return context.IsAboutComputer() ? await ComputerFiles.WrittenAsync(guest, result.File.Path, 201, ct) : Reply.Bare(result, WireJson.Default.FileUploadResult, 201);
            }
            // The client's part: a form that ends early or has no valid parts.
            catch (Exception e) when (e is IOException or InvalidDataException && !ct.IsCancellationRequested)
            {
                return Reply.Refuse(Refusal.BadRequest($"the form is not valid multipart/form-data: {e.Message}"));
            }
            finally
            {
                await form.DiscardAsync();
            }
        });
    }

    private sealed class Form(GuestConnection guest, Fields query)
    {
        private string? path = query.Text("path", 4096);
        private string? mode = query.Mode("mode");
        private bool createDirs = query.Bool("create_dirs") ?? true;
        private string? staging;
        private string? fileName;
        private WriteFileReply? stored;

        public async Task<Refusal?> ReceiveAsync(MultipartReader reader, CancellationToken ct)
        {
            if (query.Errors() is { } faulty)
                return faulty;
            while (await reader.ReadNextSectionAsync(ct) is { } section)
            {
                if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition))
                    return Refusal.BadRequest("a part of the form has no valid Content-Disposition");
                var name = HeaderUtilities.RemoveQuotes(disposition.Name).ToString();
                var refusal = name == "file" || disposition.FileName.HasValue || disposition.FileNameStar.HasValue
                    ? await ReceiveFileAsync(section.Body, disposition, ct)
                    : await ReceiveFieldAsync(name, section.Body, ct);
                if (refusal is not null)
                    return refusal;
            }
            return stored is null ? Refusal.Invalid("file", "is required: the form has no part with that name") : await CheckParentAsync(ct);
        }

        public async Task<FileUploadResult> FinishAsync(CancellationToken ct)
        {
            // Not null: ReceiveAsync refuses a form without a file.
            var (at, size) = (stored!.Path ?? Target(), stored.Size);
            if (staging is not null)
            {
                at = Target();
                await guest.MoveAsync(staging, at, overwrite: true, ct);
                staging = null;
                at = (await guest.StatAsync(at, ct)).Path ?? at;
            }
            return new FileUploadResult { File = new UploadedFile { Path = at, Filename = at[(at.LastIndexOf('/') + 1)..], SizeBytes = size } };
        }

        /// <summary>Leaves no staged file behind, however the form ended; so not under the request's token.</summary>
        public async Task DiscardAsync()
        {
            if (staging is null || stored is null)
                return;
            try
            {
                await guest.DeleteAsync(staging, recursive: false, CancellationToken.None);
            }
            catch (GuestException)
            {
                // The machine is gone, and the file with it.
            }
        }

        private async Task<Refusal?> ReceiveFileAsync(Stream content, ContentDispositionHeaderValue disposition, CancellationToken ct)
        {
            if (stored is not null)
                return Refusal.Invalid("file", "must be one: send a form per file, or POST files/write-many");
            fileName = BaseName(disposition);
            if (fileName is null && (path is null || path.EndsWith('/')))
                return Refusal.Invalid("file", "has no usable file name: name the target in path, before the file");
            string target;
            if (path is null)
            {
                target = staging = $"{DefaultTarget}.{Ids.New("upload")}";
            }
            else
            {
                target = Target();
                if (await CheckParentAsync(ct) is { } refusal)
                    return refusal;
            }
            stored = await guest.WriteAsync(new WriteFileCall { Path = target, Mode = mode }, content, ct);
            return null;
        }

        private async Task<Refusal?> ReceiveFieldAsync(string name, Stream body, CancellationToken ct)
        {
            var buffer = new byte[MaxFieldBytes + 1];
            var count = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
            if (count > MaxFieldBytes)
                return Refusal.Invalid(name, $"must be at most {MaxFieldBytes} bytes");
            var text = Encoding.UTF8.GetString(buffer, 0, count);
            var fields = new Fields(new() { [name] = text });
            switch (name)
            {
                case "path" when text.Length > 0 && (stored is null || staging is not null):
                    path = fields.Path("path");
                    break;
                case "path" when text.Length > 0:
                    return Refusal.Invalid("path", "stands in the query and in the form after the file: send it once");
                case "mode" when text.Length > 0 && stored is null:
                    mode = fields.Mode("mode");
                    break;
                case "mode" when text.Length > 0:
                    return Refusal.Invalid("mode", "must come before the file");
                case "create_dirs":
                    createDirs = text is not ("false" or "0" or "False");
                    break;
            }
            return fields.Errors();
        }

        private string Target()
        {
            var target = path ?? DefaultTarget;
            return target.EndsWith('/') ? target + fileName : target;
        }

        private async Task<Refusal?> CheckParentAsync(CancellationToken ct)
        {
            if (createDirs)
                return null;
            var target = Target();
            var parent = target.LastIndexOf('/') is var slash and > 0 ? target[..slash] : FolderListing.DefaultFolder;
            try
            {
                await guest.StatAsync(parent, ct);
                return null;
            }
            catch (GuestException e) when (e.Code == GuestErrorCode.NotFound)
            {
                return Refusal.Invalid("path", $"is in the folder \"{parent}\", which does not exist, and create_dirs is false");
            }
        }

        // Browsers on other systems send whole paths; only the last name is the file's.
        private static string? BaseName(ContentDispositionHeaderValue disposition)
        {
            var given = disposition.FileNameStar.HasValue
                ? disposition.FileNameStar.ToString()
                : HeaderUtilities.UnescapeAsQuotedString(disposition.FileName).ToString();
            var name = given[(given.LastIndexOfAny(['/', '\\']) + 1)..];
            return name is "" or "." or ".." || name.Contains('\0', StringComparison.Ordinal) ? null : name;
        }
    }
}
