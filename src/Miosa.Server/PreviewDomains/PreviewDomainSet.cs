using System.Text.Json.Nodes;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Storage;

namespace Miosa.Server.PreviewDomains;

/// <summary>
/// The domains of the tenants, and which of them previews are served on. That a domain is one tenant's alone, and none of another's lies above or
/// below it, is decided in the transaction that writes its proof.
/// </summary>
internal sealed class PreviewDomainSet(Database database, ProvenDomains proven, EventLog events, ServerSettings settings, TimeProvider time)
{
    private readonly TenantRows<PreviewDomainRow> rows = new(database, row => row.TenantId);

    public async Task FillAsync(CancellationToken ct)
    {
        await rows.FillAsync(ct);
        foreach (var row in rows.All)
            proven.Change(old: null, row);
    }

    public PreviewDomainRow? Of(string tenantId) => rows.Of(tenantId);

    public IReadOnlyList<PreviewDomainRow> Due(DateTimeOffset now) => [.. rows.All.Where(row => row.DueAt <= now)];

    /// <summary>The same domain again changes nothing; another one begins unproven.</summary>
    public async Task<(PreviewDomainRow? Row, Refusal? Refusal)> ClaimAsync(string tenantId, string domain, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        Refusal? refusal = null;
        var row = await rows.ChangeAsync(
            tenantId,
            (db, old) =>
            {
                if (old?.Domain == domain)
                    return old;
                refusal = Held(db, tenantId, domain);
                return refusal is null ? new PreviewDomainRow { TenantId = tenantId, Domain = domain, CreatedAt = now } : old;
            },
            ct,
            proven.Change);
        return refusal is null ? (row, null) : (null, refusal);
    }

    public Task DeleteAsync(string tenantId, CancellationToken ct) => rows.ChangeAsync(tenantId, (_, _) => null, ct, proven.Change);

    /// <summary>
    /// Takes what DNS said into the row. A proof counts at once. A record that is missing counts when it has been so for <c>--domain-grace-sec</c>,
    /// and no answer counts for nothing: an accident in somebody's DNS, or in ours, must not take a product off the net.
    /// </summary>
    /// <returns>The row afterwards and why a proof does not count; no row when the claim is another one by now.</returns>
    public async Task<(PreviewDomainRow? Row, Refusal? Refusal)> TakeAsync(PreviewDomainRow looked, DomainFindings findings, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        Refusal? refusal = null;
        var isStale = false;
        var row = await rows.ChangeAsync(
            looked.TenantId,
            (db, old) =>
            {
                isStale = old?.Domain != looked.Domain;
                if (old is null || isStale)
                    return old;
                if (findings.IsProven)
                    refusal = Held(db, old.TenantId, old.Domain);
                var row = After(old, findings with { IsProven = findings.IsProven && refusal is null }, now);
                if (row.IsProven != old.IsProven)
                    events.Append(db, new EventSubject(row.TenantId, row.TenantId), new NewEvent(row.IsProven ? EventNames.PreviewDomainVerified : EventNames.PreviewDomainLapsed, new JsonObject { ["domain"] = row.Domain }));
                return row;
            },
            ct,
            proven.Change);
        return (isStale ? null : row, refusal);
    }

    private PreviewDomainRow After(PreviewDomainRow old, DomainFindings findings, DateTimeOffset now)
    {
        var row = old with { CheckedAt = now, WasProven = findings.IsProven, DueAt = old.DueAt is null ? null : now.AddSeconds(settings.DomainCheckSec) };
        if (findings.IsProven)
            return row with { VerifiedAt = now, MissingSince = null, DueAt = now.AddSeconds(settings.DomainCheckSec) };
        if (!old.IsProven || !findings.IsCertain)
            return row;
        var since = old.MissingSince ?? now;
        return now >= LapseOf(since) ? row with { VerifiedAt = null, MissingSince = null, DueAt = null } : row with { MissingSince = since };
    }

    public DateTimeOffset LapseOf(DateTimeOffset missingSince) => missingSince.AddSeconds(settings.DomainGraceSec);

    /// <summary>Whether another tenant has proven this domain, or one above or below it.</summary>
    private static Refusal? Held(ServerDb db, string tenantId, string domain)
    {
        var above = new List<string>();
        for (var name = domain; name.Length > 0; name = name.IndexOf('.', StringComparison.Ordinal) is >= 0 and var dot ? name[(dot + 1)..] : "")
            above.Add(name);
        var below = "." + domain;
        return db.PreviewDomains.Any(d => d.TenantId != tenantId && d.VerifiedAt != null && (above.Contains(d.Domain) || d.Domain.EndsWith(below)))
            ? Refusal.Conflict($"\"{domain}\", or a domain above or below it, is another tenant's")
            : null;
    }
}
