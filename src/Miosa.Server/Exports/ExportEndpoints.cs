using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Exports;

/// <summary>Download links for files of a sandbox, and the download itself: one file as it is, a folder or several paths as tar.gz.</summary>
internal static class ExportEndpoints
{
    private const int MaxPaths = 50;

    /// <summary>A link carries its paths, and Kestrel reads request lines of 8 KiB.</summary>
    private const int MaxPathText = 3000;

    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("POST", "/sandboxes/{sandbox_id}/files/export", LinkAsync).Needs(Scopes.SandboxesRead);
        api.Map("POST", "/sandboxes/{sandbox_id}/exports", CreateAsync).Needs(Scopes.SandboxesRead);
        api.Map("POST", "/computers/{computer_id}/files/export", LinkAsync).Needs(Scopes.ComputersRead);
        // Open to all: a link is its own permission, and a call without one is asked for its key below.
        api.Map("GET", "/sandboxes/{sandbox_id}/exports/download", DownloadAsync).OpenToAll();
        api.Map("GET", "/computers/{computer_id}/exports/download", DownloadAsync).OpenToAll();
    }

    private static async Task<IResult> LinkAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var path = fields.Path("path");
        CheckLength(fields, "path", path is null ? [] : [path]);
        if (fields.Errors() is { } faults)
            return Reply.Refuse(faults);
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            // Not null: a missing path is refused above.
            var link = LinkOf(context, await guest.StatAsync(path!, ct), path!);
            return context.IsAboutComputer()
                ? Reply.Bare(new ComputerFileExport { Url = link.Url, ExpiresAt = link.ExpiresAt }, WireJson.Default.ComputerFileExport)
                : Reply.One(link, WireJson.Default.FileExport);
        });
    }

    private static async Task<IResult> CreateAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var paths = PathsOf(fields);
        var label = fields.Text("label");
        var fileName = fields.Text("filename");
        if (fields.Errors() is { } faults)
            return Reply.Refuse(faults);
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "paths", async (guest, ct) =>
        {
            var files = new List<ExportedFile>(paths.Count);
            foreach (var path in paths)
            {
                var entry = await guest.StatAsync(path, ct);
                var link = LinkOf(context, entry, path, paths.Count == 1 ? fileName : null);
                files.Add(new ExportedFile { Path = entry.Path ?? path, Filename = NameOf(entry, path), DownloadUrl = link.Url, ExpiresAt = link.ExpiresAt });
            }
            var now = Now(context);
            var sandbox = context.PathValue("sandbox_id");
            var archive = paths.Count == 1 ? null : UrlOf(context, [.. paths], fileName ?? $"{label ?? "export"}.tar.gz", now + ExportLinks.Life);
            return Reply.One(
                new SandboxExport
                {
                    Id = Ids.New("exp"),
                    SandboxId = sandbox,
                    Label = label,
                    Status = "ready",
                    Files = files,
                    ArchiveDownloadUrl = archive,
                    CreatedAt = now,
                    ExpiresAt = now + ExportLinks.Life,
                },
                WireJson.Default.SandboxExport,
                201);
        });
    }

    private static async Task<IResult> DownloadAsync(HttpContext context)
    {
        var scope = context.IsAboutComputer() ? Scopes.ComputersRead : Scopes.SandboxesRead;
        if (context.Request.Query["t"].ToString() is { Length: > 0 } token)
        {
            if (context.RequestServices.GetRequiredService<ExportLinks>().Open(token, context.NamedMachine()) is not { } order)
                return Reply.Refuse(new Refusal(ErrorCodes.InsufficientScope, "the link is not valid"));
            // The link may do what it was made for and nothing else: no scope but reading, and no path but its own.
            context.Features.Set(new Caller(order.TenantId, "link", new HashSet<string>([scope])));
            return await SendAsync(context, order.Paths, order.FileName);
        }
        var (caller, refusal) = await context.RequestServices.GetRequiredService<Access>().CheckAsync(context, scope);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        context.Features.Set(caller);
        var fields = FileFields.Of(context.Request.Query);
        var several = context.Request.Query["paths[]"].OfType<string>().Where(path => path.Length > 0).ToList();
        if (several.Count == 0 && fields.Path("path") is { } path)
            several.Add(path);
        if (several.Count > MaxPaths)
            fields.Fail("paths", $"must have at most {MaxPaths} items, got {several.Count}");
        var fileName = fields.Text("filename");
        return fields.Errors() is { } faults ? Reply.Refuse(faults) : await SendAsync(context, several, fileName);
    }

    private static Task<IResult> SendAsync(HttpContext context, IReadOnlyList<string> paths, string? fileName) =>
        FileCall.RunAsync(context, AdmitFor.FileRead, "path", async (guest, ct) =>
        {
            var entries = new List<GuestEntry>(paths.Count);
            foreach (var path in paths)
                entries.Add(await guest.StatAsync(path, ct));
            if (entries is [{ Type: not GuestEntryType.Directory }])
                return await FileDownload.OpenAsync(context, guest, paths[0], fileName, ct);
            var name = fileName ?? (entries.Count == 1 ? NameOf(entries[0], paths[0]) : "export.tar.gz");
            return new ArchiveReply(guest, entries, name);
        });

    private static IReadOnlyList<string> PathsOf(Fields fields)
    {
        var paths = fields.Has("paths") ? fields.TextList("paths", MaxPaths, maxLength: 4096) ?? [] : fields.Path("path") is { } path ? [path] : [];
        if (fields.Has("paths") && paths.Count == 0)
            fields.Fail("paths", "must name at least one path");
        if (paths.Any(path => path.Length == 0))
            fields.Fail("paths", "must not hold an empty path");
        CheckLength(fields, "paths", paths);
        return paths;
    }

    private static void CheckLength(Fields fields, string name, IReadOnlyList<string> paths)
    {
        if (paths.Sum(path => System.Text.Encoding.UTF8.GetByteCount(path)) is > MaxPathText and var bytes)
            fields.Fail(name, $"must have at most {MaxPathText} bytes of paths together, which a link can carry, got {bytes}; export their folder instead");
    }

    private static FileExport LinkOf(HttpContext context, GuestEntry entry, string path, string? fileName = null)
    {
        var expiresAt = Now(context) + ExportLinks.Life;
        return new FileExport { Url = UrlOf(context, [path], fileName ?? NameOf(entry, path), expiresAt), ExpiresAt = expiresAt };
    }

    private static string UrlOf(HttpContext context, string[] paths, string fileName, DateTimeOffset expiresAt)
    {
        var order = new ExportOrder(context.Caller().TenantId, context.NamedMachine(), paths, fileName);
        return context.RequestServices.GetRequiredService<ExportLinks>().UrlOf(context, order, expiresAt);
    }

    private static string NameOf(GuestEntry entry, string path)
    {
        var name = path.TrimEnd('/');
        name = name[(name.LastIndexOf('/') + 1)..] is { Length: > 0 } last ? last : "root";
        return entry.Type == GuestEntryType.Directory ? name + ".tar.gz" : name;
    }

    private static DateTimeOffset Now(HttpContext context) => context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
}
