using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Sandboxes;

/// <summary>The list with its filters. An empty value is an absent one; without paging arguments up to 100 rows come.</summary>
internal sealed class SandboxList(Database database, SandboxView view, WorkspaceSet workspaces)
{
    /// <param name="inWorkspace">Id of a workspace that the list is of; null for the list of the tenant, which the query may narrow.</param>
    public async Task<(Page<SandboxInfo>? Page, Refusal? Refusal)> ReadAsync(HttpContext context, string? inWorkspace = null)
    {
        var query = context.Request.Query;
        var fields = new Fields([]);
        var paging = Paging.Read(query, fields) with { Cursor = null };
        if (fields.Errors() is { } refusal)
            return (null, refusal);
        var (states, stateRefusal) = States(Paging.Text(query, "state", "status"));
        if (stateRefusal is not null)
            return (null, stateRefusal);
        var caller = context.Caller();
        var tenant = caller.TenantId;
        await using var db = database.Read();
        var rows = db.Machines.Where(m => m.TenantId == tenant && m.Kind == MachineKind.Sandbox);
        rows = states.Count == 0 ? rows.Where(m => m.State != MachineState.Destroyed) : rows.Where(m => states.Contains(m.State));
        if ((inWorkspace ?? Paging.Text(query, "workspace_id")) is { } named)
        {
            var workspace = workspaces.Find(tenant, named)?.Id ?? named;
            rows = rows.Where(m => m.WorkspaceId == workspace);
        }
        rows = Filter(rows, query);
        if (caller.BoundExternalUserId is { } user)
            rows = rows.Where(m => m.ExternalUserId == user);
        if (caller.BoundWorkspaceId is { } bound)
            rows = rows.Where(m => m.WorkspaceId == bound);
        var tags = Paging.Text(query, "tags")?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        foreach (var tag in tags)
        {
            // Tags are stored as the JSON this serializer writes, so its text of the tag is what stands there.
            var text = JsonSerializer.Serialize(tag);
            rows = rows.Where(m => m.Tags != null && m.Tags.Contains(text));
        }
        var total = await rows.CountAsync(context.RequestAborted);
        var page = await rows.OrderByDescending(m => m.CreatedAt).ThenByDescending(m => m.Id)
            .Skip(paging.Skip).Take(paging.PerPage).ToListAsync(context.RequestAborted);
        return (paging.Of([.. page.Select(view.Of)], total), null);
    }

    private static IQueryable<Machine> Filter(IQueryable<Machine> rows, IQueryCollection query)
    {
        if (Paging.Text(query, "name") is { } name)
            rows = rows.Where(m => m.Name == name);
        if (Paging.Text(query, "slug") is { } slug)
            rows = rows.Where(m => m.Slug == slug);
        if (Paging.Text(query, "external_user_id") is { } user)
            rows = rows.Where(m => m.ExternalUserId == user);
        if (Paging.Text(query, "external_project_id") is { } externalProject)
            rows = rows.Where(m => m.ExternalProjectId == externalProject);
        if (Paging.Text(query, "external_workspace_id") is { } externalWorkspace)
            rows = rows.Where(m => m.ExternalWorkspaceId == externalWorkspace);
        if (Paging.Text(query, "project_id") is { } project)
            rows = rows.Where(m => m.ProjectId == project);
        if (Paging.Text(query, "template_id", "image") is { } template)
            rows = rows.Where(m => m.Image == template || m.TemplateId == template);
        return rows;
    }

    private static (List<MachineState> States, Refusal? Refusal) States(string? text)
    {
        var states = new List<MachineState>();
        foreach (var name in text?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [])
        {
            if (name == "all")
                return ([.. Enum.GetValues<MachineState>()], null);
            if (MachineStateNames.Parse(name) is not { } state || state == MachineState.Starting)
                return (states, Refusal.Invalid("state", $"must be of provisioning, running, paused, error, destroyed, all; got \"{name}\""));
            states.Add(state);
        }
        return (states, null);
    }
}
