using System.Globalization;
using Miosa.Server.Host;

namespace Miosa.Server.Audit;

/// <summary>Which entries were asked for. An empty value is an absent one; unknown names are ignored, clients pass on whatever they are given.</summary>
internal sealed record AuditFilter
{
    private const int MaxText = 255;

    /// <summary>Null for every tenant, and for what belongs to none.</summary>
    public string? TenantId { get; private init; }

    /// <summary>Only entries older than this position; the cursor.</summary>
    public long? Before { get; init; }

    private IReadOnlyList<IReadOnlyList<string>> Actions { get; init; } = [];
    private string? ActorId { get; init; }
    private string? Resource { get; init; }
    private string? ResourceId { get; init; }
    private string? ExternalUserId { get; init; }
    private string? WorkspaceId { get; init; }
    private DateTimeOffset? Since { get; init; }
    private DateTimeOffset? Until { get; init; }

    public static string CursorOf(AuditRow last) => last.Position.ToString(CultureInfo.InvariantCulture);

    public static AuditFilter Read(IQueryCollection query, Fields fields, string? cursor, string? tenantId)
    {
        foreach (var name in (string[])["action", "type", "actor_id", "resource", "resource_type", "resource_id", "since", "until", "external_user_id", "workspace_id"])
        {
            if (Paging.Text(query, name) is { } text)
                fields.Body[name] = text;
        }
        long? before = null;
        if (cursor is not null)
        {
            if (long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var position))
                before = position;
            else
                fields.Fail("cursor", "must be the next_cursor of an earlier answer");
        }
        return new AuditFilter
        {
            TenantId = tenantId,
            Before = before,
            Actions = [.. ((string?[])[fields.Text("action", MaxText), fields.Text("type", MaxText)]).OfType<string>().Select(AuditActions.Matching)],
            ActorId = fields.Text("actor_id", MaxText),
            Resource = fields.Text("resource", MaxText) ?? fields.Text("resource_type", MaxText),
            ResourceId = fields.Text("resource_id", MaxText),
            ExternalUserId = fields.Text("external_user_id", MaxText),
            WorkspaceId = fields.Text("workspace_id", MaxText),
            Since = fields.Time("since"),
            Until = fields.Time("until"),
        };
    }

    public IQueryable<AuditRow> Of(IQueryable<AuditRow> rows)
    {
        if (TenantId is not null)
            rows = rows.Where(e => e.TenantId == TenantId);
        foreach (var actions in Actions)
            rows = rows.Where(e => actions.Contains(e.Action));
        if (ActorId is not null)
            rows = rows.Where(e => e.ActorId == ActorId);
        if (Resource is not null)
            rows = rows.Where(e => e.Resource == Resource);
        if (ResourceId is not null)
            rows = rows.Where(e => e.ResourceId == ResourceId);
        if (ExternalUserId is not null)
            rows = rows.Where(e => e.ExternalUserId == ExternalUserId);
        if (WorkspaceId is not null)
            rows = rows.Where(e => e.WorkspaceId == WorkspaceId);
        if (Since is not null)
            rows = rows.Where(e => e.At >= Since);
        if (Until is not null)
            rows = rows.Where(e => e.At <= Until);
        return rows;
    }

    public IQueryable<AuditRow> BehindCursor(IQueryable<AuditRow> rows) => Before is null ? rows : rows.Where(e => e.Position < Before);
}
