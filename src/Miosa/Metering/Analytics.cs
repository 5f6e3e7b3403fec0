using Miosa.Http;

namespace Miosa;

/// <summary>Counts and series over a window, which is <c>24h</c>, <c>7d</c>, <c>4w</c> and the like, at most 366 days, or <c>month-to-date</c>.</summary>
public sealed class Analytics
{
    private readonly Pipeline pipeline;

    internal Analytics(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Machines that were made and hours that they ran.</summary>
    /// <param name="window">The window; default <c>7d</c>.</param>
    /// <param name="granularity">Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>; default <c>day</c>.</param>
    /// <param name="workspaceId">Only of this workspace, by id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The report: <c>created</c> and <c>hours</c> of computers, <c>sandboxes_created</c> and <c>sandboxes_hours</c>, and what there is now.</returns>
    /// <exception cref="ValidationException">There is no such window or granularity.</exception>
    public Task<AnalyticsReport> ComputersAsync(string? window = null, string? granularity = null, string? workspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ReportCall("computers", window, granularity, workspaceId), cancellationToken);

    /// <inheritdoc cref="ComputersAsync"/>
    public AnalyticsReport Computers(string? window = null, string? granularity = null, string? workspaceId = null) => pipeline.Send(ReportCall("computers", window, granularity, workspaceId));

    /// <summary>What was used.</summary>
    /// <param name="window">The window; default <c>30d</c>.</param>
    /// <param name="granularity">Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>; default <c>day</c>.</param>
    /// <param name="workspaceId">Only of this workspace, by id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The report: seconds, GiB-hours and cents.</returns>
    /// <exception cref="ValidationException">There is no such window or granularity.</exception>
    public Task<AnalyticsReport> UsageAsync(string? window = null, string? granularity = null, string? workspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ReportCall("usage", window, granularity, workspaceId), cancellationToken);

    /// <inheritdoc cref="UsageAsync"/>
    public AnalyticsReport Usage(string? window = null, string? granularity = null, string? workspaceId = null) => pipeline.Send(ReportCall("usage", window, granularity, workspaceId));

    /// <summary>Everything at once; needs the scope <see cref="Scopes.Admin"/>.</summary>
    /// <param name="window">The window; default <c>7d</c>.</param>
    /// <param name="granularity">Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>; default <c>day</c>.</param>
    /// <param name="workspaceId">Only of this workspace, by id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The report.</returns>
    /// <exception cref="ValidationException">There is no such window or granularity.</exception>
    public Task<AnalyticsReport> OverviewAsync(string? window = null, string? granularity = null, string? workspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ReportCall("overview", window, granularity, workspaceId), cancellationToken);

    /// <inheritdoc cref="OverviewAsync"/>
    public AnalyticsReport Overview(string? window = null, string? granularity = null, string? workspaceId = null) => pipeline.Send(ReportCall("overview", window, granularity, workspaceId));

    /// <summary>The series of one metric; needs the scope <see cref="Scopes.Admin"/>.</summary>
    /// <param name="metric"><c>computers</c>, <c>sandboxes</c> or <c>credits</c>.</param>
    /// <param name="window">The window; default <c>7d</c>.</param>
    /// <param name="granularity">Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>; default <c>day</c>.</param>
    /// <param name="workspaceId">Only of this workspace, by id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The report.</returns>
    /// <exception cref="ValidationException">There is no such metric, window or granularity.</exception>
    public Task<AnalyticsReport> TimeseriesAsync(
        string metric, string? window = null, string? granularity = null, string? workspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ReportCall("timeseries", window, granularity, workspaceId, metric), cancellationToken);

    /// <inheritdoc cref="TimeseriesAsync"/>
    public AnalyticsReport Timeseries(string metric, string? window = null, string? granularity = null, string? workspaceId = null)
        => pipeline.Send(ReportCall("timeseries", window, granularity, workspaceId, metric));

    private static Call<AnalyticsReport> ReportCall(string report, string? window, string? granularity, string? workspaceId, string? metric = null) => new(
        HttpMethod.Get,
        Call.Query("/analytics/" + report, ("metric", metric), ("window", window), ("granularity", granularity), ("workspace_id", workspaceId)),
        static answer => answer.Object(WireJson.Default.AnalyticsReport));
}
