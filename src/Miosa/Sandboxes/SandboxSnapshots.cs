using Miosa.Http;

namespace Miosa;

/// <summary>
/// The snapshots of one sandbox: its files at one moment, from which new sandboxes are made. They are kept when the sandbox is gone, until
/// they are deleted or their retention ends. Running processes are not part of them.
/// </summary>
/// <example>
/// <code>
/// var snapshot = await sandbox.Snapshots.CreateAsync(new() { Comment = "tests pass", RetentionSeconds = 86_400 });
/// await using var again = await sandbox.Snapshots.RestoreAsync(snapshot.Id);
/// </code>
/// </example>
public sealed class SandboxSnapshots
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxSnapshots(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => SandboxCalls.Path(id) + "/snapshots";

    /// <summary>Takes a snapshot. A running sandbox stands still for it, some milliseconds at any size; a paused one stays paused.</summary>
    /// <param name="request">Note and retention; default: none, kept until deleted.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshot, ready to be used.</returns>
    /// <exception cref="ConflictException">The sandbox is neither running nor paused.</exception>
    /// <exception cref="PermissionException">The tenant has as many snapshots as it may have.</exception>
    public Task<SandboxSnapshot> CreateAsync(CreateSnapshotRequest? request = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CreateCall(request), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public SandboxSnapshot Create(CreateSnapshotRequest? request = null) => pipeline.Send(CreateCall(request));

    /// <summary>All snapshots of the sandbox, newest first.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshots; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<IReadOnlyList<SandboxSnapshot>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<SandboxSnapshot> List() => pipeline.Send(ListCall());

    /// <summary>One snapshot, also of another sandbox of the tenant.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshot.</returns>
    /// <exception cref="NotFoundException">The tenant has no such snapshot.</exception>
    public Task<SandboxSnapshot> GetAsync(string snapshotId, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public SandboxSnapshot Get(string snapshotId) => pipeline.Send(GetCall(snapshotId));

    /// <summary>Deletes a snapshot. Sandboxes that were made of it stay as they are.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such snapshot.</exception>
    public Task DeleteAsync(string snapshotId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string snapshotId) => pipeline.Send(DeleteCall(snapshotId));

    /// <summary>
    /// Makes a new, running sandbox with the snapshot's files and the settings the sandbox had then; this sandbox stays as it is. To give the new one
    /// a name or other metadata, fork with <see cref="ForkSandboxRequest.SnapshotId"/>.
    /// </summary>
    /// <param name="snapshotId">A snapshot of this sandbox.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new sandbox.</returns>
    /// <exception cref="NotFoundException">The sandbox has no such snapshot.</exception>
    public Task<Sandbox> RestoreAsync(string snapshotId, CancellationToken cancellationToken = default) => pipeline.SendAsync(RestoreCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="RestoreAsync"/>
    public Sandbox Restore(string snapshotId) => pipeline.Send(RestoreCall(snapshotId));

    private static string Escaped(string snapshotId)
    {
        ArgumentException.ThrowIfNullOrEmpty(snapshotId);
        return Uri.EscapeDataString(snapshotId);
    }

    private static Call<SandboxSnapshot> GetCall(string snapshotId)
        => new(HttpMethod.Get, "/snapshots/" + Escaped(snapshotId), static answer => answer.Object(WireJson.Default.SandboxSnapshot));

    private Call<SandboxSnapshot> CreateCall(CreateSnapshotRequest? request) => new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.SandboxSnapshot))
    {
        Json = Call.Body(request ?? new(), RequestJson.Default.CreateSnapshotRequest),
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    private Call<IReadOnlyList<SandboxSnapshot>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.SandboxSnapshotList).Data);

    private Call<bool> DeleteCall(string snapshotId) => new(HttpMethod.Delete, Path + "/" + Escaped(snapshotId), Answer.Nothing);

    private Call<Sandbox> RestoreCall(string snapshotId)
        => new(HttpMethod.Post, SandboxCalls.Path(id) + "/restore/" + Escaped(snapshotId), answer => new Sandbox(pipeline, answer.Object(WireJson.Default.SandboxInfo)))
        {
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
}
