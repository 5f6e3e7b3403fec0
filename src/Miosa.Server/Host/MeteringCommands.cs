using System.CommandLine;
using System.Globalization;
using Miosa.Server.Credits;
using Miosa.Server.Keys;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;

namespace Miosa.Server.Host;

/// <summary>Runs an admin command on the database of the settings.</summary>
internal delegate Task<int> AdminRun(ParseResult line, Func<Admin, Database, ServerSettings, Task> work);

/// <summary>The admin commands on credits and caps of tenants. A running server goes by what they write at once.</summary>
internal static class MeteringCommands
{
    public static System.CommandLine.Command Credits(AdminRun run)
    {
        var tenant = Tenant();
        var credits = new Argument<long>("credits") { Description = "whole credits (cents), 1 to 1000000000" };
        var promo = new Option<bool>("--promo") { Description = "marks them as given away" };
        var reason = new Option<string>("--reason") { Description = "told in the ledger" };
        var grant = new System.CommandLine.Command("grant", "Give credits to a tenant and print its balance") { tenant, credits, promo, reason };
        grant.SetAction((line, ct) => run(line, (admin, database, _) => WriteAsync(
            admin, database, line.GetRequiredValue(tenant), Bounded(line.GetRequiredValue(credits)), line.GetValue(promo) ? CreditKind.Promo : CreditKind.Grant, line.GetValue(reason) ?? "granted", ct)));

        var take = new System.CommandLine.Command("take", "Correct a tenant's credits downwards by an entry that says why, and print its balance") { tenant, credits, reason };
        take.SetAction((line, ct) => run(line, (admin, database, _) => WriteAsync(
            admin, database, line.GetRequiredValue(tenant), -Bounded(line.GetRequiredValue(credits)), CreditKind.Adjustment, line.GetValue(reason) ?? "corrected", ct)));
        return new System.CommandLine.Command("credits", "Credits of tenants") { grant, take };
    }

    public static System.CommandLine.Command Limits(AdminRun run)
    {
        var tenant = Tenant();
        var users = new Option<bool>("--users") { Description = "of each external user that has no caps of its own, instead of the tenant" };
        var caps = new Argument<string>("caps") { Description = $"all caps that should hold, such as max_sandboxes=100,max_concurrent=20; of {string.Join(", ", Caps.Names)}" };
        var set = new System.CommandLine.Command("set", "Replace a tenant's caps; those that are not named are lifted") { tenant, caps, users };
        set.SetAction((line, ct) => run(line, async (admin, database, settings) =>
        {
            var read = Caps.Of("caps", line.GetRequiredValue(caps));
            var id = await IdAsync(admin, line.GetRequiredValue(tenant), ct);
            await new QuotaSet(database, settings, TimeProvider.System).SetAsync(id, SubjectOf(line.GetValue(users)), "", read, ct);
            await admin.NoteAsync("quota.set", id, SubjectOf(line.GetValue(users)), ct);
        }));
        var clear = new System.CommandLine.Command("clear", "Let the settings --tenant-limits and --user-limits hold again") { tenant, users };
        clear.SetAction((line, ct) => run(line, async (admin, database, settings) =>
        {
            var id = await IdAsync(admin, line.GetRequiredValue(tenant), ct);
            await new QuotaSet(database, settings, TimeProvider.System).DropAsync(id, SubjectOf(line.GetValue(users)), "", ct);
            await admin.NoteAsync("quota.delete", id, SubjectOf(line.GetValue(users)), ct);
        }));
        return new System.CommandLine.Command("limits", "Caps of tenants, and of their external users") { set, clear };
    }

    private const long Most = 1_000_000_000;
    private const long MicroPerCent = 1_000_000;

    private static Option<string> Tenant() => new("--tenant") { Description = "name or id of the tenant", Required = true };

    private static string SubjectOf(bool isEachUser) => isEachUser ? QuotaSubject.EachUser : QuotaSubject.Tenant;

    private static async Task WriteAsync(Admin admin, Database database, string tenant, long credits, string kind, string reason, CancellationToken ct)
    {
        var id = await IdAsync(admin, tenant, ct);
        CreditRow? row = null;
        await database.WriteRowsAsync(transaction => row = Ledger.Add(transaction, id, kind, credits * MicroPerCent, reason, TimeProvider.System.GetUtcNow()), ct);
        await admin.NoteAsync(kind == CreditKind.Adjustment ? "credits.adjust" : "credits.grant", id, row?.Id ?? "", ct);
        Console.WriteLine(Ledger.CreditsOf(row?.BalanceAfter ?? 0).ToString(CultureInfo.InvariantCulture));
    }

    private static async Task<string> IdAsync(Admin admin, string tenant, CancellationToken ct) =>
        (await admin.FindTenantAsync(tenant, ct))?.Id ?? throw new AdminException($"there is no tenant \"{tenant}\"");

    private static long Bounded(long credits) =>
        credits is >= 1 and <= Most ? credits : throw new AdminException($"credits must be a whole number from 1 to {Most}, got {credits}");
}
