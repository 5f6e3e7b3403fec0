using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>Tenants and keys as the command line changes them; works with or without a running server.</summary>
internal sealed class Admin(Database database, TimeProvider time)
{
    public async Task<TenantRow> CreateTenantAsync(string name, CancellationToken ct)
    {
        var tenant = new TenantRow { Id = Ids.New("ten"), Name = name, CreatedAt = time.GetUtcNow() };
        try
        {
            await database.WriteAsync(db => db.Tenants.Add(tenant), ct);
        }
        catch (DbUpdateException)
        {
            throw new AdminException($"the tenant \"{name}\" exists already");
        }
        return tenant;
    }

    public async Task<TenantRow?> FindTenantAsync(string nameOrId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Tenants.FirstOrDefaultAsync(t => t.Name == nameOrId || t.Id == nameOrId, ct);
    }

    /// <summary>Makes a key and gives its text, which nobody can ever see again.</summary>
    public async Task<(KeyRow Key, string Text)> CreateKeyAsync(
        string tenant, string name, IReadOnlyList<string> scopes, DateTimeOffset? expiresAt, CancellationToken ct)
    {
        if (scopes.FirstOrDefault(s => !Scopes.Known.Contains(s)) is { } unknown)
            throw new AdminException($"unknown scope \"{unknown}\"; there are: {string.Join(", ", Scopes.Known)}");
        var owner = await FindTenantAsync(tenant, ct) ?? throw new AdminException($"there is no tenant \"{tenant}\"");
        var text = KeyText.New();
        var key = new KeyRow
        {
            Id = Ids.New("key"),
            TenantId = owner.Id,
            Name = name,
            Prefix = KeyText.Prefix(text),
            Hash = KeyText.Hash(text),
            Scopes = string.Join(' ', scopes.Count == 0 ? [Scopes.All] : scopes),
            CreatedAt = time.GetUtcNow(),
            ExpiresAt = expiresAt,
        };
        await database.WriteAsync(db => db.Keys.Add(key), ct);
        return (key, text);
    }

    /// <summary>Revoking twice is fine.</summary>
    public async Task RevokeKeyAsync(string id, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var found = false;
        await database.WriteAsync(
            db =>
            {
                found = db.Keys.Any(k => k.Id == id);
                db.Keys.Where(k => k.Id == id && k.RevokedAt == null).ExecuteUpdate(set => set.SetProperty(k => k.RevokedAt, now));
            },
            ct);
        if (!found)
            throw new AdminException($"there is no key \"{id}\"");
    }

    public async Task<IReadOnlyList<(KeyRow Key, string Tenant)>> ListKeysAsync(string? tenant, CancellationToken ct)
    {
        await using var db = database.Read();
        var rows = await db.Keys.Join(db.Tenants, k => k.TenantId, t => t.Id, (key, owner) => new { key, owner.Name, owner.Id })
            .Where(r => tenant == null || r.Name == tenant || r.Id == tenant).OrderBy(r => r.key.CreatedAt).ToListAsync(ct);
        return [.. rows.Select(r => (r.key, r.Name))];
    }
}

/// <summary>An admin command that cannot be carried out; the message is for the person at the terminal.</summary>
internal sealed class AdminException(string message) : Exception(message);
