using System.Collections.Concurrent;

namespace Miosa.Server.PreviewDomains;

/// <summary>The domains on which previews are served, and whose they are; in memory, for every request that comes in.</summary>
internal sealed class ProvenDomains
{
    private readonly ConcurrentDictionary<string, string> tenantOf = [];
    private readonly ConcurrentDictionary<string, string> domainOf = [];

    public string? TenantOf(string domain) => tenantOf.GetValueOrDefault(domain);

    public string? DomainOf(string tenantId) => domainOf.GetValueOrDefault(tenantId);

    /// <summary>One change at a time, in the order in which they were written.</summary>
    public void Change(PreviewDomainRow? old, PreviewDomainRow? row)
    {
        if (old is { IsProven: true } && (row is not { IsProven: true } || row.Domain != old.Domain))
        {
            tenantOf.TryRemove(KeyValuePair.Create(old.Domain, old.TenantId));
            domainOf.TryRemove(KeyValuePair.Create(old.TenantId, old.Domain));
        }
        if (row is not { IsProven: true })
            return;
        tenantOf[row.Domain] = row.TenantId;
        domainOf[row.TenantId] = row.Domain;
    }
}
