using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Sandboxes;

/// <summary>The list with its filters. An empty value is an absent one; without paging arguments up to 100 rows come.</summary>
internal sealed class SandboxList(Database database, SandboxView view)
{
    private const int MaxPerPage = 100;
    private const int DefaultPerPage = 20;

    public async Task<(Page<SandboxInfo>? Page, Refusal? Refusal)> ReadAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var (paging, refusal) = Paging(query);
        if (refusal is not null)
            return (null, refusal);
        var (states, stateRefusal) = States(Value(query, "state", "status"));
        if (stateRefusal is not null)
            return (null, stateRefusal);
        var tenant = context.Caller().TenantId;
        await using var db = database.Read();
        var rows = db.Machines.Where(m => m.TenantId == tenant && m.Kind == "sandbox");
        rows = states.Count == 0 ? rows.Where(m => m.State != MachineState.Destroyed) : rows.Where(m => states.Contains(m.State));
        rows = Filter(rows, query);
        var tags = Value(query, "tags")?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        foreach (var tag in tags)
        {
            // Tags are stored as the JSON this serializer writes, so its text of the tag is what stands there.
            var text = JsonSerializer.Serialize(tag);
            rows = rows.Where(m => m.Tags != null && m.Tags.Contains(text));
        }
        var total = await rows.CountAsync(context.RequestAborted);
        var page = await rows.OrderByDescending(m => m.CreatedAt).ThenByDescending(m => m.Id)
            .Skip((int)Math.Min(int.MaxValue, (paging.Page - 1L) * paging.PerPage)).Take(paging.PerPage).ToListAsync(context.RequestAborted);
        return (PageOf([.. page.Select(view.Of)], total, paging.Page, paging.PerPage), null);
    }

    private static IQueryable<Machine> Filter(IQueryable<Machine> rows, IQueryCollection query)
    {
        if (Value(query, "name") is { } name)
            rows = rows.Where(m => m.Name == name);
        if (Value(query, "slug") is { } slug)
            rows = rows.Where(m => m.Slug == slug);
        if (Value(query, "external_user_id") is { } user)
            rows = rows.Where(m => m.ExternalUserId == user);
        if (Value(query, "external_project_id") is { } externalProject)
            rows = rows.Where(m => m.ExternalProjectId == externalProject);
        if (Value(query, "external_workspace_id") is { } externalWorkspace)
            rows = rows.Where(m => m.ExternalWorkspaceId == externalWorkspace);
        if (Value(query, "workspace_id") is { } workspace)
            rows = rows.Where(m => m.WorkspaceId == workspace);
        if (Value(query, "project_id") is { } project)
            rows = rows.Where(m => m.ProjectId == project);
        if (Value(query, "template_id", "image") is { } template)
            rows = rows.Where(m => m.Image == template || m.TemplateId == template);
        return rows;
    }

    private static ((int Page, int PerPage) Paging, Refusal? Refusal) Paging(IQueryCollection query)
    {
        var fields = new Fields([]);
        var page = Number(query, fields, 1, int.MaxValue, "page");
        var perPage = Number(query, fields, 1, MaxPerPage, "per_page", "page_size", "limit");
        var defaultLength = page is null ? MaxPerPage : DefaultPerPage;
        return ((page ?? 1, perPage ?? defaultLength), fields.Errors());
    }

    private static int? Number(IQueryCollection query, Fields fields, int min, int max, params string[] names)
    {
        foreach (var name in names)
        {
            if (Value(query, name) is not { } text)
                continue;
            if (int.TryParse(text, out var number) && number >= min && number <= max)
                return number;
            fields.Fail(name, $"must be a whole number from {min} to {max}, got \"{text}\"");
            return null;
        }
        return null;
    }

    private static (List<MachineState> States, Refusal? Refusal) States(string? text)
    {
        var states = new List<MachineState>();
        foreach (var name in text?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [])
        {
            if (name == "all")
                return ([.. Enum.GetValues<MachineState>()], null);
            if (MachineStateNames.Parse(name) is not { } state)
                return (states, Refusal.Invalid("state", $"must be of provisioning, running, paused, error, destroyed, all; got \"{name}\""));
            states.Add(state);
        }
        return (states, null);
    }

    private static string? Value(IQueryCollection query, params string[] names) =>
        names.Select(n => query[n].ToString()).FirstOrDefault(v => v.Length > 0);

    private static Page<SandboxInfo> PageOf(IReadOnlyList<SandboxInfo> items, int total, int page, int perPage)
    {
        var pages = (total + perPage - 1) / perPage;
        return new Page<SandboxInfo>
        {
            Data = items,
            Meta = new PageMeta { Total = total, Page = page, PerPage = perPage, TotalPages = pages, HasNext = page < pages },
            Figures = new PageFigures { Page = page, PageSize = perPage, Total = total },
        };
    }
}
