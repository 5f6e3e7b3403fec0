using Miosa.Http;

namespace Miosa;

/// <summary>Rules for all sandboxes of the tenant. Needs the scope <c>tenant:read</c>, or <c>tenant:write</c> to change them.</summary>
/// <example>
/// <code>
/// await client.Tenant.Policy.SetAsync(new() { Quotas = new() { MaxSandboxes = 100 }, Lifecycle = new() { DefaultIdleTimeoutSec = 900 } });
/// </code>
/// </example>
public sealed class TenantPolicy
{
    private const string Path = "/tenant/policy";

    private readonly Pipeline pipeline;

    internal TenantPolicy(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The policy as it is.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy; both sections are null when none is set.</returns>
    public Task<GovernancePolicy> GetAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall, cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public GovernancePolicy Get() => pipeline.Send(GetCall);

    /// <summary>Replaces the policy. Sandboxes that exist are left alone: a cap below their number only lets no new one come.</summary>
    /// <param name="policy">The new policy.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The policy as it is now.</returns>
    /// <exception cref="ValidationException">A figure is out of range.</exception>
    public Task<GovernancePolicy> SetAsync(GovernancePolicy policy, CancellationToken cancellationToken = default) => pipeline.SendAsync(SetCall(policy), cancellationToken);

    /// <inheritdoc cref="SetAsync"/>
    public GovernancePolicy Set(GovernancePolicy policy) => pipeline.Send(SetCall(policy));

    /// <summary>Drops the policy. Repeating it changes nothing.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    public Task DeleteAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall, cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete() => pipeline.Send(DeleteCall);

    private static Call<GovernancePolicy> GetCall => new(HttpMethod.Get, Path, static answer => answer.Object(WireJson.Default.GovernancePolicy));

    private static Call<GovernancePolicy> SetCall(GovernancePolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        return new(HttpMethod.Put, Path, static answer => answer.Object(WireJson.Default.GovernancePolicy)) { Json = Call.Body(policy, RequestJson.Default.GovernancePolicy) };
    }

    private static Call<bool> DeleteCall => new(HttpMethod.Delete, Path, Answer.Nothing);
}
