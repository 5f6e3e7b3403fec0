using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Nodes;
using Miosa.Server.Storage;

namespace Miosa.Server.Templates;

/// <summary>The templates of the tenants, and the official ones: every image of the node that is not ours alone.</summary>
internal sealed class TemplateSet(Database database, ImageNames images, ServerSettings settings, TimeProvider time)
{
    private const int UniqueIsTaken = 2067;

    /// <summary>Builds and logs of one template that can be read.</summary>
    private const int KeptBuilds = 20;

    /// <summary>A template of the tenant by id, slug or name.</summary>
    public async Task<TemplateRow?> FindAsync(string tenantId, string idOrSlugOrName, CancellationToken ct)
    {
        await using var db = database.Read();
        // A name may be the slug of another one: the slug goes first.
        return await db.Templates.Where(t => t.TenantId == tenantId && (t.Id == idOrSlugOrName || t.Slug == idOrSlugOrName || t.Name == idOrSlugOrName))
            .OrderByDescending(t => t.Id == idOrSlugOrName).ThenByDescending(t => t.Slug == idOrSlugOrName).FirstOrDefaultAsync(ct);
    }

    public async Task<IReadOnlyList<TemplateRow>> ListAsync(string tenantId, int page, int perPage, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Templates.Where(t => t.TenantId == tenantId).OrderByDescending(t => t.CreatedAt).ThenByDescending(t => t.Id)
            .Skip((int)Math.Min(int.MaxValue, (page - 1L) * perPage)).Take(perPage).ToListAsync(ct);
    }

    /// <summary>
    /// The image that a sandbox or a build asks for: an official one, or that of a template of the tenant, which is told as well.
    /// Nothing of another tenant is found, whatever it is called.
    /// </summary>
    public async Task<(ImageInfo? Image, TemplateRow? Template, Refusal? Refusal)> ResolveAsync(string tenantId, string name, string field, CancellationToken ct)
    {
        if (await images.FindOfficialAsync(name, ct) is { } official)
            return (official, null, null);
        if (await FindAsync(tenantId, name, ct) is not { } template)
            return (null, null, Refusal.Invalid(field, await images.UnknownAsync(name, ct)));
        if (template.Status != TemplateStatus.Ready)
        {
            return (null, template, Refusal.Conflict(template.Status == TemplateStatus.Failed
                ? $"the template \"{template.Name}\" has no image: its build failed"
                : $"the template \"{template.Name}\" is still being built"));
        }
        return await images.FindAsync(template.ImageName, ct) is { } image
            ? (image, template, null)
            : (null, template, Refusal.Conflict($"the image of the template \"{template.Name}\" is gone: build it again"));
    }

    /// <summary>Adds a template, with a build when it needs one. The refusal when a name is taken or the tenant has too many.</summary>
    public async Task<Refusal?> AddAsync(TemplateRow row, string source, BuildRow? build, CancellationToken ct)
    {
        foreach (var name in (string[])[row.Slug, row.Name])
        {
            if (await images.FindOfficialAsync(name, ct) is not null)
                return Refusal.Conflict($"\"{name}\" is the name of an official template");
        }
        var (count, queued) = (0, 0);
        try
        {
            await database.WriteAsync(
                db =>
                {
                    count = db.Templates.Count(t => t.TenantId == row.TenantId);
                    queued = build is null ? 0 : db.Builds.Count(b => b.TenantId == row.TenantId && b.Status == BuildStatus.Queued);
                    if (count >= settings.MaxTemplates || queued >= settings.MaxQueuedBuilds)
                        return;
                    db.Templates.Add(row);
                    db.TemplateSources.Add(new TemplateSourceRow { TemplateId = row.Id, Spec = source });
                    if (build is not null)
                        db.Builds.Add(build);
                },
                CancellationToken.None);
        }
        catch (DbUpdateException e) when (e.InnerException is SqliteException { SqliteExtendedErrorCode: UniqueIsTaken } taken)
        {
            return Refusal.Conflict(taken.Message.Contains("templates.Name", StringComparison.Ordinal)
                ? $"the name \"{row.Name}\" is taken by another template"
                : $"the slug \"{row.Slug}\" is taken by another template");
        }
        if (queued >= settings.MaxQueuedBuilds)
            return TooManyWait(queued);
        return count < settings.MaxTemplates
            ? null
            : new Refusal(
                ErrorCodes.QuotaExceeded,
                $"the tenant has {count} templates and may have {settings.MaxTemplates}: delete some",
                new JsonObject { ["what"] = "templates", ["limit"] = settings.MaxTemplates, ["current"] = count });
    }

