using Miosa.Http;

namespace Miosa;

/// <summary>Numbers for a start page.</summary>
public sealed class Dashboard
{
    private readonly Pipeline pipeline;

    internal Dashboard(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>What the tenant has at this moment, and its latest events.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The numbers.</returns>
    public Task<DashboardSummary> GetAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public DashboardSummary Get() => pipeline.Send(GetCall());

    /// <summary>Whether the installation works; the server tells everybody.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Its state and that of its parts.</returns>
    public Task<PlatformOverview> OverviewAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(OverviewCall(), cancellationToken);

    /// <inheritdoc cref="OverviewAsync"/>
    public PlatformOverview Overview() => pipeline.Send(OverviewCall());

    private static Call<DashboardSummary> GetCall() => new(HttpMethod.Get, "/dashboard", static answer => answer.Object(WireJson.Default.DashboardSummary));

    private static Call<PlatformOverview> OverviewCall() => new(HttpMethod.Get, "/overview", static answer => answer.Object(WireJson.Default.PlatformOverview));
}
