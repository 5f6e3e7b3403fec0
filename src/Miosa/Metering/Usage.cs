using Miosa.Http;

namespace Miosa;

/// <summary>
/// What was used. Time is counted to the millisecond from the transaction that starts a machine to the one that ends it; cents are rounded once, to the
/// nearest, when they are told. The exact whole numbers stand beside them (<see cref="UsageExact"/>).
/// </summary>
/// <example>
/// <code>
/// var report = await client.Usage.GetAsync(groupBy: UsageGrouping.ExternalUser, period: "month-to-date");
/// foreach (var row in report.Results)
///     Console.WriteLine($"{row.Key}: {row.CreditCents} cents");
/// </code>
/// </example>
public sealed class Usage
{
    private readonly Pipeline pipeline;

    internal Usage(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Usage rolled up by user, project or workspace, the most expensive first.</summary>
    /// <param name="groupBy">One of <see cref="UsageGrouping"/>; default <see cref="UsageGrouping.ExternalUser"/>.</param>
    /// <param name="period"><c>7d</c>, <c>30d</c>, <c>24h</c> and the like, <c>month-to-date</c>, or a month such as <c>2026-05</c>; default <c>30d</c>.</param>
    /// <param name="start">Start, inclusive; goes before <paramref name="period"/>.</param>
    /// <param name="end">End, exclusive, at most 366 days after the start; default: now.</param>
    /// <param name="externalUserId">Only of this user of yours.</param>
    /// <param name="externalProjectId">Only of this project of yours.</param>
    /// <param name="externalWorkspaceId">Only of this workspace of yours.</param>
    /// <param name="workspaceId">Only of this workspace, by id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The rows.</returns>
    /// <exception cref="ValidationException">There is no such period or grouping.</exception>
    public Task<UsageRollup> GetAsync(
        string? groupBy = null, string? period = null, DateTimeOffset? start = null, DateTimeOffset? end = null, string? externalUserId = null,
        string? externalProjectId = null, string? externalWorkspaceId = null, string? workspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(GetCall(groupBy, period, start, end, externalUserId, externalProjectId, externalWorkspaceId, workspaceId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public UsageRollup Get(
        string? groupBy = null, string? period = null, DateTimeOffset? start = null, DateTimeOffset? end = null, string? externalUserId = null,
        string? externalProjectId = null, string? externalWorkspaceId = null, string? workspaceId = null)
        => pipeline.Send(GetCall(groupBy, period, start, end, externalUserId, externalProjectId, externalWorkspaceId, workspaceId));

    /// <summary>Totals of this calendar month (UTC), or of another period.</summary>
    /// <param name="start">Start, inclusive; default: the first of this month.</param>
    /// <param name="end">End, exclusive; default: now.</param>
    /// <param name="machineId">Only of this sandbox or computer.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The totals.</returns>
    /// <exception cref="ValidationException">The start lies after the end.</exception>
    public Task<UsageSummary> CurrentAsync(DateTimeOffset? start = null, DateTimeOffset? end = null, string? machineId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CurrentCall(start, end, machineId), cancellationToken);

    /// <inheritdoc cref="CurrentAsync"/>
    public UsageSummary Current(DateTimeOffset? start = null, DateTimeOffset? end = null, string? machineId = null) => pipeline.Send(CurrentCall(start, end, machineId));

    /// <summary>Credits spent over a window, by day.</summary>
    /// <param name="window"><c>30d</c> and the like, or <c>month-to-date</c>; default <c>30d</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The credits.</returns>
    /// <exception cref="ValidationException">There is no such window.</exception>
    public Task<UsageCredits> CreditsAsync(string? window = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreditsCall(window), cancellationToken);

    /// <inheritdoc cref="CreditsAsync"/>
    public UsageCredits Credits(string? window = null) => pipeline.Send(CreditsCall(window));

    /// <summary>Machine time over a window, by day.</summary>
    /// <param name="window"><c>30d</c> and the like, or <c>month-to-date</c>; default <c>30d</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The time.</returns>
    /// <exception cref="ValidationException">There is no such window.</exception>
    public Task<UsageCompute> ComputeAsync(string? window = null, CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputeCall(window), cancellationToken);

    /// <inheritdoc cref="ComputeAsync"/>
    public UsageCompute Compute(string? window = null) => pipeline.Send(ComputeCall(window));

    /// <summary>One page of metered runs, newest first.</summary>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 50.</param>
    /// <param name="machineId">Only of this sandbox or computer.</param>
    /// <param name="externalUserId">Only of this user of yours.</param>
    /// <param name="since">Only runs that ended after this.</param>
    /// <param name="until">Only runs that began before this.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<UsageSession>> SessionsAsync(
        int page = 1, int perPage = 50, string? machineId = null, string? externalUserId = null, DateTimeOffset? since = null, DateTimeOffset? until = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SessionsCall(page, perPage, machineId, externalUserId, since, until), cancellationToken);

    /// <inheritdoc cref="SessionsAsync"/>
    public Page<UsageSession> Sessions(
        int page = 1, int perPage = 50, string? machineId = null, string? externalUserId = null, DateTimeOffset? since = null, DateTimeOffset? until = null)
        => pipeline.Send(SessionsCall(page, perPage, machineId, externalUserId, since, until));

    private static Call<UsageRollup> GetCall(
        string? groupBy, string? period, DateTimeOffset? start, DateTimeOffset? end, string? externalUserId, string? externalProjectId, string? externalWorkspaceId, string? workspaceId)
        => new(
            HttpMethod.Get,
            Call.Query(
                "/usage",
                ("group_by", groupBy),
                ("period", period),
                ("start", Call.Time(start)),
                ("end", Call.Time(end)),
                ("external_user_id", externalUserId),
                ("external_project_id", externalProjectId),
                ("external_workspace_id", externalWorkspaceId),
                ("workspace_id", workspaceId)),
            static answer => answer.Object(WireJson.Default.UsageRollup));

    private static Call<UsageSummary> CurrentCall(DateTimeOffset? start, DateTimeOffset? end, string? machineId) => new(
        HttpMethod.Get,
        Call.Query("/usage/summary", ("period_start", Call.Time(start)), ("period_end", Call.Time(end)), ("computer_id", machineId)),
        static answer => answer.Object(WireJson.Default.UsageSummary));

    private static Call<UsageCredits> CreditsCall(string? window)
        => new(HttpMethod.Get, Call.Query("/usage/credits", ("window", window)), static answer => answer.Object(WireJson.Default.UsageCredits));

    private static Call<UsageCompute> ComputeCall(string? window)
        => new(HttpMethod.Get, Call.Query("/usage/compute", ("window", window)), static answer => answer.Object(WireJson.Default.UsageCompute));

    private static Call<Page<UsageSession>> SessionsCall(int page, int perPage, string? machineId, string? externalUserId, DateTimeOffset? since, DateTimeOffset? until) => new(
        HttpMethod.Get,
        Call.Query(
            Call.Paged("/usage/sessions", page, perPage), ("computer_id", machineId), ("external_user_id", externalUserId), ("since", Call.Time(since)), ("until", Call.Time(until))),
        static answer => answer.Whole(WireJson.Default.PageUsageSession));
}
