using Miosa.Http;

namespace Miosa;

/// <summary>
/// The environment variables of one computer: every command and service that is started later gets them, and the desktop from its next start on. What runs
/// already keeps what it was started with.
/// </summary>
/// <example>
/// <code>
/// await computer.Env.CreateAsync("DATABASE_URL", "postgres://…");
/// foreach (var variable in await computer.Env.ListAsync())
///     Console.WriteLine(variable.Name);
/// </code>
/// </example>
public sealed class ComputerEnv
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal ComputerEnv(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    /// <summary>All variables by name.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The variables; empty when there are none. A masked one has no value.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<IReadOnlyList<ComputerEnvVar>> ListAsync(CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.Env(id), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ComputerEnvVar> List() => pipeline.Send(ComputerCalls.Env(id));

    /// <summary>Sets a variable, whether it was there or not; the others stay.</summary>
    /// <param name="name">Letters, digits and underscores, not beginning with a digit, at most 256.</param>
    /// <param name="value">The value. All names and values of a computer are at most 32 KiB together.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The variable.</returns>
    /// <exception cref="ValidationException">The name or the value is faulty, or it is too much.</exception>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task<ComputerEnvVar> CreateAsync(string name, string value, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.CreateEnv(id, name, value), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ComputerEnvVar Create(string name, string value) => pipeline.Send(ComputerCalls.CreateEnv(id, name, value));

    /// <summary>Gives a variable another value.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">The value. All names and values of a computer are at most 32 KiB together.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The variable.</returns>
    /// <exception cref="NotFoundException">The computer has no such variable.</exception>
    /// <exception cref="ValidationException">The value is faulty, or it is too much.</exception>
    public Task<ComputerEnvVar> UpdateAsync(string name, string value, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ComputerCalls.UpdateEnv(id, name, value), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public ComputerEnvVar Update(string name, string value) => pipeline.Send(ComputerCalls.UpdateEnv(id, name, value));

    /// <summary>Removes a variable.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when later commands do not get it any more.</returns>
    /// <exception cref="NotFoundException">The tenant has no such computer.</exception>
    public Task DeleteAsync(string name, CancellationToken cancellationToken = default) => pipeline.SendAsync(ComputerCalls.DeleteEnv(id, name), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string name) => pipeline.Send(ComputerCalls.DeleteEnv(id, name));
}
