using Microsoft.EntityFrameworkCore;
using Miosa.Server.Audit;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>Tenants and keys as the command line changes them; works with or without a running server, and leaves entries in the audit log like it.</summary>
internal sealed class Admin(Database database, TimeProvider time)
{
    private readonly TenantSet tenants = new(database, time);
    private readonly KeySet keys = new(database, time);

    public async Task<TenantRow> CreateTenantAsync(string name, CancellationToken ct)
    {
        var (tenant, refusal) = await tenants.CreateAsync(name, ct);
        if (tenant is null)
            throw new AdminException(refusal?.Message ?? "the tenant could not be made");
        await NoteAsync("tenant.create", tenantId: null, tenant.Id, ct);
        return tenant;
    }

    public Task<TenantRow?> FindTenantAsync(string nameOrId, CancellationToken ct) => tenants.FindAsync(nameOrId, ct);

    public async Task<IReadOnlyList<TenantRow>> ListTenantsAsync(CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Tenants.OrderBy(t => t.CreatedAt).ToListAsync(ct);
    }

    /// <summary>Makes a key and gives its text, which nobody can ever see again.</summary>
    /// <param name="tenant">Name or id; null for a key of an administrator.</param>
    public async Task<(KeyRow Key, string Text)> CreateKeyAsync(
        string? tenant, string name, IReadOnlyList<string> scopes, DateTimeOffset? expiresAt, CancellationToken ct)
    {
        if (scopes.FirstOrDefault(s => !Scopes.Known.Contains(s)) is { } unknown)
            throw new AdminException($"unknown scope \"{unknown}\"; there are: {string.Join(", ", Scopes.Known)}");
        if (tenant is null && scopes.Count > 0)
            throw new AdminException("a key of an administrator may do everything: it takes no scopes");
        var owner = tenant is null ? null : await FindTenantAsync(tenant, ct) ?? throw new AdminException($"there is no tenant \"{tenant}\"");
        var (key, text) = await keys.CreateAsync(new NewKey(owner?.Id, name, scopes.Count == 0 ? [Scopes.All] : scopes) { ExpiresAt = expiresAt }, ct);
        await NoteAsync("api_key.create", owner?.Id, key.Id, ct);
        return (key, text);
    }

    /// <summary>Revoking twice is fine.</summary>
    public async Task RevokeKeyAsync(string id, CancellationToken ct)
    {
        if (!await keys.RevokeAsync(tenantId: null, id, ct))
            throw new AdminException($"there is no key \"{id}\"");
        await using var db = database.Read();
        await NoteAsync("api_key.revoke", await db.Keys.Where(k => k.Id == id).Select(k => k.TenantId).FirstOrDefaultAsync(ct), id, ct);
    }

    /// <param name="tenant">Only of this one; null for all, those of administrators first.</param>
    public async Task<IReadOnlyList<(KeyRow Key, string Tenant)>> ListKeysAsync(string? tenant, CancellationToken ct)
    {
        await using var db = database.Read();
        var rows = await db.Keys.Join(db.Tenants, k => k.TenantId, t => t.Id, (key, owner) => new { key, owner.Name, owner.Id })
            .Where(r => tenant == null || r.Name == tenant || r.Id == tenant).OrderBy(r => r.key.CreatedAt).ToListAsync(ct);
        var ofNone = tenant is null ? await db.Keys.Where(k => k.TenantId == null).OrderBy(k => k.CreatedAt).ToListAsync(ct) : [];
        return [.. ofNone.Select(k => (k, "(administrator)")), .. rows.Select(r => (r.key, r.Name))];
    }

    /// <summary>What was done on the command line, for the audit log.</summary>
    public Task NoteAsync(string action, string? tenantId, string id, CancellationToken ct) => database.WriteAsync(
        db => db.Audit.Add(new AuditRow
        {
            Id = Ids.New("aud"),
            TenantId = tenantId ?? AuditLog.Platform,
            Action = action,
            ActorType = "system",
            ActorId = "command-line",
            ActorName = Environment.UserName,
            Resource = action[..action.IndexOf('.', StringComparison.Ordinal)],
            ResourceId = id,
            At = time.GetUtcNow(),
        }),
        ct);
}

/// <summary>An admin command that cannot be carried out; the message is for the person at the terminal.</summary>
internal sealed class AdminException(string message) : Exception(message);
