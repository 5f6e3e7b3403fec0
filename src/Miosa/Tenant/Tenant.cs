using Miosa.Http;

namespace Miosa;

/// <summary>The tenant of the key.</summary>
public sealed class Tenant
{
    private readonly Pipeline pipeline;

    internal Tenant(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The tenant with its plan, its limits and what it has now.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The tenant.</returns>
    public Task<TenantPlan> CurrentAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(CurrentCall(), cancellationToken);

    /// <inheritdoc cref="CurrentAsync"/>
    public TenantPlan Current() => pipeline.Send(CurrentCall());

    private static Call<TenantPlan> CurrentCall() => new(HttpMethod.Get, "/tenant/plan", static answer => answer.Object(WireJson.Default.TenantPlan));
}
