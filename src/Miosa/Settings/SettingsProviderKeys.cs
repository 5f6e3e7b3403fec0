using Miosa.Http;

namespace Miosa;

/// <summary>
/// The tenant's own keys of providers of language models. They are stored encrypted, and nobody can read them again. Needs the scope
/// <c>settings:read</c>, or <c>settings:write</c> to change them.
/// </summary>
public sealed class SettingsProviderKeys
{
    private const string Path = "/settings/provider-keys";

    private readonly Pipeline pipeline;

    internal SettingsProviderKeys(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The stored keys, masked, by provider.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The keys; at most 100.</returns>
    public Task<IReadOnlyList<ProviderKey>> ListAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ListCall, cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public IReadOnlyList<ProviderKey> List() => pipeline.Send(ListCall);

    /// <summary>Stores a key, in place of the one there was.</summary>
    /// <param name="provider">The provider: 1 to 64 lower-case letters, digits, dots, hyphens and underscores, such as <c>openai</c>.</param>
    /// <param name="key">The secret, at most 4,096 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is told of it from now on.</returns>
    /// <exception cref="ValidationException">The provider's name or the key has characters that neither has.</exception>
    /// <exception cref="PermissionException">The tenant has keys of 100 providers.</exception>
    public Task<ProviderKey> SetAsync(string provider, string key, CancellationToken cancellationToken = default) => pipeline.SendAsync(SetCall(provider, key), cancellationToken);

    /// <inheritdoc cref="SetAsync"/>
    public ProviderKey Set(string provider, string key) => pipeline.Send(SetCall(provider, key));

    /// <summary>Deletes a key.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="NotFoundException">There is no key of this provider.</exception>
    public Task DeleteAsync(string provider, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(provider), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string provider) => pipeline.Send(DeleteCall(provider));

    private static Call<IReadOnlyList<ProviderKey>> ListCall => new(HttpMethod.Get, Path, static answer => answer.Whole(WireJson.Default.PageProviderKey).Data);

    private static Call<ProviderKey> SetCall(string provider, string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return new(HttpMethod.Put, Call.Item(Path, provider), static answer => answer.Object(WireJson.Default.ProviderKey))
        {
            Json = Call.Body(new() { Key = key }, RequestJson.Default.ProviderKeyRequest),
        };
    }

    private static Call<bool> DeleteCall(string provider) => new(HttpMethod.Delete, Call.Item(Path, provider), Answer.Nothing);
}
