using Microsoft.Data.Sqlite;
using Miosa.Server.Host;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Quotas;

/// <summary>Caps and what counts against them, read inside a transaction of the caller.</summary>
internal sealed class QuotaSet(Database database, ServerSettings settings, TimeProvider time)
{
    private const double BytesPerGib = 1L << 30;

    private readonly Caps ofTenant = Caps.Of("tenant-limits", settings.TenantLimits);

    /// <summary>The setting for users, where neither they nor their tenant have caps.</summary>
    public Caps OfUser { get; } = Caps.Of("user-limits", settings.UserLimits);

    public static double Gib(long bytes) => Math.Round(bytes / BytesPerGib, 3);

    /// <summary>
    /// The caps in force: the user's own, else those of the tenant's users, else the setting; without a user those of the tenant, which its own policy may
    /// make narrower.
    /// </summary>
    public Caps CapsOf(SqliteTransaction transaction, string tenant, string? externalUser) => externalUser is null
        ? Narrowed(Row(transaction, tenant, QuotaSubject.Tenant, "")?.Caps ?? ofTenant, PolicyOf(transaction, tenant))
        : Row(transaction, tenant, QuotaSubject.User, externalUser)?.Caps ?? Row(transaction, tenant, QuotaSubject.EachUser, "")?.Caps ?? OfUser;

    public static QuotaRow? Row(SqliteTransaction transaction, string tenant, string subject, string externalUser) => transaction.One(
        "SELECT MaxSandboxes, MaxConcurrent, MaxStorageGb, MaxCreditCents, UpdatedAt FROM quotas WHERE TenantId = $tenant AND Subject = $subject AND ExternalUserId = $user",
        row => new QuotaRow
        {
            TenantId = tenant,
            Subject = subject,
            ExternalUserId = externalUser,
            MaxSandboxes = (int?)row.Number(0),
            MaxConcurrent = (int?)row.Number(1),
            MaxStorageGb = (int?)row.Number(2),
            MaxCreditCents = row.Number(3),
            UpdatedAt = DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(4)),
        },
        ("$tenant", tenant),
        ("$subject", subject),
        ("$user", externalUser));

    /// <summary>Replaces the caps of a subject.</summary>
    public Task SetAsync(string tenant, string subject, string externalUser, Caps caps, CancellationToken ct) => database.WriteRowsAsync(
        transaction => transaction.Run(
            "INSERT INTO quotas (TenantId, Subject, ExternalUserId, MaxSandboxes, MaxConcurrent, MaxStorageGb, MaxCreditCents, UpdatedAt) VALUES ($tenant, $subject, $user, $owned, $running, $gb, $cents, $at) "
                + "ON CONFLICT (TenantId, Subject, ExternalUserId) DO UPDATE SET MaxSandboxes = $owned, MaxConcurrent = $running, MaxStorageGb = $gb, MaxCreditCents = $cents, UpdatedAt = $at",
            ("$tenant", tenant),
            ("$subject", subject),
            ("$user", externalUser),
            ("$owned", caps.MaxSandboxes),
            ("$running", caps.MaxConcurrent),
            ("$gb", caps.MaxStorageGb),
            ("$cents", caps.MaxCreditCents),
            ("$at", time.GetUtcNow().ToUnixTimeMilliseconds())),
        ct);

    /// <summary>The subject inherits again.</summary>
    public Task DropAsync(string tenant, string subject, string externalUser, CancellationToken ct) => database.WriteRowsAsync(
        transaction => transaction.Run(
            "DELETE FROM quotas WHERE TenantId = $tenant AND Subject = $subject AND ExternalUserId = $user", ("$tenant", tenant), ("$subject", subject), ("$user", externalUser)),
        ct);

    public static int Owned(SqliteTransaction transaction, Subject subject) =>
        (int)Count(transaction, $"SELECT COUNT(*) FROM machines m WHERE {subject.Machines}", subject);

    public static int Running(SqliteTransaction transaction, Subject subject) =>
        (int)Count(transaction, $"SELECT COUNT(*) FROM machines m WHERE {subject.Machines} AND m.State IN ('provisioning', 'starting', 'running')", subject);

    /// <summary>What the machines had written to their disks when they were last measured.</summary>
    public static long StorageBytes(SqliteTransaction transaction, Subject subject) =>
        Count(transaction, $"SELECT COALESCE(SUM(d.Bytes), 0) FROM machines m JOIN disk_uses d ON d.MachineId = m.Id WHERE {subject.Machines}", subject);

    /// <summary>Cost of this calendar month.</summary>
    public static Int128 Spent(SqliteTransaction transaction, Subject subject, long nowMs) => Rollup.Sum(
        transaction,
        new UsageFilter(subject.TenantId) { ExternalUserId = subject.ExternalUserId, WorkspaceId = subject.WorkspaceId },
        Period.MonthOf(DateTimeOffset.FromUnixTimeMilliseconds(nowMs)).ToUnixTimeMilliseconds(),
        nowMs).Cost;

    private static int? PolicyOf(SqliteTransaction transaction, string tenant) =>
        (int?)transaction.One("SELECT MaxSandboxes FROM policies WHERE TenantId = $tenant", row => new Policy(row.Number(0)), ("$tenant", tenant))?.MaxSandboxes;

    private static Caps Narrowed(Caps caps, int? mostOwned) => mostOwned < (caps.MaxSandboxes ?? int.MaxValue) ? caps with { MaxSandboxes = mostOwned } : caps;

    private static long Count(SqliteTransaction transaction, string sql, Subject subject) =>
        transaction.One(sql, row => row.GetInt64(0), ("$tenant", subject.TenantId), ("$name", subject.Name));

    private sealed record Policy(long? MaxSandboxes);
}
