using Miosa.Http;

namespace Miosa;

/// <summary>The environment variables of computers, by the id of the computer; the same calls as of <see cref="Computer.Env"/>.</summary>
public sealed class ComputersEnv
{
    private readonly Pipeline pipeline;

    internal ComputersEnv(Pipeline pipeline) => this.pipeline = pipeline;

    /// <inheritdoc cref="ComputerEnv.ListAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<IReadOnlyList<ComputerEnvVar>> ListAsync(string computerId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Env(computerId), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerEnvVar> List(string computerId) => pipeline.Send(ComputerCalls.Env(computerId));

    /// <inheritdoc cref="ComputerEnv.CreateAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<ComputerEnvVar> CreateAsync(string computerId, string name, string value, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.CreateEnv(computerId, name, value), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerEnvVar Create(string computerId, string name, string value) => pipeline.Send(ComputerCalls.CreateEnv(computerId, name, value));

    /// <inheritdoc cref="ComputerEnv.UpdateAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task<ComputerEnvVar> UpdateAsync(string computerId, string name, string value, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.UpdateEnv(computerId, name, value), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public ComputerEnvVar Update(string computerId, string name, string value) => pipeline.Send(ComputerCalls.UpdateEnv(computerId, name, value));

    /// <inheritdoc cref="ComputerEnv.DeleteAsync"/>
    /// <param name="computerId">Id of the computer.</param>
    public Task DeleteAsync(string computerId, string name, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.DeleteEnv(computerId, name), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string computerId, string name) => pipeline.Send(ComputerCalls.DeleteEnv(computerId, name));
}
