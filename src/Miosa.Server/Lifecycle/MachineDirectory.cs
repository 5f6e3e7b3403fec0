using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Nodes;
using Miosa.Server.Previews;
using Miosa.Server.Storage;

namespace Miosa.Server.Lifecycle;

/// <summary>Every machine of this node that is not destroyed, by id and by the names its tenant gave it. Filled from the database at start.</summary>
internal sealed class MachineDirectory
{
    private readonly ConcurrentDictionary<string, Resident> byId = [];
    private readonly ConcurrentDictionary<(string Tenant, string Name), string> bySlug = [];
    private readonly ConcurrentDictionary<(string Tenant, string Name), string> byName = [];
    private readonly ConcurrentDictionary<string, string> byOwnPart = [];

    public ICollection<Resident> All => byId.Values;

    public async Task FillAsync(Database database, string node, CancellationToken ct)
    {
        await using var db = database.Read();
        var rows = await db.Machines.Where(m => m.NodeId == node && m.State != MachineState.Destroyed).ToListAsync(ct);
        foreach (var row in rows)
            Add(new Resident(row, row.SocketPath is { } path ? new GuestRoad(path) : null));
    }

    public Resident? Find(string id) => byId.GetValueOrDefault(id);

    /// <summary>By id, then by slug, then by name; never a machine of another tenant.</summary>
    /// <param name="kind">One of <see cref="MachineKind"/>: the names of the two are apart.</param>
    public Resident? Find(string tenant, string idOrSlugOrName, string kind = MachineKind.Sandbox)
    {
        if (byId.TryGetValue(idOrSlugOrName, out var resident))
            return resident.Row.TenantId == tenant && resident.Row.Kind == kind ? resident : null;
        if (bySlug.TryGetValue((tenant, idOrSlugOrName), out var id) && byId.TryGetValue(id, out resident))
            return resident.Row.Kind == kind ? resident : null;
        // Names of computers are for people: any number of them may have the same.
        return kind == MachineKind.Sandbox ? FindByName(tenant, idOrSlugOrName) : null;
    }

    /// <summary>By id alone, of whatever kind.</summary>
    public Resident? FindOfAnyKind(string tenant, string id) => byId.TryGetValue(id, out var resident) && resident.Row.TenantId == tenant ? resident : null;

    /// <summary>By the machine's part of a preview host name, which is the present one of exactly one machine of any tenant.</summary>
    public Resident? FindByHostPart(string part) =>
        byOwnPart.TryGetValue(PreviewHosts.OwnPart(part), out var id) && byId.TryGetValue(id, out var resident) && PreviewHosts.PartOf(resident.Row) == part ? resident : null;

    public Resident? FindByName(string tenant, string name) =>
        byName.TryGetValue((tenant, name), out var id) ? byId.GetValueOrDefault(id) : null;

    public void Add(Resident resident)
    {
        byId[resident.Row.Id] = resident;
        Index(resident.Row);
    }

    /// <summary>Takes a new version of a row; a destroyed machine leaves.</summary>
    public void Replace(Resident resident, Machine row)
    {
        var old = resident.Row;
        resident.Row = row;
        if (old.Slug != row.Slug || old.Name != row.Name || !row.IsLive)
        {
            bySlug.TryRemove(KeyValuePair.Create((old.TenantId, old.Slug), old.Id));
            if (old is { Name: not null, IsComputer: false })
                byName.TryRemove(KeyValuePair.Create((old.TenantId, old.Name), old.Id));
        }
        if (row.IsLive)
            Index(row);
        else
        {
            byId.TryRemove(KeyValuePair.Create(row.Id, resident));
            byOwnPart.TryRemove(KeyValuePair.Create(PreviewHosts.OwnPart(row.Id), row.Id));
        }
    }

    private void Index(Machine row)
    {
        bySlug[(row.TenantId, row.Slug)] = row.Id;
        byOwnPart.TryAdd(PreviewHosts.OwnPart(row.Id), row.Id);
        if (row is { Name: not null, IsComputer: false })
            byName[(row.TenantId, row.Name)] = row.Id;
    }
}
