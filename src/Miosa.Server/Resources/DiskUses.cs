using Microsoft.Data.Sqlite;
using Miosa.Server.Events;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Resources;

/// <summary>
/// What machines have written to their disks, kept from one measurement to the next: a stopped machine cannot be measured and holds its disk all the
/// same. Only changes are written. Warns of caps on storage when a measurement passes their mark.
/// </summary>
internal sealed class DiskUses(Database database, QuotaSet quotas, EventLog events)
{
    /// <summary>Less is no news: a running system always writes a little.</summary>
    private const long Unnoticed = 1L << 20;

    private readonly Dictionary<string, long> kept = [];

    public async Task KeepAsync(IReadOnlyDictionary<string, long> measured, CancellationToken ct)
    {
        var changed = measured.Where(m => !kept.TryGetValue(m.Key, out var old) || Math.Abs(m.Value - old) >= Unnoticed).ToDictionary();
        if (changed.Count == 0)
            return;
        await database.WriteRowsAsync(transaction => Write(transaction, changed), ct);
        foreach (var (machine, bytes) in changed)
            kept[machine] = bytes;
        foreach (var gone in kept.Keys.Where(machine => !measured.ContainsKey(machine)).ToList())
            kept.Remove(gone);
    }

    private void Write(SqliteTransaction transaction, Dictionary<string, long> changed)
    {
        var owners = changed.Keys.Select(machine => transaction.One(
                "SELECT TenantId, ExternalUserId FROM machines WHERE Id = $machine AND State <> 'destroyed'",
                row => (Machine: machine, Tenant: row.GetString(0), User: row.Text(1)),
                ("$machine", machine)))
            .Where(owner => owner.Machine is not null).ToList();
        var capped = owners.Select(owner => new Subject(QuotaSubject.Tenant, owner.Tenant, ""))
            .Concat(owners.Where(owner => owner.User is not null).Select(owner => new Subject(QuotaSubject.User, owner.Tenant, owner.User ?? "")))
            .Distinct().Select(subject => (Subject: subject, Most: quotas.CapsOf(transaction, subject.TenantId, subject.ExternalUserId).MaxStorageGb))
            .Where(pair => pair.Most is not null)
            .Select(pair => (pair.Subject, Most: pair.Most ?? 0, Before: QuotaSet.Gib(QuotaSet.StorageBytes(transaction, pair.Subject)))).ToList();
        foreach (var owner in owners)
        {
            transaction.Run(
                "INSERT INTO disk_uses (MachineId, Bytes) VALUES ($machine, $bytes) ON CONFLICT (MachineId) DO UPDATE SET Bytes = $bytes",
                ("$machine", owner.Machine),
                ("$bytes", changed[owner.Machine]));
        }
        foreach (var (subject, most, before) in capped)
        {
            var warnings = new List<NewEvent>();
            QuotaGate.Warn(warnings, subject, Caps.StorageGb, most, before, QuotaSet.Gib(QuotaSet.StorageBytes(transaction, subject)));
            events.Append(transaction, new EventSubject(subject.TenantId, subject.TenantId) { ExternalUserId = subject.ExternalUserId }, warnings);
        }
    }
}
