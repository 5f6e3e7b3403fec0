using System.Text.Json.Nodes;
using Miosa.Server.Host;
using Miosa.Server.Sandboxes;
using Miosa.Server.Storage;

namespace Miosa.Server.Policies;

/// <summary>The policy of a tenant. What this server cannot enforce it does not store: a rule that holds nothing would be believed.</summary>
internal sealed class PolicyEndpoints(TenantRows<PolicyRow> policies, TimeProvider time)
{
    private const int MaxSandboxes = 1_000_000;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<PolicyEndpoints>();
        api.Map("GET", "/tenant/policy", it.GetAsync).Needs(Scopes.TenantRead);
        api.Map("PUT", "/tenant/policy", it.SetAsync).Needs(Scopes.TenantWrite);
        api.Map("DELETE", "/tenant/policy", it.DeleteAsync).Needs(Scopes.TenantWrite);
    }

    private Task<IResult> GetAsync(HttpContext context) => Task.FromResult(Told(policies.Of(context.Caller().TenantId)));

    private async Task<IResult> SetAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (row, faults) = Read(body, context.Caller().TenantId);
        if (row is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        return Told(await policies.ChangeAsync(row.TenantId, (_, _) => row, context.RequestAborted));
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        await policies.ChangeAsync(context.Caller().TenantId, (_, _) => null, context.RequestAborted);
        return Reply.Nothing();
    }

    private (PolicyRow? Row, Refusal? Refusal) Read(Fields body, string tenantId)
    {
        var lifecycle = Section(body, "lifecycle", "default_timeout_sec", "default_idle_timeout_sec");
        var quotas = Section(body, "quotas", "max_sandboxes");
        // What an answer of ours has beside the sections comes back with it.
        foreach (var (name, _) in body.Body)
        {
            if (name is not ("lifecycle" or "quotas" or "data"))
                body.Fail(name, "is no section that this server enforces; there are lifecycle and quotas");
        }
        var row = new PolicyRow
        {
            TenantId = tenantId,
            DefaultTimeoutSec = lifecycle.Int("default_timeout_sec", 1, SandboxFields.MaxTimeoutSec),
            DefaultIdleTimeoutSec = lifecycle.Int("default_idle_timeout_sec", 0, SandboxFields.MaxTimeoutSec),
            MaxSandboxes = quotas.Int("max_sandboxes", 0, MaxSandboxes),
            UpdatedAt = time.GetUtcNow(),
        };
        foreach (var (section, name) in ((Fields, string)[])[(lifecycle, "lifecycle"), (quotas, "quotas")])
        {
            foreach (var (field, message) in section.Errors()?.Details ?? [])
                body.Fail($"{name}.{field}", message?.GetValue<string>() ?? "is faulty");
        }
        return body.Errors() is { } refusal ? (null, refusal) : (row, null);
    }

    private static Fields Section(Fields body, string name, params string[] known)
    {
        var section = new Fields((JsonObject?)body.Object(name)?.DeepClone() ?? []);
        foreach (var (field, _) in section.Body)
        {
            if (!known.Contains(field))
                section.Fail(field, $"is nothing that this server enforces; there {(known.Length == 1 ? "is" : "are")} {string.Join(" and ", known)}");
        }
        return section;
    }

    private static IResult Told(PolicyRow? row)
    {
        var hasLimits = row is { DefaultTimeoutSec: not null } or { DefaultIdleTimeoutSec: not null };
        var policy = new GovernancePolicy
        {
            Lifecycle = hasLimits ? new() { DefaultIdleTimeoutSec = row?.DefaultIdleTimeoutSec, DefaultTimeoutSec = row?.DefaultTimeoutSec } : null,
            Quotas = row?.MaxSandboxes is { } max ? new() { MaxSandboxes = max } : null,
        };
        return Reply.One(policy, WireJson.Default.GovernancePolicy);
    }
}
