using Miosa.Http;

namespace Miosa;

/// <summary>The exposed ports of computers, by the id of the computer; the same calls as of <see cref="Computer.Ports"/>.</summary>
public sealed class ComputersPorts
{
    private readonly Pipeline pipeline;

    internal ComputersPorts(Pipeline pipeline) => this.pipeline = pipeline;

    /// <inheritdoc cref="ComputerPorts.ListAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<IReadOnlyList<ComputerPort>> ListAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Ports(computerId), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerPort> List(string computerId) => pipeline.Send(ComputerCalls.Ports(computerId));

    /// <inheritdoc cref="ComputerPorts.CreateAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<ComputerPort> CreateAsync(string computerId, int port, string? visibility = null, string? label = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.CreatePort(computerId, port, visibility, label), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerPort Create(string computerId, int port, string? visibility = null, string? label = null)
        => pipeline.Send(ComputerCalls.CreatePort(computerId, port, visibility, label));

    /// <inheritdoc cref="ComputerPorts.UpdateAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<ComputerPort> UpdateAsync(string computerId, int port, string? visibility = null, string? label = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.UpdatePort(computerId, port, visibility, label), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public ComputerPort Update(string computerId, int port, string? visibility = null, string? label = null)
        => pipeline.Send(ComputerCalls.UpdatePort(computerId, port, visibility, label));

    /// <inheritdoc cref="ComputerPorts.DeleteAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task DeleteAsync(string computerId, int port, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.DeletePort(computerId, port), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string computerId, int port) => pipeline.Send(ComputerCalls.DeletePort(computerId, port));
}
