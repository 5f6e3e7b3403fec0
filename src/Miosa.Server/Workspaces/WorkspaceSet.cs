using System.Collections.Concurrent;
using System.Text;
using Microsoft.Data.Sqlite;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Workspaces;

/// <summary>
/// The workspaces of all tenants. The table is the truth; a copy in memory lets every answer that shows a machine tell the name of its workspace.
/// It is changed as part of each commit.
/// </summary>
internal sealed class WorkspaceSet(Database database, EventLog events, ServerSettings settings, TimeProvider time)
{
    private const int MaxSlug = 63;
    private const string Columns = "Id, TenantId, Name, Slug, Description, Metadata, Settings, ExternalWorkspaceId, CreatedAt, UpdatedAt";

    private readonly RowWriter<WorkspaceRow> rows = database.Rows<WorkspaceRow>();
    private readonly ConcurrentDictionary<string, WorkspaceRow> byId = [];
    private readonly ConcurrentDictionary<(string Tenant, string Slug), string> bySlug = [];

    public void Fill()
    {
        foreach (var row in database.ReadRows(transaction => transaction.Rows($"SELECT {Columns} FROM workspaces", Read).ToList()))
            Keep(row);
    }

    public WorkspaceRow? Find(string tenant, string? idOrSlug)
    {
        if (idOrSlug is null)
            return null;
        if (byId.TryGetValue(idOrSlug, out var row))
            return row.TenantId == tenant ? row : null;
        return bySlug.TryGetValue((tenant, idOrSlug), out var id) ? byId.GetValueOrDefault(id) : null;
    }

    /// <summary>The one that <c>workspace_id</c> names, by its id or its slug; that there is none is a fault.</summary>
    public WorkspaceRow? Named(Fields fields, string tenant, string hint = "")
    {
        if (fields.Text("workspace_id") is not { } named)
            return null;
        var found = Find(tenant, named);
        if (found is null)
            fields.Fail("workspace_id", $"must be the id or slug of a workspace of this tenant; make one with POST /workspaces{hint}");
        return found;
    }

    /// <summary>
    /// The workspace that the creation of a machine names: by <c>workspace_id</c>, or by <c>workspace_slug</c>, which is made when there is none; the draft of
    /// that one is given. Faults are told by the fields.
    /// </summary>
    public (WorkspaceRow? Row, bool IsNew) OfMachine(Fields fields, string tenant)
    {
        if (fields.Text("workspace_id") is not null)
            return (Named(fields, tenant, ", or send workspace_slug instead"), false);
        var name = fields.Text("workspace_name");
        if (fields.Has("workspace_id") || WorkspaceFields.Slug(fields, "workspace_slug") is not { } slug)
            return (null, false);
        if (Find(tenant, slug) is { } row)
            return (row, false);
        return (WorkspaceFields.Draft(tenant, name ?? slug, slug, time.GetUtcNow()), true);
    }

    /// <summary>Adds a draft of <see cref="OfMachine"/>; when another call was faster, that one's workspace is given.</summary>
    public async Task<(WorkspaceRow? Row, Refusal? Refusal)> MakeAsync(WorkspaceRow draft)
    {
        var (row, refusal) = await AddAsync(draft, isSlugFree: false, CancellationToken.None);
        return row is null && refusal?.Code == ErrorCodes.Conflict && Find(draft.TenantId, draft.Slug) is { } other ? (other, null) : (row, refusal);
    }

    /// <summary>The settings of a workspace that is there, as JSON.</summary>
    public static string? SettingsOf(SqliteTransaction transaction, string tenant, string id) =>
        transaction.One("SELECT Settings FROM workspaces WHERE Id = $id AND TenantId = $tenant", row => row.GetString(0), ("$id", id), ("$tenant", tenant));

    public static int CountOf(SqliteTransaction transaction, string tenant) =>
        transaction.One("SELECT COUNT(*) FROM workspaces WHERE TenantId = $tenant", row => row.GetInt32(0), ("$tenant", tenant));

    public static Caps CapsOf(SqliteTransaction transaction, string tenant, string id) =>
        SettingsOf(transaction, tenant, id) is { } settings and not "{}" ? WorkspaceSettings.CapsIn(settings) : Caps.None;

    /// <summary>Adds a workspace. With <paramref name="isSlugFree"/> a slug that is taken gets a number, else it is refused.</summary>
    public async Task<(WorkspaceRow? Row, Refusal? Refusal)> AddAsync(WorkspaceRow draft, bool isSlugFree, CancellationToken ct)
    {
        Refusal? refusal = null;
        var row = draft;
        var isWritten = await database.TryWriteRowsAsync(
            transaction =>
            {
                var count = CountOf(transaction, draft.TenantId);
                if (count >= settings.MaxWorkspaces)
                {
                    refusal = new Refusal(
                        ErrorCodes.QuotaExceeded,
                        $"the tenant has {count} workspaces and may have {settings.MaxWorkspaces}: delete one",
                        new() { ["what"] = "max_workspaces", ["limit"] = settings.MaxWorkspaces, ["current"] = count });
                    return false;
                }
                for (var number = 2; IsTaken(transaction, row); number++)
                {
                    if (!isSlugFree)
                    {
                        refusal = Taken(row.Slug);
                        return false;
                    }
                    var ending = $"-{number}";
                    row = row with { Slug = draft.Slug[..Math.Min(draft.Slug.Length, MaxSlug - ending.Length)] + ending };
                }
                rows.Insert(row, transaction);
                events.Append(transaction, SubjectOf(row), Told(EventNames.WorkspaceCreated, row));
                database.AfterCommit(() => Keep(row));
                return true;
            },
            ct);
        return isWritten ? (row, null) : (null, refusal);
    }

