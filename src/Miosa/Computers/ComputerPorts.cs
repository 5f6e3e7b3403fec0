using Miosa.Http;

namespace Miosa;

/// <summary>The ports of one computer that have a web address, over HTTP and WebSocket. Nothing needs to listen on a port when it is exposed.</summary>
/// <example>
/// <code>
/// var port = await computer.Ports.CreateAsync(3000, visibility: "private");
/// Console.WriteLine(port.Url);
/// </code>
/// </example>
public sealed class ComputerPorts
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerPorts(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    /// <summary>The exposed ports, by number.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The ports; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerPort>> ListAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Ports(id), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerPort> List() => pipeline.Send(ComputerCalls.Ports(id));

    /// <summary>Exposes a port, or changes how it is exposed.</summary>
    /// <param name="port">Port inside the computer, 1 to 65535.</param>
    /// <param name="visibility"><c>public</c>: anybody; <c>private</c>, <c>tenant</c> and <c>key</c>: who has a key of the tenant, or a token. Default: the visibility of the computer.</param>
    /// <param name="label">A label of your own, at most 255 characters; default: none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The port and its address.</returns>
    /// <exception cref="ValidationException">The port or the visibility is none.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerPort> CreateAsync(int port, string? visibility = null, string? label = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.CreatePort(id, port, visibility, label), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerPort Create(int port, string? visibility = null, string? label = null) => pipeline.Send(ComputerCalls.CreatePort(id, port, visibility, label));

    /// <summary>Changes who may reach an exposed port.</summary>
    /// <param name="port">Port inside the computer, 1 to 65535.</param>
    /// <param name="visibility"><c>public</c>: anybody; <c>private</c>, <c>tenant</c> and <c>key</c>: who has a key of the tenant, or a token. Default: as it was.</param>
    /// <param name="label">A label of your own, at most 255 characters; default: as it was.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The port.</returns>
    /// <exception cref="NotFoundException">The port is not exposed.</exception>
    /// <exception cref="ValidationException">There is no such visibility.</exception>
    public Task<ComputerPort> UpdateAsync(int port, string? visibility = null, string? label = null, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.UpdatePort(id, port, visibility, label), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public ComputerPort Update(int port, string? visibility = null, string? label = null) => pipeline.Send(ComputerCalls.UpdatePort(id, port, visibility, label));

    /// <summary>Stops exposing a port; connections through it end.</summary>
    /// <param name="port">Port inside the computer, 1 to 65535.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when nobody gets through any more.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task DeleteAsync(int port, CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.DeletePort(id, port), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(int port) => pipeline.Send(ComputerCalls.DeletePort(id, port));
}
