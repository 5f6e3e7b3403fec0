using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Miosa.Server.Credits;
using Miosa.Server.Events;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Metering;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Quotas;

/// <summary>
/// Says whether a machine may become what it is about to become. It looks at what would grow (machines owned, machines running, disk) for whom (the tenant,
/// the external user, the workspace), and at nothing else: a cap that is lowered below what is there takes nothing away. Asked twice: before any work
/// starts, so that no machine is launched in vain, and in the transaction that writes the machine, where there is one writer and so an exact count.
/// </summary>
internal sealed class QuotaGate(Database database, QuotaSet quotas, MeterClock clock, ServerSettings settings)
{
    private const long BytesPerGib = 1L << 30;
    private const int MibPerGib = 1024;

    private readonly SpendingMemo memo = new(clock);

    /// <summary>The look before the work.</summary>
    public Refusal? Look(Machine machine) => database.ReadRows(transaction => Check(transaction, machine, []));

    /// <summary>Must come before the machine is written: it compares with what is there.</summary>
    /// <param name="warnings">Gets an event for each cap that is used to 80 % by this.</param>
    public Refusal? Check(SqliteTransaction transaction, Machine after, ICollection<NewEvent> warnings)
    {
        var before = transaction.One(
            "SELECT State, DiskMb, ExternalUserId, WorkspaceId FROM machines WHERE Id = $id",
            row => new Was(row.GetString(0), row.GetInt32(1), row.Text(2), row.Text(3)),
            ("$id", after.Id));
        if (before is null && after.WorkspaceId is { } workspace && WorkspaceSet.SettingsOf(transaction, after.TenantId, workspace) is null)
            return Refusal.Invalid("workspace_id", "names a workspace that was deleted just now");
        foreach (var subject in SubjectsOf(after))
        {
            var was = before is not null && IsOf(subject, before) ? before : null;
            var owns = after.IsLive && was is not { IsLive: true };
            var runs = after.State is MachineState.Provisioning or MachineState.Starting or MachineState.Running && was is not { IsActive: true };
            var disk = after.IsLive && after.DiskMb > (was?.DiskMb ?? 0);
            if (!owns && !runs && !disk)
                continue;
            if (Check(transaction, subject, after, owns, runs, disk, warnings) is { } refusal)
                return refusal;
        }
        return null;
    }

    private Refusal? Check(SqliteTransaction transaction, Subject subject, Machine after, bool owns, bool runs, bool disk, ICollection<NewEvent> warnings)
    {
        var caps = CapsOf(transaction, subject);
        if (owns && caps.MaxSandboxes is { } mostOwned)
        {
            var current = QuotaSet.Owned(transaction, subject);
            if (current >= mostOwned)
                return Full(subject, Caps.Sandboxes, mostOwned, current, "has as many machines as it may have: destroy one");
            Warn(warnings, subject, Caps.Sandboxes, mostOwned, current, current + 1);
        }
        if (runs && caps.MaxConcurrent is { } mostRunning)
        {
            var current = QuotaSet.Running(transaction, subject);
            if (current >= mostRunning)
                return Full(subject, Caps.Concurrent, mostRunning, current, "has as many machines running as it may have: pause, stop or destroy one");
            Warn(warnings, subject, Caps.Concurrent, mostRunning, current, current + 1);
        }
        if (caps.MaxStorageGb is { } mostGb)
        {
            var bytes = QuotaSet.StorageBytes(transaction, subject);
            if ((owns || runs) && bytes >= mostGb * BytesPerGib)
                return Full(subject, Caps.StorageGb, mostGb, QuotaSet.Gib(bytes), "has written as much to its disks as it may: delete files or destroy a machine");
            // It may be filled without anybody being asked again.
            if (disk && after.DiskMb > (long)mostGb * MibPerGib)
                return Full(subject, Caps.StorageGb, mostGb, QuotaSet.Gib(bytes), $"may have no disk of {after.DiskMb} MiB: ask for a smaller disk_size_mb");
        }
        return owns || runs ? CheckSpending(transaction, subject, caps, known: null) : null;
    }

