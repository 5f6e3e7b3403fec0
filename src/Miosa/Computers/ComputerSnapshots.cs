using Miosa.Http;

namespace Miosa;

/// <summary>
/// The snapshots of one computer: its disk at one moment, from which new computers are made or to which this one goes back. They are kept when the computer
/// is gone. What runs is not part of them.
/// </summary>
/// <example>
/// <code>
/// var snapshot = await computer.Snapshots.CreateAsync("before the update");
/// await computer.RunAsync("sudo apt-get -y upgrade");
/// await computer.Snapshots.RevertAsync(snapshot.Id);          // as if nothing had happened
/// var other = await computer.Snapshots.RestoreAsync(snapshot.Id);   // a second computer
/// </code>
/// </example>
public sealed class ComputerSnapshots
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerSnapshots(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => ComputerCalls.Path(id) + "/snapshots";

    /// <summary>Takes a snapshot; a running computer stands still for some milliseconds.</summary>
    /// <param name="comment">A label, at most 1000 characters; default: none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshot, ready to be used.</returns>
    /// <exception cref="ConflictException">The computer has no disk yet, or is being changed.</exception>
    /// <exception cref="PermissionException">The tenant has as many snapshots as it may have.</exception>
    public Task<ComputerSnapshot> CreateAsync(string? comment = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(CreateCall(comment), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerSnapshot Create(string? comment = null) => pipeline.Send(CreateCall(comment));

    /// <summary>All snapshots of the computer, newest first.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshots; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerSnapshot>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerSnapshot> List() => pipeline.Send(ListCall());

    /// <summary>One snapshot.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The snapshot.</returns>
    /// <exception cref="NotFoundException">The computer has no such snapshot.</exception>
    public Task<ComputerSnapshot> GetAsync(string snapshotId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(GetCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public ComputerSnapshot Get(string snapshotId) => pipeline.Send(GetCall(snapshotId));

    /// <summary>Deletes a snapshot. Computers that were made of it stay as they are.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">The computer has no such snapshot.</exception>
    public Task DeleteAsync(string snapshotId, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string snapshotId) => pipeline.Send(DeleteCall(snapshotId));

    /// <summary>Makes a new computer with the snapshot's disk and the settings of this one, which stays as it is. It boots by itself.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new computer.</returns>
    /// <exception cref="NotFoundException">The computer has no such snapshot.</exception>
    /// <exception cref="PermissionException">A quota is used up.</exception>
    public Task<Computer> RestoreAsync(string snapshotId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(RestoreCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="RestoreAsync"/>
    public Computer Restore(string snapshotId) => pipeline.Send(RestoreCall(snapshotId));

    /// <summary>Puts this computer's disk back to the snapshot: what was written since is lost. A running computer is stopped for it and started again.</summary>
    /// <param name="snapshotId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when the server has begun; <see cref="Computer.WaitUntilRunningAsync"/> waits for the end.</returns>
    /// <exception cref="NotFoundException">The computer has no such snapshot.</exception>
    public Task RevertAsync(string snapshotId, CancellationToken cancellationToken = default) => pipeline.SendAsync(RevertCall(snapshotId), cancellationToken);

    /// <inheritdoc cref="RevertAsync"/>
    public void Revert(string snapshotId) => pipeline.Send(RevertCall(snapshotId));

    private string PathOf(string snapshotId) => Call.Item(Path, snapshotId);

    private Call<ComputerSnapshot> CreateCall(string? comment) => new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.ComputerSnapshot))
    {
        Json = Call.Body(new CreateComputerSnapshotRequest { Comment = comment }, RequestJson.Default.CreateComputerSnapshotRequest),
        IdempotencyKey = Guid.NewGuid().ToString(),
    };

    private Call<IReadOnlyList<ComputerSnapshot>> ListCall() => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.ComputerSnapshotList).Data);

    private Call<ComputerSnapshot> GetCall(string snapshotId) => new(HttpMethod.Get, PathOf(snapshotId), static answer => answer.Object(WireJson.Default.ComputerSnapshot));

    private Call<bool> DeleteCall(string snapshotId) => new(HttpMethod.Delete, PathOf(snapshotId), Answer.Nothing);

    private Call<Computer> RestoreCall(string snapshotId)
        => new(HttpMethod.Post, Call.Item(ComputerCalls.Path(id) + "/restore", snapshotId), answer => new Computer(pipeline, answer.Object(WireJson.Default.ComputerInfo)))
        {
            IdempotencyKey = Guid.NewGuid().ToString(),
        };

    private Call<bool> RevertCall(string snapshotId) => new(HttpMethod.Post, Call.Item(ComputerCalls.Path(id) + "/checkpoints", snapshotId) + "/restore", Answer.Nothing)
    {
        // What was written after the first would be lost by the second.
        Repeat = Repeat.UnlessBegun,
    };
}
