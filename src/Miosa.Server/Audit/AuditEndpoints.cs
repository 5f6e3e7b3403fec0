using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Storage;

namespace Miosa.Server.Audit;

/// <summary>The group Audit log: pages with filters, and all of it as JSON lines. Administrators read the log of the whole server.</summary>
internal sealed class AuditEndpoints(Database database)
{
    private const int PerPage = 50;
    private const int MaxLimit = 1000;
    private const int ExportedAtOnce = 1000;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<AuditEndpoints>();
        api.MapStream("GET", "/audit-log", context => it.ReadAsync(context, ofServer: false, context.Request.Query["format"] == "jsonl")).Needs(Scopes.AuditRead);
        api.MapStream("GET", "/audit-log/export", context => it.ReadAsync(context, ofServer: false, asLines: true)).Needs(Scopes.AuditRead);
        api.MapStream("GET", "/admin/audit-log", context => it.ReadAsync(context, ofServer: true, context.Request.Query["format"] == "jsonl")).Needs(ScopeSet.Administration);
    }

    private async Task ReadAsync(HttpContext context, bool ofServer, bool asLines)
    {
        var query = context.Request.Query;
        var fields = new Fields([]);
        var paging = Paging.Read(query, fields, PerPage, MaxLimit);
        if (paging.Cursor is null && Paging.Text(query, "per_page", "page_size", "limit") is null)
            paging = paging with { PerPage = PerPage };
        var filter = AuditFilter.Read(query, fields, paging.Cursor, ofServer ? Paging.Text(query, "tenant_id") : context.Caller().TenantId);
        if (fields.Errors() is { } refusal)
            await Reply.Refuse(refusal).ExecuteAsync(context);
        else if (asLines)
            await WriteLinesAsync(context, filter);
        else
            await (await PageAsync(filter, paging, context.RequestAborted)).ExecuteAsync(context);
    }

    private async Task<IResult> PageAsync(AuditFilter filter, Paging paging, CancellationToken ct)
    {
        await using var db = database.Read();
        var all = filter.Of(db.Audit);
        var total = await all.CountAsync(ct);
        var rows = await filter.BehindCursor(all).OrderByDescending(e => e.Position).Skip(paging.Skip).Take(paging.PerPage + 1).ToListAsync(ct);
        return Reply.List(paging.Of(rows, total, Of, AuditFilter.CursorOf), WireJson.Default.PageAuditLogEntry);
    }

    /// <summary>Newest first, some at a time: the memory it takes does not grow with the log.</summary>
    private async Task WriteLinesAsync(HttpContext context, AuditFilter filter)
    {
        var response = context.Response;
        response.ContentType = "application/x-ndjson; charset=utf-8";
        response.Headers.ContentDisposition = "attachment; filename=\"audit-log.jsonl\"";
        response.Headers.CacheControl = "no-store";
        while (true)
        {
            List<AuditRow> rows;
            await using (var db = database.Read())
                rows = await filter.BehindCursor(filter.Of(db.Audit)).OrderByDescending(e => e.Position).Take(ExportedAtOnce).ToListAsync(context.RequestAborted);
            foreach (var row in rows)
            {
                await response.BodyWriter.WriteAsync(Reply.Bytes(Of(row), WireJson.Default.AuditLogEntry), context.RequestAborted);
                await response.BodyWriter.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
            }
            if (rows.Count < ExportedAtOnce)
                return;
            filter = filter with { Before = rows[^1].Position };
        }
    }

    private static AuditLogEntry Of(AuditRow row)
    {
        var actor = new JsonObject { ["type"] = row.ActorType, ["id"] = row.ActorId, ["name"] = row.ActorName };
        if (row.TokenId is not null)
            actor["token_id"] = row.TokenId;
        return new AuditLogEntry
        {
            Id = row.Id,
            TenantId = row.TenantId,
            Action = row.Action,
            Type = AuditActions.EventOf(row.Action),
            ActorId = row.ActorId,
            ActorType = row.ActorType,
            Actor = actor,
            Resource = row.Resource,
            ResourceType = row.Resource,
            ResourceId = row.ResourceId,
            WorkspaceId = row.WorkspaceId,
            ExternalUserId = row.ExternalUserId,
            ExternalWorkspaceId = row.ExternalWorkspaceId,
            ExternalProjectId = row.ExternalProjectId,
            Result = row.Status switch { < 400 => AuditResults.Ok, < 500 => AuditResults.Refused, _ => AuditResults.Failed },
            Status = row.Status,
            Code = row.Code,
            Metadata = JsonNode.Parse(row.Metadata) as JsonObject ?? [],
            IpAddress = row.Ip,
            UserAgent = row.UserAgent,
            RequestId = row.RequestId,
            CreatedAt = row.At,
            InsertedAt = row.At,
            Ts = row.At,
        };
    }
}