    private Refusal TooManyWait(int queued) => new(
        ErrorCodes.QuotaExceeded,
        $"{queued} builds of the tenant wait and no more may: try again when some are over",
        new JsonObject { ["what"] = "queued_builds", ["limit"] = settings.MaxQueuedBuilds, ["current"] = queued });

    /// <summary>The recipe as it was sent.</summary>
    public async Task<JsonObject?> SourceAsync(string templateId, CancellationToken ct)
    {
        await using var db = database.Read();
        var source = await db.TemplateSources.FirstOrDefaultAsync(s => s.TemplateId == templateId, ct);
        return source is null ? null : JsonNode.Parse(source.Spec) as JsonObject;
    }

    public async Task<int> CountAsync(string tenantId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Templates.CountAsync(t => t.TenantId == tenantId, ct);
    }

    /// <summary>Removes the rows; gives the builds and the image that went with it, which are for the caller to end and remove.</summary>
    public async Task<(IReadOnlyList<string> Builds, string? Image)> RemoveAsync(TemplateRow row)
    {
        var builds = new List<string>();
        string? image = null;
        await database.WriteAsync(
            db =>
            {
                image = db.Templates.FirstOrDefault(t => t.Id == row.Id)?.ImageRef;
                builds.AddRange(db.Builds.Where(b => b.TemplateId == row.Id).Select(b => b.Id));
                db.Builds.Where(b => b.TemplateId == row.Id).ExecuteDelete();
                db.TemplateSources.Where(s => s.TemplateId == row.Id).ExecuteDelete();
                db.Templates.Where(t => t.Id == row.Id).ExecuteDelete();
            },
            CancellationToken.None);
        return (builds, image);
    }

    public async Task<BuildRow?> FindBuildAsync(string tenantId, string id, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Builds.FirstOrDefaultAsync(b => b.Id == id && b.TenantId == tenantId, ct);
    }

    public async Task<IReadOnlyList<BuildRow>> BuildsAsync(string templateId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Builds.Where(b => b.TemplateId == templateId).OrderByDescending(b => b.CreatedAt).ThenByDescending(b => b.Id).ToListAsync(ct);
    }

    /// <summary>Adds a build unless the template has one that is not over, which is given instead: clients repeat a POST whose answer they missed.</summary>
    public async Task<(BuildRow? Running, Refusal? Refusal)> AddBuildAsync(BuildRow build)
    {
        BuildRow? running = null;
        var (isGone, count) = (false, 0);
        await database.WriteAsync(
            db =>
            {
                isGone = !db.Templates.Any(t => t.Id == build.TemplateId);
                running = db.Builds.FirstOrDefault(b => b.TemplateId == build.TemplateId
                    && (b.Status == BuildStatus.Queued || b.Status == BuildStatus.Building || b.Status == BuildStatus.Snapshotting));
                count = db.Builds.Count(b => b.TenantId == build.TenantId && b.Status == BuildStatus.Queued);
                if (isGone || running is not null || count >= settings.MaxQueuedBuilds)
                    return;
                db.Builds.Add(build);
                // The logs of those that go are removed by the sweep.
                var kept = db.Builds.Where(b => b.TemplateId == build.TemplateId).OrderByDescending(b => b.CreatedAt).Select(b => b.Id).Take(KeptBuilds - 1).ToList();
                db.Builds.Where(b => b.TemplateId == build.TemplateId && !kept.Contains(b.Id)).ExecuteDelete();
                var now = time.GetUtcNow();
                db.Templates.Where(t => t.Id == build.TemplateId && t.Status == TemplateStatus.Failed)
                    .ExecuteUpdate(set => set.SetProperty(t => t.Status, TemplateStatus.Pending).SetProperty(t => t.UpdatedAt, now));
            },
            CancellationToken.None);
        if (isGone)
            return (null, Refusal.NotFound("template"));
        if (running is null && count >= settings.MaxQueuedBuilds)
            return (null, TooManyWait(count));
        return (running, null);
    }

