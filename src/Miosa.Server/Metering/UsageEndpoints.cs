using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Server.Credits;
using Miosa.Server.Host;
using Miosa.Server.Models;
using Miosa.Server.Quotas;
using Miosa.Server.Storage;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Metering;

/// <summary>The group Usage of the contract.</summary>
internal sealed class UsageEndpoints(UsageView usage, WorkspaceSet workspaces, Database database, MeterClock clock)
{
    private static readonly IReadOnlyList<string> Groupings = [UsageGrouping.ExternalUser, UsageGrouping.ExternalProject, UsageGrouping.ExternalWorkspace, UsageGrouping.Workspace];

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<UsageEndpoints>();
        var view = api.ServiceProvider.GetRequiredService<UsageView>();
        Get("/usage", context => view.Over(context, "30d", it.Rollup));
        Get("/usage/summary", context => view.Over(context, "month-to-date", it.Summary));
        Get("/usage/credits", context => view.Over(context, "30d", it.Credits));
        Get("/usage/compute", context => view.Over(context, "30d", it.Compute));
        Get("/usage/sessions", it.Sessions);

        void Get(string pattern, Func<HttpContext, IResult> answer) => api.Map("GET", pattern, context => Task.FromResult(answer(context))).Needs(Scopes.UsageRead);
    }

    private IResult Rollup(HttpContext context, Period period)
    {
        // Upstream takes several; the first one counts.
        var groupBy = context.Request.Query["group_by"].ToString().Split(',')[0] is { Length: > 0 } asked ? asked : UsageGrouping.ExternalUser;
        if (!Groupings.Contains(groupBy))
            return Reply.Refuse(Refusal.Invalid("group_by", $"must be one of {string.Join(", ", Groupings)}; got \"{(groupBy.Length <= 80 ? groupBy : groupBy[..80])}\""));
        var filter = FilterOf(context);
        var machines = usage.ByMeter(filter, period).ToLookup(run => KeyOf(run.Meter, groupBy));
        var models = usage.OfModels(filter, period).ToLookup(use => KeyOf(use, groupBy));
        var rows = machines.Select(group => group.Key).Union(models.Select(group => group.Key)).Select(key =>
        {
            var sum = new UsageSum();
            foreach (var (meter, ms) in machines[key])
                sum.Add(meter, ms);
            foreach (var use in models[key])
                sum.Add(use);
            return (Key: key, Sum: sum);
        });
        var rollup = JsonSerializer.SerializeToNode(
            new UsageRollup
            {
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                GroupBy = groupBy,
                Currency = Prices.Currency,
                Results = [.. rows.Where(row => !row.Sum.IsNothing).OrderByDescending(row => row.Sum.Cost).ThenBy(row => row.Key, StringComparer.Ordinal).Select(row => RowOf(row.Key, row.Sum, groupBy))],
            },
            WireJson.Default.UsageRollup) as JsonObject ?? [];
        // The key of the grouping is there also where it is null; the others are not.
        foreach (var row in rollup["results"]?.AsArray().OfType<JsonObject>().Where(row => !row.ContainsKey(groupBy)) ?? [])
            row[groupBy] = null;
        return Reply.One(rollup, WireJson.Default.JsonObject);
    }

    private IResult Summary(HttpContext context, Period period)
    {
        var filter = FilterOf(context);
        var sum = usage.Sum(filter, period);
        var subject = filter.WorkspaceId is { } workspace ? new Subject(QuotaSubject.Workspace, filter.TenantId, workspace) : new Subject(QuotaSubject.Tenant, filter.TenantId, "");
        return Reply.One(
            new UsageSummary
            {
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                ComputeHours = sum.ComputeHours,
                StorageGb = QuotaSet.Gib(database.ReadRows(transaction => QuotaSet.StorageBytes(transaction, subject))),
                AiTokens = sum.TokensIn + sum.TokensOut,
                TotalCredits = UsageSum.CentsOf(sum.Cost),
                SandboxSeconds = UsageSum.SecondsOf(sum.SandboxMs),
                ComputerSeconds = UsageSum.SecondsOf(sum.ComputerMs),
                CreditCents = UsageSum.CentsOf(sum.Cost),
                Exact = sum.Exact,
            },
            WireJson.Default.UsageSummary);
    }

    private IResult Credits(HttpContext context, Period period)
    {
        var filter = FilterOf(context);
        var (sum, series) = usage.Series(filter, period, "day");
        var (total, compute, ai) = (UsageSum.CentsOf(sum.Cost), UsageSum.CentsOf(sum.ComputeCost), UsageSum.CentsOf(sum.ModelCost));
        return Reply.One(
            new UsageCredits
            {
                Window = period.Label,
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                TotalCredits = total,
                ComputeCredits = compute,
                AiCredits = ai,
                // What is left, so that the three are the total.
                StorageCredits = total - compute - ai,
                CreditCents = total,
                Balance = Ledger.CreditsOf(database.ReadRows(transaction => Ledger.BalanceOf(transaction, filter.TenantId, clock.NowMs))),
                Series = series,
            },
            WireJson.Default.UsageCredits);
    }

    private IResult Compute(HttpContext context, Period period)
    {
        var (sum, series) = usage.Series(FilterOf(context), period, "day");
        return Reply.One(
            new UsageCompute
            {
                Window = period.Label,
                PeriodStart = period.Start,
                PeriodEnd = period.End,
                ComputeHours = sum.ComputeHours,
                SandboxSeconds = UsageSum.SecondsOf(sum.SandboxMs),
                ComputerSeconds = UsageSum.SecondsOf(sum.ComputerMs),
                VcpuSeconds = UsageSum.SecondsOf(sum.SandboxVcpuMs + sum.ComputerVcpuMs),
                MemoryGbHours = sum.MemoryGbHours,
                StorageGbHours = sum.StorageGbHours,
                Series = series,
                Exact = sum.Exact,
            },
            WireJson.Default.UsageCompute);
    }

    private IResult Sessions(HttpContext context)
    {
        var fields = new Fields([]);
        var paging = Paging.Read(context.Request.Query, fields, perPage: 50, maxLimit: 1000) with { Cursor = null };
        if (fields.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        // Without any bound the list is of everything kept.
        var asked = Period.ReadBounds(context.Request.Query);
        if (asked.Refusal is not null)
            return Reply.Refuse(asked.Refusal);
        var now = clock.NowMs;
        var (from, to) = (asked.Start?.ToUnixTimeMilliseconds() ?? 0, Math.Min(asked.End?.ToUnixTimeMilliseconds() ?? now, now));
        var (rows, total) = database.ReadRows(transaction => RunList.Read(transaction, FilterOf(context), from, to, paging.Skip, paging.PerPage));
        return Reply.List(paging.Of([.. rows.Select(run => SessionOf(run, now))], total), WireJson.Default.PageUsageSession);
    }

    private UsageFilter FilterOf(HttpContext context)
    {
        var query = context.Request.Query;
        var tenant = context.Caller().TenantId;
        var workspace = Paging.Text(query, "workspace_id");
        return new UsageFilter(tenant)
        {
            ExternalUserId = Paging.Text(query, "external_user_id"),
            ExternalProjectId = Paging.Text(query, "external_project_id"),
            ExternalWorkspaceId = Paging.Text(query, "external_workspace_id"),
            // A deleted workspace is still found by its id.
            WorkspaceId = workspaces.Find(tenant, workspace)?.Id ?? workspace,
            MachineId = Paging.Text(query, "computer_id", "sandbox_id"),
        };
    }

    private static string? KeyOf(MeterRow meter, string groupBy) => groupBy switch
    {
        UsageGrouping.ExternalProject => meter.ExternalProjectId,
        UsageGrouping.ExternalWorkspace => meter.ExternalWorkspaceId,
        UsageGrouping.Workspace => meter.WorkspaceId,
        _ => meter.ExternalUserId,
    };

    private static string? KeyOf(ModelUse use, string groupBy) => groupBy switch
    {
        UsageGrouping.ExternalProject => use.ExternalProjectId,
        UsageGrouping.ExternalWorkspace => use.ExternalWorkspaceId,
        UsageGrouping.Workspace => use.WorkspaceId,
        _ => use.ExternalUserId,
    };

    private static UsageRollupRow RowOf(string? key, UsageSum sum, string groupBy) => new()
    {
        ExternalUserId = groupBy == UsageGrouping.ExternalUser ? key : null,
        ExternalProjectId = groupBy == UsageGrouping.ExternalProject ? key : null,
        ExternalWorkspaceId = groupBy == UsageGrouping.ExternalWorkspace ? key : null,
        WorkspaceId = groupBy == UsageGrouping.Workspace ? key : null,
        SandboxSeconds = UsageSum.SecondsOf(sum.SandboxVcpuMs),
        ComputerSeconds = UsageSum.SecondsOf(sum.ComputerVcpuMs),
        StorageGbHours = sum.StorageGbHours,
        AiTokens = sum.TokensIn + sum.TokensOut,
        CreditCents = UsageSum.CentsOf(sum.Cost),
        Exact = sum.Exact,
    };

    private static UsageSession SessionOf(UsageRun run, long nowMs)
    {
        var (span, meter) = (run.Span, run.Meter);
        var ms = Math.Min(span.To, nowMs) - Math.Min(span.From, nowMs);
        var cost = (decimal)UsageSum.MicroCentsOf((Int128)ms * (meter.ComputeRate + meter.StorageRate)) / 1_000_000;
        return new UsageSession
        {
            Id = "us_" + span.Id.ToString(CultureInfo.InvariantCulture),
            ComputerId = meter.Kind == "computer" ? span.MachineId : null,
            SandboxId = meter.Kind == "sandbox" ? span.MachineId : null,
            StartedAt = DateTimeOffset.FromUnixTimeMilliseconds(span.From),
            EndedAt = span.To == SpanRow.Open ? null : DateTimeOffset.FromUnixTimeMilliseconds(span.To),
            DurationSec = ms / 1000,
            CreditCost = cost,
            CreditsUsed = cost,
            WorkspaceId = meter.WorkspaceId,
            ExternalUserId = meter.ExternalUserId,
            ExternalProjectId = meter.ExternalProjectId,
            ExternalWorkspaceId = meter.ExternalWorkspaceId,
        };
    }
}
