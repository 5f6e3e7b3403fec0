using Miosa.Http;

namespace Miosa;

/// <summary>
/// The environment variables of one sandbox: every command and process that is started later gets them, unless its own environment has the name, too.
/// What runs already keeps what it was started with.
/// </summary>
/// <example>
/// <code>
/// await sandbox.Env.SetAsync("DATABASE_URL", "postgres://…");
/// await sandbox.Env.SetAsync("LOG_LEVEL", "debug", encrypted: false);
/// foreach (var variable in await sandbox.Env.ListAsync())
///     Console.WriteLine($"{variable.Key} = {variable.Value ?? "(secret)"}");
/// </code>
/// </example>
public sealed class SandboxEnv
{
    private readonly Pipeline pipeline;
    private readonly string id;

    internal SandboxEnv(Pipeline pipeline, string id) => (this.pipeline, this.id) = (pipeline, id);

    private string Path => SandboxCalls.Path(id) + "/env";

    /// <summary>All variables by name. The value of a secret is null.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The variables; empty when there are none.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task<IReadOnlyList<SandboxEnvVar>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall(), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<SandboxEnvVar> List() => pipeline.Send(ListCall());

    /// <summary>Sets one variable; the others stay.</summary>
    /// <param name="key">Letters, digits and underscores, not beginning with a digit, at most 256.</param>
    /// <param name="value">The value. All names and values of a sandbox are at most 32 KiB together.</param>
    /// <param name="encrypted">True, the default: a secret, kept encrypted and never told again. False: also kept encrypted, but listed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>All variables afterwards.</returns>
    /// <exception cref="ValidationException">The name or the value is faulty, or it is too much.</exception>
    /// <exception cref="ConflictException">The sandbox is destroyed or in state error.</exception>
    public Task<IReadOnlyList<SandboxEnvVar>> SetAsync(string key, string value, bool encrypted = true, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SetCall([Item(key, value, encrypted)], replace: false), cancellationToken);

    /// <inheritdoc cref="SetAsync(string, string, bool, CancellationToken)"/>
    public IReadOnlyList<SandboxEnvVar> Set(string key, string value, bool encrypted = true) => pipeline.Send(SetCall([Item(key, value, encrypted)], replace: false));

    /// <summary>Sets many variables at once: all of them or, when one is faulty, none.</summary>
    /// <param name="variables">Names and values, at most 500.</param>
    /// <param name="encrypted">True, the default: secrets that are never told again.</param>
    /// <param name="replace">True drops the variables that are not named; default false.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>All variables afterwards.</returns>
    /// <exception cref="ValidationException">A name or a value is faulty, or it is too much.</exception>
    /// <exception cref="ConflictException">The sandbox is destroyed or in state error.</exception>
    public Task<IReadOnlyList<SandboxEnvVar>> SetAsync(
        IReadOnlyDictionary<string, string> variables, bool encrypted = true, bool replace = false, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(SetCall(Items(variables, encrypted), replace), cancellationToken);

    /// <inheritdoc cref="SetAsync(IReadOnlyDictionary{string, string}, bool, bool, CancellationToken)"/>
    public IReadOnlyList<SandboxEnvVar> Set(IReadOnlyDictionary<string, string> variables, bool encrypted = true, bool replace = false)
        => pipeline.Send(SetCall(Items(variables, encrypted), replace));

    /// <summary>Deletes a variable. One that is not there is no error.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when later commands do not get it any more.</returns>
    /// <exception cref="NotFoundException">The tenant has no such sandbox.</exception>
    public Task DeleteAsync(string key, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(key), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string key) => pipeline.Send(DeleteCall(key));

    private static IReadOnlyList<SandboxEnvItem> Items(IReadOnlyDictionary<string, string> variables, bool encrypted)
    {
        ArgumentNullException.ThrowIfNull(variables);
        return [.. variables.Select(pair => Item(pair.Key, pair.Value, encrypted))];
    }

    private static SandboxEnvItem Item(string key, string value, bool encrypted)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(value);
        return new SandboxEnvItem { Key = key, Value = value, Encrypted = encrypted };
    }

    private static IReadOnlyList<SandboxEnvVar> Read(Answer answer) => answer.Whole(WireJson.Default.SandboxEnvList).Data;

    private Call<IReadOnlyList<SandboxEnvVar>> ListCall() => new(HttpMethod.Get, Path, Read);

    private Call<IReadOnlyList<SandboxEnvVar>> SetCall(IReadOnlyList<SandboxEnvItem> items, bool replace) => new(HttpMethod.Put, Path, Read)
    {
        Json = Call.Body(new SandboxEnvSetRequest { Vars = items, Replace = replace ? true : null }, RequestJson.Default.SandboxEnvSetRequest),
    };

    private Call<bool> DeleteCall(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return new(HttpMethod.Delete, Path + "/" + Uri.EscapeDataString(key), Answer.Nothing);
    }
}
