using Miosa.Server.Host;
using Miosa.Server.Previews;

namespace Miosa.Server.PreviewDomains;

/// <summary>The preview domain of a tenant: claimed, proven by DNS, given back.</summary>
internal sealed class PreviewDomainEndpoints(PreviewDomainSet domains, DomainClaims claims, DomainLook look, PreviewHosts hosts, TimeProvider time)
{
    /// <summary>More than DNS takes: what is wrong with a name is said better by <see cref="DomainClaims"/>.</summary>
    private const int MaxText = 1024;

    private static readonly Aliases Names = new Aliases().Add("domain", "preview_domain");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<PreviewDomainEndpoints>();
        api.Map("GET", "/tenant/preview-domain", it.GetAsync).Needs(Scopes.TenantRead);
        api.Map("PUT", "/tenant/preview-domain", it.SetAsync).Needs(Scopes.TenantWrite);
        api.Map("DELETE", "/tenant/preview-domain", it.DeleteAsync).Needs(Scopes.TenantWrite);
        api.Map("POST", "/tenant/preview-domain/verify", it.VerifyAsync).Needs(Scopes.TenantWrite);
    }

    private Task<IResult> GetAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        return Task.FromResult(Told(tenant, domains.Of(tenant)));
    }

    private async Task<IResult> SetAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Names);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var text = body.Text("domain", MaxText);
        if (!body.Has("domain"))
            body.Fail("domain", "is missing: send a host name such as preview.acme.com, or DELETE to have none");
        var (domain, fault) = text is null ? (null, null) : claims.Read(text, context.Request.Host.Host);
        if (fault is not null)
            body.Fail("domain", fault);
        if (domain is null)
            return Reply.Refuse(body.Errors() ?? Refusal.Internal());
        var tenant = context.Caller().TenantId;
        var (row, no) = await domains.ClaimAsync(tenant, domain, context.RequestAborted);
        return no is null ? Told(tenant, row) : Reply.Refuse(no);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        await domains.DeleteAsync(context.Caller().TenantId, context.RequestAborted);
        return Reply.Nothing();
    }

    private async Task<IResult> VerifyAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        if (domains.Of(tenant) is not { } claim)
            return Reply.Refuse(new Refusal(ErrorCodes.NotFound, "the tenant has no preview domain: set one first"));
        var target = hosts.TargetOf(tenant);
        var findings = await look.LookAsync(tenant, claim.Domain, target, context.RequestAborted);
        var (row, refusal) = await domains.TakeAsync(claim, findings, context.RequestAborted);
        if (row is null)
            return Reply.Refuse(new Refusal(ErrorCodes.NotFound, $"\"{claim.Domain}\" is not the tenant's preview domain any more"));
        var verification = new PreviewDomainVerification
        {
            Verified = findings.IsProven && refusal is null,
            Target = target,
            CnameTarget = target,
            Domain = row.Domain,
            PreviewDomain = row.Domain,
            Status = StatusOf(row),
            DnsStatus = DnsStatusOf(row),
            VerifiedAt = row.VerifiedAt,
            CheckedAt = row.CheckedAt ?? time.GetUtcNow(),
            Records = findings.Records,
            Error = refusal?.Message ?? findings.Error,
        };
        return Reply.One(verification, WireJson.Default.PreviewDomainVerification);
    }

    private IResult Told(string tenant, PreviewDomainRow? row)
    {
        var target = hosts.TargetOf(tenant);
        var domain = new PreviewDomain
        {
            Domain = row?.Domain,
            PreviewDomainName = row?.Domain,
            Verified = row is { IsProven: true },
            VerifiedAt = row?.VerifiedAt,
            CnameTarget = target,
            DefaultDomain = hosts.Domain,
            Status = row is null ? PreviewDomainStatus.NotConfigured : StatusOf(row),
            DnsStatus = row is null ? null : DnsStatusOf(row),
            DnsInstructions = row is null ? null : DomainLook.Cname(row.Domain, target),
            TxtInstructions = row is null ? null : DomainLook.Txt(row.Domain, tenant),
            CheckedAt = row?.CheckedAt,
            LapsesAt = row?.MissingSince is { } since ? domains.LapseOf(since) : null,
        };
        return Reply.One(domain, WireJson.Default.PreviewDomain);
    }

    private static string StatusOf(PreviewDomainRow row) => row.IsProven ? PreviewDomainStatus.Configured : PreviewDomainStatus.PendingDns;

    private static string DnsStatusOf(PreviewDomainRow row) => row.WasProven switch
    {
        null => PreviewDomainDnsStatus.Pending,
        true => PreviewDomainDnsStatus.Ok,
        false => PreviewDomainDnsStatus.Failed,
    };
}
