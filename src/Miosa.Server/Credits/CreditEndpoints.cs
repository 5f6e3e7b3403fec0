using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Credits;

/// <summary>The group Credits of the contract.</summary>
internal sealed class CreditEndpoints(UsageView usage, Database database, MeterClock clock)
{
    public const string Plan = "self_hosted";

    private const int MicroCentsPerUsdMicro = 100;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<CreditEndpoints>();
        var view = api.ServiceProvider.GetRequiredService<UsageView>();
        // The command line of the clients proves a key with it.
        api.Map("GET", "/credits/balance", context => Task.FromResult(it.Balance(context))).NeedsAnyKey();
        api.Map("GET", "/credits/transactions", it.ListAsync).Needs(Scopes.UsageRead);
        api.Map("GET", "/credits/usage", context => Task.FromResult(view.Over(context, "month-to-date", it.Usage))).Needs(Scopes.UsageRead);
    }

    private IResult Balance(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        var standing = database.ReadRows(transaction => Ledger.StandingOf(transaction, tenant, clock.NowMs));
        var balance = Ledger.CreditsOf(standing.Balance);
        var earned = Ledger.CreditsOf(standing.Earned);
        return Reply.One(
            new CreditBalance
            {
                TenantId = tenant,
                Balance = balance,
                BalanceCredits = balance,
                LifetimeEarned = earned,
                // Not cut for itself: what was earned less what was spent is the balance.
                LifetimeSpent = earned - balance,
                Plan = Plan,
                Currency = Prices.Currency,
                UpdatedAt = standing.UpdatedAt,
            },
            WireJson.Default.CreditBalance);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var fields = new Fields([]);
        var paging = Paging.Read(query, fields, maxLimit: 1000) with { Cursor = null };
        var offset = 0;
        if (Paging.Text(query, "offset") is { } text && (!int.TryParse(text, out offset) || offset < 0))
            fields.Fail("offset", "must be a whole number from 0");
        var type = Paging.Text(query, "type");
        if (type is not (null or "debit" or "credit" or "promo"))
            fields.Fail("type", "must be one of debit, credit, promo");
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var tenant = context.Caller().TenantId;
        await using var db = database.Read();
        var rows = db.Credits.Where(c => c.TenantId == tenant);
        rows = type switch
        {
            "debit" => rows.Where(c => c.Amount < 0),
            "promo" => rows.Where(c => c.Kind == CreditKind.Promo),
            "credit" => rows.Where(c => c.Amount >= 0 && c.Kind != CreditKind.Promo),
            _ => rows,
        };
        var total = await rows.CountAsync(context.RequestAborted);
        var skip = offset > 0 ? offset : paging.Skip;
        var page = await rows.OrderByDescending(c => c.Position).Skip(skip).Take(paging.PerPage).ToListAsync(context.RequestAborted);
        return Reply.List((paging with { Page = (skip / paging.PerPage) + 1 }).Of([.. page.Select(Of)], total), WireJson.Default.PageCreditTransaction);
    }

    private IResult Usage(HttpContext context, Period period)
    {
        var sum = usage.Sum(new UsageFilter(context.Caller().TenantId), period);
        var (total, compute, ai) = (UsageSum.CentsOf(sum.Cost), UsageSum.CentsOf(sum.ComputeCost), UsageSum.CentsOf(sum.ModelCost));
        var storage = total - compute - ai;
        return Reply.One(
            new CreditUsage
            {
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                ComputeCredits = compute,
                AiCredits = ai,
                StorageCredits = storage,
                TotalCredits = total,
                Compute = compute,
                Ai = ai,
                Storage = storage,
                Total = total,
            },
            WireJson.Default.CreditUsage);
    }

    public static CreditTransaction Of(CreditRow row)
    {
        var after = Ledger.CreditsOf(row.BalanceAfter);
        var amount = after - Ledger.CreditsOf(row.BalanceAfter - row.Amount);
        return new CreditTransaction
        {
            Id = row.Id,
            TenantId = row.TenantId,
            Amount = amount,
            AmountCredits = amount,
            AmountMicroCents = row.Amount,
            BalanceAfter = after,
            Type = row.Kind == CreditKind.Promo ? "promo" : row.Amount < 0 ? "debit" : "credit",
            Kind = row.Amount < 0 ? "spend" : "earn",
            Description = row.Description,
            CostUsdMicros = row.Kind == CreditKind.Usage ? -row.Amount / MicroCentsPerUsdMicro : null,
            PeriodStart = TimeOf(row.From),
            PeriodEnd = TimeOf(row.To),
            CreatedAt = row.At,
            InsertedAt = row.At,
        };
    }

    // The first charge of a tenant reaches back to before there was any usage.
    private static DateTimeOffset? TimeOf(long? ms) => ms is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;
}
