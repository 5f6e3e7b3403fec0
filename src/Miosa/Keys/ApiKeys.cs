using Miosa.Http;

namespace Miosa;

/// <summary>
/// The API keys of the tenant. The secret of a key is told once, in the answer to its making; a revoked key stops working at once, and what it
/// had open ends.
/// </summary>
/// <example>
/// <code>
/// var key = await client.ApiKeys.CreateAsync(new() { Name = "ci-runner", Scopes = [Scopes.SandboxesWrite] });
/// Console.WriteLine(key.Token);                                  // now or never
/// var alice = await client.ApiKeys.CreateScopedAsync(new() { ExternalUserId = "alice-42", Scopes = [Scopes.SandboxesWrite] });
/// await client.ApiKeys.RevokeAsync(key.Id);
/// </code>
/// </example>
public sealed class ApiKeys
{
    private readonly Pipeline pipeline;

    internal ApiKeys(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Makes a key. It may do no more than the key of this client, and lives no longer.</summary>
    /// <param name="request">What it is for and may do.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The key with its secret in <see cref="ApiKey.Token"/>, which nobody can ever see again.</returns>
    /// <exception cref="PermissionException">It would be given more than the key of this client has.</exception>
    /// <exception cref="ValidationException">A scope is unknown, the end is in the past, or another field is faulty.</exception>
    public Task<ApiKey> CreateAsync(CreateApiKeyRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.Create(KeyCalls.OfTenant, request), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public ApiKey Create(CreateApiKeyRequest request) => pipeline.Send(KeyCalls.Create(KeyCalls.OfTenant, request));

    /// <summary>Makes a key for one user of yours: it sees and makes only that user's sandboxes, and reaches nothing else of the tenant.</summary>
    /// <param name="request">The user, and what the key may do.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The key with its secret in <see cref="ApiKey.Token"/>, which nobody can ever see again.</returns>
    /// <exception cref="PermissionException">It would be given more than the key of this client has.</exception>
    public Task<ApiKey> CreateScopedAsync(CreateScopedApiKeyRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.CreateScoped(request), cancellationToken);

    /// <inheritdoc cref="CreateScopedAsync"/>
    public ApiKey CreateScoped(CreateScopedApiKeyRequest request) => pipeline.Send(KeyCalls.CreateScoped(request));

    /// <summary>
    /// Makes a short-lived token for one user of yours in one workspace (<see cref="MiosaOptions.AccessToken"/>). Nothing of it is stored: it ends
    /// with its time, or with the key of this client.
    /// </summary>
    /// <param name="request">The user, the workspace, and what the token may do.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The token.</returns>
    /// <exception cref="NotFoundException">The tenant has no such workspace.</exception>
    /// <exception cref="PermissionException">It would be given more than the key of this client has.</exception>
    public Task<ScopedToken> CreateTokenAsync(CreateScopedTokenRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.CreateToken(request), cancellationToken);

    /// <inheritdoc cref="CreateTokenAsync"/>
    public ScopedToken CreateToken(CreateScopedTokenRequest request) => pipeline.Send(KeyCalls.CreateToken(request));

    /// <summary>One key, without its secret.</summary>
    /// <param name="keyId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The key.</returns>
    /// <exception cref="NotFoundException">The tenant has no such key.</exception>
    public Task<ApiKey> GetAsync(string keyId, CancellationToken cancellationToken = default) => pipeline.SendAsync(KeyCalls.Get(keyId), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public ApiKey Get(string keyId) => pipeline.Send(KeyCalls.Get(keyId));

    /// <summary>One page of keys, newest first; revoked and expired ones are among them.</summary>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 50.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<ApiKey>> ListAsync(int page = 1, int perPage = 50, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.List(KeyCalls.OfTenant, page, perPage), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<ApiKey> List(int page = 1, int perPage = 50) => pipeline.Send(KeyCalls.List(KeyCalls.OfTenant, page, perPage));

    /// <summary>All keys over all pages, each once; pages are fetched while the caller enumerates.</summary>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The keys, newest first.</returns>
    public IAsyncEnumerable<ApiKey> ListAllAsync(CancellationToken cancellationToken = default) => Feed.EnumerateAsync(Pages, cancellationToken);

    /// <inheritdoc cref="ListAllAsync"/>
    public IEnumerable<ApiKey> ListAll() => Feed.Enumerate(Pages);

    /// <summary>Revokes a key: it stops working at once, and streams, terminals and commands that it had open end. Revoking it again does no harm.</summary>
    /// <param name="keyId">Its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is revoked.</returns>
    /// <exception cref="NotFoundException">The tenant has no such key.</exception>
    public Task RevokeAsync(string keyId, CancellationToken cancellationToken = default) => pipeline.SendAsync(KeyCalls.Revoke(KeyCalls.OfTenant, keyId), cancellationToken);

    /// <inheritdoc cref="RevokeAsync"/>
    public void Revoke(string keyId) => pipeline.Send(KeyCalls.Revoke(KeyCalls.OfTenant, keyId));

    private PageFeed<ApiKey> Pages() => new(pipeline, static (page, _) => KeyCalls.List(KeyCalls.OfTenant, page, PageFeed<ApiKey>.PerPage), static key => key.Id);
}
