using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// Named groups of machines. A machine goes into one with <see cref="CreateSandboxRequest.WorkspaceId"/>; then the workspace's limits hold for it, and what
/// its creation does not name comes from the workspace's defaults.
/// </summary>
/// <example>
/// <code>
/// var workspace = await client.Workspaces.CreateAsync("Acme staging");
/// await client.Workspaces.UpdateSettingsAsync(workspace.Id, new JsonObject
/// {
///     ["limits"] = new JsonObject { ["max_sandboxes"] = 10 },
///     ["defaults"] = new JsonObject { ["size"] = "medium", ["idle_timeout_sec"] = 600 },
/// });
/// await using var sandbox = await client.Sandboxes.CreateAsync(new CreateSandboxRequest { WorkspaceId = workspace.Id });
/// </code>
/// </example>
public sealed class Workspaces
{
    private const string All = "/workspaces";

    private readonly Pipeline pipeline;

    internal Workspaces(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>One page of the tenant's workspaces, newest first.</summary>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 100.</param>
    /// <param name="externalWorkspaceId">Only those with this name of yours.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<Workspace>> ListAsync(int page = 1, int perPage = 100, string? externalWorkspaceId = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ListCall(page, perPage, externalWorkspaceId), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<Workspace> List(int page = 1, int perPage = 100, string? externalWorkspaceId = null) => pipeline.Send(ListCall(page, perPage, externalWorkspaceId));

    /// <summary>Creates a workspace.</summary>
    /// <param name="name">Display name, 1 to 255 characters.</param>
    /// <param name="description">What it is for, at most 4096 characters.</param>
    /// <param name="slug">URL-safe name, 1 to 63 lower-case letters, digits and inner hyphens, unique in the tenant. Default: made of the name.</param>
    /// <param name="metadata">Your own key-value data.</param>
    /// <param name="externalWorkspaceId">Your own name for it, at most 255 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The workspace.</returns>
    /// <exception cref="ValidationException">A field is faulty.</exception>
    /// <exception cref="ConflictException">The slug is taken.</exception>
    /// <exception cref="PermissionException">The tenant has as many workspaces as it may have.</exception>
    public Task<Workspace> CreateAsync(
        string name, string? description = null, string? slug = null, IReadOnlyDictionary<string, string>? metadata = null, string? externalWorkspaceId = null,
        CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CreateCall(name, description, slug, metadata, externalWorkspaceId), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public Workspace Create(
        string name, string? description = null, string? slug = null, IReadOnlyDictionary<string, string>? metadata = null, string? externalWorkspaceId = null)
        => pipeline.Send(CreateCall(name, description, slug, metadata, externalWorkspaceId));

    /// <summary>Fetches a workspace.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The workspace.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    public Task<Workspace> GetAsync(string workspaceId, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(workspaceId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Workspace Get(string workspaceId) => pipeline.Send(GetCall(workspaceId));

    /// <summary>Changes a workspace. Its machines show its new name and slug at once.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="changes">What to change; what is null stays.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The workspace as it is then.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    /// <exception cref="ConflictException">The slug is taken.</exception>
    public Task<Workspace> UpdateAsync(string workspaceId, UpdateWorkspaceRequest changes, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(UpdateCall(workspaceId, changes), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public Workspace Update(string workspaceId, UpdateWorkspaceRequest changes) => pipeline.Send(UpdateCall(workspaceId, changes));

    /// <summary>Deletes a workspace that has no machines. Its usage stays on record.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    /// <exception cref="ConflictException">It still has machines, paused ones too (<see cref="ErrorCodes.WorkspaceNotEmpty"/>).</exception>
    public Task DeleteAsync(string workspaceId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(workspaceId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string workspaceId) => pipeline.Send(DeleteCall(workspaceId));

    /// <summary>Replaces a workspace's settings: <c>limits</c> and <c>defaults</c> work, anything else is kept for you. What is there already is not changed.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="settings">
    /// Under <c>limits</c> any of <c>max_sandboxes</c>, <c>max_concurrent</c>, <c>max_storage_gb</c>, <c>max_credit_cents</c>; under <c>defaults</c> any of
    /// <c>template_id</c>, <c>size</c>, <c>cpu_count</c>, <c>memory_mb</c>, <c>disk_size_mb</c>, <c>timeout_sec</c>, <c>idle_timeout_sec</c>, <c>always_on</c>,
    /// <c>persistent</c>, <c>region</c>, <c>egress</c>.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The workspace.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    /// <exception cref="ValidationException">A limit or default could not work; it is named as <c>limits.max_sandboxes</c>.</exception>
    public Task<Workspace> UpdateSettingsAsync(string workspaceId, JsonObject settings, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SettingsCall(workspaceId, settings), cancellationToken);

    /// <inheritdoc cref="UpdateSettingsAsync"/>
    public Workspace UpdateSettings(string workspaceId, JsonObject settings) => pipeline.Send(SettingsCall(workspaceId, settings));

    /// <summary>Counts and reserved resources of a workspace.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The figures.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    public Task<WorkspaceStats> StatsAsync(string workspaceId, CancellationToken cancellationToken = default) => pipeline.SendAsync(StatsCall(workspaceId), cancellationToken);

    /// <inheritdoc cref="StatsAsync"/>
    public WorkspaceStats Stats(string workspaceId) => pipeline.Send(StatsCall(workspaceId));

    /// <summary>What a workspace used over a window.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="window"><c>7d</c>, <c>24h</c>, <c>4w</c> and the like, at most 366 days, or <c>month-to-date</c>; default <c>7d</c>.</param>
    /// <param name="granularity">Length of a bucket: <c>hour</c>, <c>day</c>, <c>week</c> or <c>month</c>; default <c>day</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The whole and its buckets.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    /// <exception cref="ValidationException">There is no such window or granularity.</exception>
    public Task<WorkspaceUsage> UsageAsync(string workspaceId, string? window = null, string? granularity = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(UsageCall(workspaceId, window, granularity), cancellationToken);

    /// <inheritdoc cref="UsageAsync"/>
    public WorkspaceUsage Usage(string workspaceId, string? window = null, string? granularity = null) => pipeline.Send(UsageCall(workspaceId, window, granularity));

    /// <summary>One page of the sandboxes of a workspace, newest first; destroyed ones are left out.</summary>
    /// <param name="workspaceId">Its id or slug.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 20.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    public Task<Page<Sandbox>> ListSandboxesAsync(string workspaceId, int page = 1, int perPage = 20, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SandboxesCall(workspaceId, page, perPage), cancellationToken);

    /// <inheritdoc cref="ListSandboxesAsync"/>
    public Page<Sandbox> ListSandboxes(string workspaceId, int page = 1, int perPage = 20) => pipeline.Send(SandboxesCall(workspaceId, page, perPage));

    private static Workspace One(Answer answer) => answer.Object(WireJson.Default.Workspace);

    private static Call<Page<Workspace>> ListCall(int page, int perPage, string? externalWorkspaceId)
        => new(HttpMethod.Get, Call.Query(Call.Paged(All, page, perPage), ("external_workspace_id", externalWorkspaceId)), static answer => answer.Whole(WireJson.Default.PageWorkspace));

    private static Call<Workspace> CreateCall(string name, string? description, string? slug, IReadOnlyDictionary<string, string>? metadata, string? externalWorkspaceId)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new(HttpMethod.Post, All, One)
        {
            Json = Call.Body(
                new() { Name = name, Description = description, Slug = slug, Metadata = metadata, ExternalWorkspaceId = externalWorkspaceId }, RequestJson.Default.CreateWorkspaceRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private static Call<Workspace> GetCall(string workspaceId) => new(HttpMethod.Get, Call.Item(All, workspaceId), One);

    private static Call<Workspace> UpdateCall(string workspaceId, UpdateWorkspaceRequest changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        return new(HttpMethod.Patch, Call.Item(All, workspaceId), One) { Json = Call.Body(changes, RequestJson.Default.UpdateWorkspaceRequest) };
    }

    private static Call<bool> DeleteCall(string workspaceId) => new(HttpMethod.Delete, Call.Item(All, workspaceId), Answer.Nothing);

    private static Call<Workspace> SettingsCall(string workspaceId, JsonObject settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return new(HttpMethod.Put, Call.Item(All, workspaceId) + "/settings", One) { Json = Call.Body(settings, WireJson.Default.JsonObject) };
    }

    private static Call<WorkspaceStats> StatsCall(string workspaceId)
        => new(HttpMethod.Get, Call.Item(All, workspaceId) + "/stats", static answer => answer.Object(WireJson.Default.WorkspaceStats));

    private static Call<WorkspaceUsage> UsageCall(string workspaceId, string? window, string? granularity) => new(
        HttpMethod.Get,
        Call.Query(Call.Item(All, workspaceId) + "/usage", ("window", window), ("granularity", granularity)),
        static answer => answer.Object(WireJson.Default.WorkspaceUsage));

    private Call<Page<Sandbox>> SandboxesCall(string workspaceId, int page, int perPage) => new(
        HttpMethod.Get,
        Call.Paged(Call.Item(All, workspaceId) + "/sandboxes", page, perPage),
        answer => new Sandboxes(pipeline).Handles(answer.Whole(WireJson.Default.PageSandboxInfo)));
}
