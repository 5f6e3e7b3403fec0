using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Computers;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Quotas;
using Miosa.Server.Sandboxes;
using Miosa.Server.Settings;
using Miosa.Server.Storage;

namespace Miosa.Server.Workspaces;

/// <summary>The group Workspaces of the contract, without members and invitations.</summary>
internal sealed class WorkspaceEndpoints(
    WorkspaceSet workspaces, SandboxFields sandboxFields, SandboxList sandboxes, ComputerList computers, TenantDefaults tenantDefaults, UsageView usage, Database database, TimeProvider time)
{
    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<WorkspaceEndpoints>();
        api.Map("GET", "/workspaces", it.ListAsync).Needs(Scopes.WorkspacesRead);
        api.Map("POST", "/workspaces", it.CreateAsync).Needs(Scopes.WorkspacesWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("GET", "/workspaces/{workspace_id}", it.GetAsync).Needs(Scopes.WorkspacesRead);
        api.Map("PATCH", "/workspaces/{workspace_id}", it.UpdateAsync).Needs(Scopes.WorkspacesWrite);
        api.Map("DELETE", "/workspaces/{workspace_id}", it.DeleteAsync).Needs(Scopes.WorkspacesWrite);
        api.Map("PUT", "/workspaces/{workspace_id}/settings", it.SetSettingsAsync).Needs(Scopes.WorkspacesWrite);
        api.Map("GET", "/workspaces/{workspace_id}/stats", it.StatsAsync).Needs(Scopes.WorkspacesRead);
        api.Map("GET", "/workspaces/{workspace_id}/usage", it.UsageAsync).Needs(Scopes.UsageRead);
        api.Map("GET", "/workspaces/{workspace_id}/sandboxes", it.SandboxesAsync).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/workspaces/{workspace_id}/computers", it.ComputersAsync).Needs(Scopes.ComputersRead);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var fields = new Fields([]);
        var paging = Paging.Read(query, fields, maxLimit: 1000);
        var after = paging.Cursor is { } cursor ? PositionOf(cursor) : null;
        if (paging.Cursor is not null && after is null)
            fields.Fail("cursor", "must be a next_cursor of an earlier page");
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var tenant = context.Caller().TenantId;
        await using var db = database.Read();
        var rows = db.Workspaces.Where(w => w.TenantId == tenant);
        if (Paging.Text(query, "external_workspace_id") is { } external)
            rows = rows.Where(w => w.ExternalWorkspaceId == external);
        var total = await rows.CountAsync(context.RequestAborted);
        if (after is { } position)
            rows = rows.Where(w => w.CreatedAt < position.At || (w.CreatedAt == position.At && string.Compare(w.Id, position.Id) < 0));
        // One more than asked for tells whether there is another page.
        var found = await rows.OrderByDescending(w => w.CreatedAt).ThenByDescending(w => w.Id).Skip(paging.Skip).Take(paging.PerPage + 1).ToListAsync(context.RequestAborted);
        var page = paging.Of(found, total, Of, CursorOf);
        return Reply.Bare(
            new WorkspaceList
            {
                Data = page.Data,
                Workspaces = page.Data,
                Total = total,
                Meta = page.Meta,
                Figures = page.Figures,
                HasNext = page.HasNext,
                NextCursor = page.NextCursor,
            },
            WireJson.Default.WorkspaceList);
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (draft, faults) = WorkspaceFields.Create(body, context.Caller().TenantId, time.GetUtcNow());
        if (draft is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (row, no) = await workspaces.AddAsync(draft, isSlugFree: !body.Has("slug"), context.RequestAborted);
        return row is null ? Reply.Refuse(no ?? Refusal.Internal()) : Reply.One(Of(row), WireJson.Default.Workspace, 201);
    }

    private Task<IResult> GetAsync(HttpContext context) => Task.FromResult(Find(context) is { } row ? One(row) : NotFound());

    private async Task<IResult> UpdateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not { } row)
            return NotFound();
        var (change, faults) = WorkspaceFields.Update(body);
        return change is null ? Reply.Refuse(faults!) : await ChangeAsync(row, change, context.RequestAborted);
    }

    private async Task<IResult> SetSettingsAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not { } row)
            return NotFound();
        if (WorkspaceSettings.Faults(body.Body, sandboxFields, context.Caller(), tenantDefaults.Of(context.Caller().TenantId)) is { } faults)
            return Reply.Refuse(faults);
        var settings = body.Body.ToJsonString();
        return await ChangeAsync(row, old => old with { Settings = settings }, context.RequestAborted);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        if (Find(context) is not { } row)
            return NotFound();
        return await workspaces.DeleteAsync(row, context.RequestAborted) is { } refusal ? Reply.Refuse(refusal) : Reply.Nothing();
    }

    private Task<IResult> StatsAsync(HttpContext context)
    {
        if (Find(context) is not { } row)
            return Task.FromResult(NotFound());
        var subject = new Subject(QuotaSubject.Workspace, row.TenantId, row.Id);
        return Task.FromResult(Reply.One(
            database.ReadRows(transaction => new WorkspaceStats
            {
                WorkspaceId = row.Id,
                Computers = MachineCounts.Of(transaction, subject, "computer"),
                Sandboxes = MachineCounts.Of(transaction, subject, "sandbox"),
                Resources = ResourcesOf(transaction, subject),
                StorageGb = QuotaSet.Gib(QuotaSet.StorageBytes(transaction, subject)),
                UpdatedAt = time.GetUtcNow(),
            }),
            WireJson.Default.WorkspaceStats));
    }

    private Task<IResult> UsageAsync(HttpContext context)
    {
        if (Find(context) is not { } row)
            return Task.FromResult(NotFound());
        var (period, refusal) = usage.PeriodOf(context, "7d");
        var (granularity, fault) = Period.ReadGranularity(context.Request.Query);
        if (period is null || granularity is null)
            return Task.FromResult(Reply.Refuse(refusal ?? fault ?? Refusal.Internal()));
        var (total, series) = usage.Series(new UsageFilter(row.TenantId) { WorkspaceId = row.Id }, period, granularity);
        return Task.FromResult(Reply.One(
            new WorkspaceUsage
            {
                WorkspaceId = row.Id,
                Window = period.Label,
                Granularity = granularity,
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                Totals = new UsageSeries().Next(period.Start, period.End, total),
                Series = series,
            },
            WireJson.Default.WorkspaceUsage));
    }

    private async Task<IResult> SandboxesAsync(HttpContext context)
    {
        if (Find(context) is not { } row)
            return NotFound();
        var (page, refusal) = await sandboxes.ReadAsync(context, row.Id);
        return page is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : Reply.List(page, WireJson.Default.PageSandboxInfo);
    }

    private async Task<IResult> ComputersAsync(HttpContext context)
    {
        if (Find(context) is not { } row)
            return NotFound();
        var (page, refusal) = await computers.ReadAsync(context, row.Id);
        return page is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : Reply.List(page, WireJson.Default.PageComputerInfo);
    }

    private async Task<IResult> ChangeAsync(WorkspaceRow row, Func<WorkspaceRow, WorkspaceRow> change, CancellationToken ct)
    {
        var (changed, refusal) = await workspaces.ChangeAsync(row, change, ct);
        return changed is null ? refusal is null ? NotFound() : Reply.Refuse(refusal) : One(changed);
    }

    private WorkspaceRow? Find(HttpContext context) => workspaces.Find(context.Caller().TenantId, context.PathValue("workspace_id"));

    private static IResult One(WorkspaceRow row) => Reply.One(Of(row), WireJson.Default.Workspace);

    private static IResult NotFound() => Reply.Refuse(Refusal.NotFound("workspace"));

    private static WorkspaceResources ResourcesOf(SqliteTransaction transaction, Subject subject) => transaction.One(
        $"SELECT COALESCE(SUM(m.Vcpus), 0), COALESCE(SUM(m.MemoryMb), 0), COALESCE(SUM(m.DiskMb), 0) FROM machines m WHERE {subject.Machines} AND m.State = 'running'",
        row => new WorkspaceResources { Vcpus = row.GetInt32(0), MemoryMb = row.GetInt32(1), DiskGb = Math.Round(row.GetInt64(2) / 1024.0, 3) },
        ("$tenant", subject.TenantId),
        ("$name", subject.Name)) ?? new();

    private static Workspace Of(WorkspaceRow row) => new()
    {
        Id = row.Id,
        Name = row.Name,
        Slug = row.Slug,
        TenantId = row.TenantId,
        Description = row.Description,
        Metadata = JsonSerializer.Deserialize<Dictionary<string, string>>(row.Metadata) ?? [],
        Settings = JsonNode.Parse(row.Settings) as JsonObject,
        ExternalWorkspaceId = row.ExternalWorkspaceId,
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };

    // Position in the order of the list: new workspaces come before it and shift nothing.
    private static string CursorOf(WorkspaceRow row) => $"{row.CreatedAt.ToUnixTimeMilliseconds()}.{row.Id}";

    private static (DateTimeOffset At, string Id)? PositionOf(string cursor) =>
        cursor.Split('.') is [var at, { Length: > 0 } id] && long.TryParse(at, out var ms) && ms is > 0 and < 253_402_300_799_999
            ? (DateTimeOffset.FromUnixTimeMilliseconds(ms), id)
            : null;
}