    /// <summary>
    /// Whether what costs money and is no machine may begin: nobody in question has spent what he may, and credits are left if they must be. What was
    /// spent in the last two seconds may not be in it (<see cref="SpendingMemo"/>).
    /// </summary>
    public Refusal? LookAtSpending(string tenant, string? externalUser, string? workspace) => database.ReadRows(transaction => SubjectsOf(tenant, externalUser, workspace)
        .Select(subject => CheckSpending(transaction, subject, CapsOf(transaction, subject), memo)).FirstOrDefault(refusal => refusal is not null));

    private Caps CapsOf(SqliteTransaction transaction, Subject subject) =>
        subject.Kind == QuotaSubject.Workspace ? WorkspaceSet.CapsOf(transaction, subject.TenantId, subject.Name) : quotas.CapsOf(transaction, subject.TenantId, subject.ExternalUserId);

    private Refusal? CheckSpending(SqliteTransaction transaction, Subject subject, Caps caps, SpendingMemo? known)
    {
        if (caps.MaxCreditCents is { } mostCents)
        {
            var spent = known is null ? Spent() : known.Spent(subject, Spent);
            if (Ledger.CreditsOf(spent) is var cents && cents >= mostCents)
                return new Refusal(ErrorCodes.InsufficientCredits, $"{subject.Told} has spent {cents} cents this month and may spend {mostCents}", Details(subject, Caps.CreditCents, mostCents, cents));
        }
        if (subject.Kind == QuotaSubject.Tenant && settings.CreditRule == CreditRules.Prepaid && (known is null ? Balance() : known.Balance(subject, Balance)) is <= 0 and var left)
        {
            var credits = Ledger.CreditsOf(left);
            return new Refusal(ErrorCodes.InsufficientCredits, $"no credits are left (balance {credits}): the server's administrator grants them", Details(subject, "balance", 0, credits));
        }
        return null;

        long Spent() => UsageSum.MicroCentsOf(QuotaSet.Spent(transaction, subject, clock.NowMs));
        long Balance() => Ledger.BalanceOf(transaction, subject.TenantId, clock.NowMs);
    }

    private static List<Subject> SubjectsOf(Machine machine) => SubjectsOf(machine.TenantId, machine.ExternalUserId, machine.WorkspaceId);

    private static List<Subject> SubjectsOf(string tenant, string? externalUser, string? workspaceId)
    {
        var subjects = new List<Subject> { new(QuotaSubject.Tenant, tenant, "") };
        if (externalUser is { } user)
            subjects.Add(new Subject(QuotaSubject.User, tenant, user));
        if (workspaceId is { } workspace)
            subjects.Add(new Subject(QuotaSubject.Workspace, tenant, workspace));
        return subjects;
    }

    private static bool IsOf(Subject subject, Was was) => subject.Kind switch
    {
        QuotaSubject.User => was.ExternalUserId == subject.Name,
        QuotaSubject.Workspace => was.WorkspaceId == subject.Name,
        _ => true,
    };

    private static Refusal Full(Subject subject, string what, long limit, JsonNode current, string says) =>
        new(ErrorCodes.QuotaExceeded, $"{subject.Told} {says} ({what} is {limit})", Details(subject, what, limit, current));

    private static JsonObject Details(Subject subject, string what, long limit, JsonNode current)
    {
        var details = new JsonObject { ["what"] = what, ["limit"] = limit, ["current"] = current, ["subject"] = subject.Kind };
        if (subject.Field is { } field)
            details[field] = subject.Name;
        return details;
    }

    /// <summary>Adds the warning when the mark lies between the two: once for each time it is passed.</summary>
    public static void Warn(ICollection<NewEvent> warnings, Subject subject, string what, long limit, double before, double after)
    {
        if (limit > 0 && before * 5 < limit * 4 && after * 5 >= limit * 4)
            warnings.Add(new NewEvent(EventNames.QuotaWarning, Details(subject, what, limit, Math.Round(after, 3))));
    }

    private sealed record Was(string State, int DiskMb, string? ExternalUserId, string? WorkspaceId)
    {
        public bool IsLive => State != SandboxState.Destroyed;

        public bool IsActive => State is SandboxState.Provisioning or ComputerStatus.Starting or SandboxState.Running;
    }
}
