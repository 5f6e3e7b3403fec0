using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Keys;

/// <summary>The tenants of this server.</summary>
internal sealed class TenantSet(Database database, TimeProvider time)
{
    /// <summary>Administrators name tenants in every request; what was found is remembered until a mark tells of a change.</summary>
    private readonly ConcurrentDictionary<string, TenantRow> known = [];

    public async Task<(TenantRow? Tenant, Refusal? Refusal)> CreateAsync(string name, CancellationToken ct)
    {
        var tenant = new TenantRow { Id = Ids.New("ten"), Name = name, CreatedAt = time.GetUtcNow() };
        var isTaken = false;
        await database.WriteAsync(
            db =>
            {
                // An id is a name, too: it must not lead to somebody else.
                isTaken = db.Tenants.Any(t => t.Name == name || t.Id == name);
                if (!isTaken)
                    db.Tenants.Add(tenant);
            },
            ct);
        return isTaken ? (null, Refusal.Conflict($"the tenant \"{name}\" exists already")) : (tenant, null);
    }

    public async Task<TenantRow?> FindAsync(string nameOrId, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Tenants.FirstOrDefaultAsync(t => t.Name == nameOrId || t.Id == nameOrId, ct);
    }

    /// <summary>The same from memory, for the way of every request.</summary>
    public async ValueTask<TenantRow?> ResolveAsync(string nameOrId, CancellationToken ct)
    {
        if (known.TryGetValue(nameOrId, out var tenant))
            return tenant;
        tenant = await FindAsync(nameOrId, ct);
        if (tenant is not null)
            known[nameOrId] = tenant;
        return tenant;
    }

    public void Forget() => known.Clear();

    public async Task<(List<TenantInfo> Tenants, int Total)> ListAsync(Paging paging, CancellationToken ct)
    {
        await using var db = database.Read();
        var total = await db.Tenants.CountAsync(ct);
        return (await InfoOf(db, db.Tenants.OrderByDescending(t => t.CreatedAt).ThenByDescending(t => t.Id).Skip(paging.Skip).Take(paging.PerPage)).ToListAsync(ct), total);
    }

    public async Task<TenantInfo?> InfoAsync(string id, CancellationToken ct)
    {
        await using var db = database.Read();
        return await InfoOf(db, db.Tenants.Where(t => t.Id == id)).FirstOrDefaultAsync(ct);
    }

    /// <summary>
    /// Only an empty one: machines, snapshots and templates have disks, which are somebody's work. Keys and whatever else refers to the tenant go
    /// with it; a machine that is being made meanwhile finds no tenant and is taken back.
    /// </summary>
    public async Task<Refusal?> DeleteAsync(string id, CancellationToken ct)
    {
        Refusal? refusal = null;
        await database.WriteAsync(
            db =>
            {
                (string What, int Count)[] left =
                [
                    ("sandboxes", db.Machines.Count(m => m.TenantId == id && m.State != MachineState.Destroyed)),
                    ("snapshots", db.Snapshots.Count(s => s.TenantId == id)),
                    ("templates", db.Templates.Count(t => t.TenantId == id)),
                ];
                if (left.Any(l => l.Count > 0))
                    refusal = Refusal.Conflict($"the tenant still has {string.Join(", ", left.Where(l => l.Count > 0).Select(l => $"{l.Count} {l.What}"))}: delete them first");
                else if (db.Tenants.Where(t => t.Id == id).ExecuteDelete() == 0)
                    refusal = Refusal.NotFound("tenant");
                else
                    KeySet.Raise(db);
            },
            ct);
        return refusal;
    }

    private IQueryable<TenantInfo> InfoOf(ServerDb db, IQueryable<TenantRow> tenants)
    {
        var now = time.GetUtcNow();
        return tenants.Select(t => new TenantInfo
        {
            Id = t.Id,
            Name = t.Name,
            CreatedAt = t.CreatedAt,
            Machines = db.Machines.Count(m => m.TenantId == t.Id && m.State != MachineState.Destroyed),
            ApiKeys = db.Keys.Count(k => k.TenantId == t.Id && k.RevokedAt == null && (k.ExpiresAt == null || k.ExpiresAt > now)),
        });
    }
}