    /// <summary>Changes a workspace as it is at that moment: of two changes of different fields none is lost. Null when it is gone.</summary>
    public async Task<(WorkspaceRow? Row, Refusal? Refusal)> ChangeAsync(WorkspaceRow seen, Func<WorkspaceRow, WorkspaceRow> change, CancellationToken ct)
    {
        Refusal? refusal = null;
        WorkspaceRow? row = null;
        await database.TryWriteRowsAsync(
            transaction =>
            {
                if (transaction.One($"SELECT {Columns} FROM workspaces WHERE Id = $id", Read, ("$id", seen.Id)) is not { } old)
                    return false;
                var changed = change(old) with { UpdatedAt = time.GetUtcNow() };
                if (IsTaken(transaction, changed))
                {
                    refusal = Taken(changed.Slug);
                    return false;
                }
                rows.Update(changed, transaction);
                row = changed;
                database.AfterCommit(() =>
                {
                    Keep(changed);
                    if (old.Slug != changed.Slug)
                        bySlug.TryRemove(KeyValuePair.Create((old.TenantId, old.Slug), old.Id));
                });
                return true;
            },
            ct);
        return (row, refusal);
    }

    /// <summary>Deletes it unless it still has machines; counted in the transaction that deletes.</summary>
    public async Task<Refusal?> DeleteAsync(WorkspaceRow row, CancellationToken ct)
    {
        Refusal? refusal = null;
        await database.TryWriteRowsAsync(
            transaction =>
            {
                var machines = QuotaSet.Owned(transaction, new Subject(QuotaSubject.Workspace, row.TenantId, row.Id));
                if (machines > 0)
                {
                    refusal = new Refusal(
                        ErrorCodes.WorkspaceNotEmpty,
                        $"the workspace has {machines} {(machines == 1 ? "machine" : "machines")}: destroy them first",
                        new() { ["machines"] = machines });
                    return false;
                }
                if (transaction.Run("DELETE FROM workspaces WHERE Id = $id", ("$id", row.Id)) == 0)
                    return false;
                events.Append(transaction, SubjectOf(row), Told(EventNames.WorkspaceDeleted, row));
                database.AfterCommit(() => Forget(row.Id));
                return true;
            },
            ct);
        return refusal;
    }

    /// <summary>A slug that is made of a name.</summary>
    public static string SlugOf(string name)
    {
        var slug = new StringBuilder(name.Length);
        foreach (var letter in name.ToLowerInvariant())
        {
            if (char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter))
                slug.Append(letter);
            else if (slug.Length > 0 && slug[^1] != '-')
                slug.Append('-');
            if (slug.Length == MaxSlug)
                break;
        }
        return slug.ToString().Trim('-') is { Length: > 0 } made ? made : "workspace";
    }

    private static bool IsTaken(SqliteTransaction transaction, WorkspaceRow row) => transaction.One(
        "SELECT 1 FROM workspaces WHERE TenantId = $tenant AND Slug = $slug AND Id <> $id", r => true, ("$tenant", row.TenantId), ("$slug", row.Slug), ("$id", row.Id));

    private static Refusal Taken(string slug) =>
        new(ErrorCodes.Conflict, $"the slug \"{slug}\" is taken by another workspace", new() { ["slug"] = "is taken" });

    private static EventSubject SubjectOf(WorkspaceRow row) => new(row.TenantId, row.Id) { WorkspaceId = row.Id, ExternalWorkspaceId = row.ExternalWorkspaceId };

    private static NewEvent Told(string type, WorkspaceRow row) => new(type, new() { ["workspace_id"] = row.Id, ["slug"] = row.Slug, ["name"] = row.Name });

    private void Forget(string id)
    {
        if (byId.TryRemove(id, out var row))
            bySlug.TryRemove(KeyValuePair.Create((row.TenantId, row.Slug), id));
    }

    private void Keep(WorkspaceRow row)
    {
        byId[row.Id] = row;
        bySlug[(row.TenantId, row.Slug)] = row.Id;
    }

    private static WorkspaceRow Read(SqliteDataReader row) => new()
    {
        Id = row.GetString(0),
        TenantId = row.GetString(1),
        Name = row.GetString(2),
        Slug = row.GetString(3),
        Description = row.Text(4),
        Metadata = row.GetString(5),
        Settings = row.GetString(6),
        ExternalWorkspaceId = row.Text(7),
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(8)),
        UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(9)),
    };
}
