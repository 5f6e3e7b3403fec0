using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Computers;

/// <summary>The list of computers with its filters, newest first. An empty value is an absent one; without paging arguments up to 100 rows come.</summary>
internal sealed class ComputerList(Database database, ComputerView view, WorkspaceSet workspaces)
{
    private static readonly IReadOnlyList<string> Words =
        [ComputerStatus.Creating, ComputerStatus.Starting, ComputerStatus.Running, ComputerStatus.Stopping, ComputerStatus.Stopped, ComputerStatus.Error];

    /// <param name="inWorkspace">Id of a workspace that the list is of; null for the list of the tenant, which the query may narrow.</param>
    public async Task<(Page<ComputerInfo>? Page, Refusal? Refusal)> ReadAsync(HttpContext context, string? inWorkspace = null)
    {
        var query = context.Request.Query;
        var fields = new Fields([]);
        var paging = Paging.Read(query, fields) with { Cursor = null };
        var states = States(Paging.Text(query, "status", "state"), fields);
        if (fields.Errors() is { } refusal)
            return (null, refusal);
        var caller = context.Caller();
        var tenant = caller.TenantId;
        await using var db = database.Read();
        var rows = db.Machines.Where(m => m.TenantId == tenant && m.Kind == MachineKind.Computer && m.State != MachineState.Destroyed);
        if (states is not null)
            rows = rows.Where(m => states.Contains(m.State));
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
        var total = await rows.CountAsync(context.RequestAborted);
        var page = await rows.OrderByDescending(m => m.CreatedAt).ThenByDescending(m => m.Id)
            .Skip(paging.Skip).Take(paging.PerPage).ToListAsync(context.RequestAborted);
        return (paging.Of([.. page.Select(view.Of)], total), null);
    }

    private static IQueryable<Machine> Filter(IQueryable<Machine> rows, IQueryCollection query)
    {
        if (Paging.Text(query, "name") is { } name)
            rows = rows.Where(m => m.Name == name);
        if (Paging.Text(query, "external_user_id") is { } user)
            rows = rows.Where(m => m.ExternalUserId == user);
        if (Paging.Text(query, "external_project_id") is { } externalProject)
            rows = rows.Where(m => m.ExternalProjectId == externalProject);
        if (Paging.Text(query, "external_workspace_id") is { } externalWorkspace)
            rows = rows.Where(m => m.ExternalWorkspaceId == externalWorkspace);
        if (Paging.Text(query, "project_id") is { } project)
            rows = rows.Where(m => m.ProjectId == project);
        if (Paging.Text(query, "template_type", "template_id") is { } template)
            rows = rows.Where(m => m.Image == template || m.TemplateId == template);
        return rows;
    }

    /// <summary>Null for all. A word that no computer is in now, such as stopping, gives an empty list.</summary>
    private static List<MachineState>? States(string? text, Fields faults)
    {
        if (text is null or "all")
            return null;
        var states = new List<MachineState>();
        foreach (var word in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            switch (word)
            {
                case ComputerStatus.Creating or "provisioning":
                    states.Add(MachineState.Provisioning);
                    break;
                case ComputerStatus.Starting:
                    states.Add(MachineState.Starting);
                    break;
                case ComputerStatus.Running or "active":
                    states.Add(MachineState.Running);
                    break;
                case ComputerStatus.Stopped or "paused":
                    states.Add(MachineState.Paused);
                    break;
                case ComputerStatus.Error:
                    states.Add(MachineState.Error);
                    break;
                case ComputerStatus.Stopping or "destroying" or "destroyed":
                    break;
                default:
                    faults.Fail("status", $"must be of {string.Join(", ", Words)}; got \"{(word.Length <= 80 ? word : word[..80])}\"");
                    break;
            }
        }
        return states;
    }
}
