using Microsoft.AspNetCore.Http.Features;
using Microsoft.Data.Sqlite;
using Miosa.Server.Host;
using Miosa.Server.Metering;
using Miosa.Server.Storage;

namespace Miosa.Server.Quotas;

/// <summary>The group Quotas of the contract, and the tenant's default for users without caps of their own.</summary>
internal sealed class QuotaEndpoints(QuotaSet quotas, Database database, MeterClock clock)
{
    private const string OfUser = "/quotas/external/";
    private const string OfEachUser = "/quotas/default";
    private const int MaxId = 255;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<QuotaEndpoints>();
        // Most clients do not escape the id: everything up to the end of the path belongs to it.
        const string Named = OfUser + "{**external_user_id}";
        api.Map("GET", Named, it.GetAsync).Needs(Scopes.QuotasRead);
        api.Map("PUT", Named, it.SetAsync).Needs(Scopes.QuotasWrite);
        api.Map("DELETE", Named, it.DropAsync).Needs(Scopes.QuotasWrite);
        api.Map("GET", OfEachUser, context => Task.FromResult(it.Default(context))).Needs(Scopes.QuotasRead);
        api.Map("PUT", OfEachUser, it.SetDefaultAsync).Needs(Scopes.QuotasWrite);
        api.Map("DELETE", OfEachUser, it.DropDefaultAsync).Needs(Scopes.QuotasWrite);
    }

    private Task<IResult> GetAsync(HttpContext context)
    {
        var (user, refusal) = UserOf(context);
        return Task.FromResult(user is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : One(context.Caller().TenantId, user));
    }

    private async Task<IResult> SetAsync(HttpContext context)
    {
        var (user, refusal) = UserOf(context);
        if (user is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        var (caps, faults) = await ReadAsync(context);
        if (caps is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var tenant = context.Caller().TenantId;
        await quotas.SetAsync(tenant, QuotaSubject.User, user, caps, context.RequestAborted);
        return One(tenant, user);
    }

    private async Task<IResult> DropAsync(HttpContext context)
    {
        var (user, refusal) = UserOf(context);
        if (user is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        await quotas.DropAsync(context.Caller().TenantId, QuotaSubject.User, user, context.RequestAborted);
        return Reply.Nothing();
    }

    private async Task<IResult> SetDefaultAsync(HttpContext context)
    {
        var (caps, faults) = await ReadAsync(context);
        if (caps is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        await quotas.SetAsync(context.Caller().TenantId, QuotaSubject.EachUser, "", caps, context.RequestAborted);
        return Default(context);
    }

    private async Task<IResult> DropDefaultAsync(HttpContext context)
    {
        await quotas.DropAsync(context.Caller().TenantId, QuotaSubject.EachUser, "", context.RequestAborted);
        return Reply.Nothing();
    }

    private IResult Default(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        var row = database.ReadRows(transaction => QuotaSet.Row(transaction, tenant, QuotaSubject.EachUser, ""));
        return Reply.One(new DefaultQuota { Limits = (row?.Caps ?? quotas.OfUser).Wire, Inherited = row is null, UpdatedAt = row?.UpdatedAt }, WireJson.Default.DefaultQuota);
    }

    /// <summary>The four caps of the body, at its top or under <c>limits</c>; what is not sent is lifted.</summary>
    private static async Task<(Caps? Caps, Refusal? Refusal)> ReadAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return (null, refusal);
        var nested = body.Object("limits");
        foreach (var name in Caps.Names)
        {
            if (!body.Has(name) && nested?[name]?.DeepClone() is { } value)
                body.Body[name] = value;
        }
        var caps = Caps.Read(body);
        return body.Errors() is { } faults ? (null, faults) : (caps, null);
    }

    private IResult One(string tenant, string user) => Reply.One(database.ReadRows(transaction => Of(transaction, tenant, user)), WireJson.Default.Quota);

    private Quota Of(SqliteTransaction transaction, string tenant, string user)
    {
        var subject = new Subject(QuotaSubject.User, tenant, user);
        var own = QuotaSet.Row(transaction, tenant, QuotaSubject.User, user);
        var caps = quotas.CapsOf(transaction, tenant, user);
        var owned = QuotaSet.Owned(transaction, subject);
        return new Quota
        {
            ExternalUserId = user,
            MaxSandboxes = caps.MaxSandboxes,
            MaxConcurrent = caps.MaxConcurrent,
            MaxStorageGb = caps.MaxStorageGb,
            MaxCreditCents = caps.MaxCreditCents,
            Limits = caps.Wire,
            Usage = new QuotaUsage
            {
                Sandboxes = owned,
                TotalSandboxes = owned,
                Concurrent = QuotaSet.Running(transaction, subject),
                StorageGb = QuotaSet.Gib(QuotaSet.StorageBytes(transaction, subject)),
                CreditCents = UsageSum.CentsOf(QuotaSet.Spent(transaction, subject, clock.NowMs)),
            },
            CurrentSandboxes = owned,
            Inherited = own is null,
            UpdatedAt = own?.UpdatedAt,
        };
    }

    /// <summary>
    /// The end of the request target as it was sent, decoded once: routing has decoded it before, but for slashes, and put repeated slashes together.
    /// </summary>
    private static (string? User, Refusal? Refusal) UserOf(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var path = target.Split('?')[0];
        var at = path.IndexOf(OfUser, StringComparison.Ordinal);
        // A target with dots or doubled slashes before the id was rewritten by routing, whose word counts then.
        var id = at < 0 ? context.PathValue("external_user_id").Replace("%2F", "/", StringComparison.OrdinalIgnoreCase) : Uri.UnescapeDataString(path[(at + OfUser.Length)..]);
        return id switch
        {
            "" => (null, Refusal.NotFound("quota")),
            { Length: > MaxId } => (null, Refusal.Invalid("external_user_id", $"must be at most {MaxId} characters, got {id.Length}")),
            _ when id.Any(char.IsControl) => (null, Refusal.Invalid("external_user_id", "must not contain control characters")),
            _ => (id, null),
        };
    }
}