    /// <summary>Changes a build that is not over.</summary>
    public Task SaveAsync(BuildRow build) => database.WriteAsync(db => db.Builds.Update(build), CancellationToken.None);

    /// <summary>A build begins: its template is pending no longer.</summary>
    public Task BeginAsync(BuildRow build)
    {
        var now = time.GetUtcNow();
        return database.WriteAsync(
            db =>
            {
                db.Builds.Where(b => b.Id == build.Id).ExecuteUpdate(set => set.SetProperty(b => b.Status, BuildStatus.Building).SetProperty(b => b.StartedAt, now).SetProperty(b => b.UpdatedAt, now));
                db.Templates.Where(t => t.Id == build.TemplateId && t.ImageRef == null && t.Status == TemplateStatus.Pending)
                    .ExecuteUpdate(set => set.SetProperty(t => t.Status, TemplateStatus.Building).SetProperty(t => t.UpdatedAt, now));
            },
            CancellationToken.None);
    }

    /// <summary>A build ended well. False when its template is gone by now; otherwise the image it had before.</summary>
    public async Task<(bool IsWanted, string? OldImage)> CompleteAsync(BuildRow build, Func<TemplateRow, TemplateRow> change, string? source)
    {
        TemplateRow? template = null;
        await database.WriteAsync(
            db =>
            {
                template = db.Templates.FirstOrDefault(t => t.Id == build.TemplateId);
                if (template is null)
                    return;
                db.Templates.Update(change(template));
                db.Builds.Update(build);
                if (source is not null)
                    db.TemplateSources.Update(new TemplateSourceRow { TemplateId = template.Id, Spec = source });
            },
            CancellationToken.None);
        return (template is not null, template?.ImageRef);
    }

    /// <summary>A build ended badly: its template keeps the image it had, or has failed.</summary>
    public async Task FailAsync(string buildId, string status, string code, string message)
    {
        var now = time.GetUtcNow();
        await database.WriteAsync(
            db =>
            {
                if (db.Builds.FirstOrDefault(b => b.Id == buildId) is not { IsOver: false } build)
                    return;
                db.Builds.Update(build with { Status = status, ErrorCode = code, Error = message, FinishedAt = now, UpdatedAt = now });
                db.Templates.Where(t => t.Id == build.TemplateId && t.ImageRef == null && t.Status != TemplateStatus.Ready)
                    .ExecuteUpdate(set => set.SetProperty(t => t.Status, TemplateStatus.Failed).SetProperty(t => t.UpdatedAt, now));
            },
            CancellationToken.None);
    }

    /// <summary>Builds of this node that a former process left open.</summary>
    public async Task<IReadOnlyList<string>> OpenBuildsAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Builds.Where(b => b.NodeId == settings.Node && (b.Status == BuildStatus.Queued || b.Status == BuildStatus.Building || b.Status == BuildStatus.Snapshotting))
            .Select(b => b.Id).ToListAsync(ct);
    }

    public async Task<HashSet<string>> ImagesInUseAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        return [.. await db.Templates.Where(t => t.ImageRef != null).Select(t => t.ImageRef ?? "").ToListAsync(ct)];
    }

    public async Task<HashSet<string>> BuildIdsAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        return [.. await db.Builds.Where(b => b.NodeId == settings.Node).Select(b => b.Id).ToListAsync(ct)];
    }
}
