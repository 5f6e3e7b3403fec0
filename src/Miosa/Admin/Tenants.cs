using Miosa.Http;

namespace Miosa;

/// <summary>The tenants of a server, for its administrators. Every call throws a <see cref="PermissionException"/> for any other key.</summary>
public sealed class Tenants
{
    private const string Path = "/admin/tenants";

    private readonly Pipeline pipeline;

    internal Tenants(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>Makes a tenant; it has no key yet.</summary>
    /// <param name="name">Its name, 1 to 100 characters, different from that of every other tenant.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The tenant.</returns>
    /// <exception cref="ConflictException">There is such a tenant already.</exception>
    public Task<TenantInfo> CreateAsync(string name, CancellationToken cancellationToken = default) => pipeline.SendAsync(CreateCall(name), cancellationToken);

    /// <inheritdoc cref="CreateAsync"/>
    public TenantInfo Create(string name) => pipeline.Send(CreateCall(name));

    /// <summary>One tenant.</summary>
    /// <param name="tenant">Its id or name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The tenant.</returns>
    /// <exception cref="NotFoundException">There is none.</exception>
    public Task<TenantInfo> GetAsync(string tenant, CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(tenant), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public TenantInfo Get(string tenant) => pipeline.Send(GetCall(tenant));

    /// <summary>One page of tenants, newest first.</summary>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 50.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    public Task<Page<TenantInfo>> ListAsync(int page = 1, int perPage = 50, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(ListCall(page, perPage), cancellationToken);

    /// <inheritdoc cref="ListAsync"/>
    public Page<TenantInfo> List(int page = 1, int perPage = 50) => pipeline.Send(ListCall(page, perPage));

    /// <summary>All tenants over all pages, each once; pages are fetched while the caller enumerates.</summary>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The tenants, newest first.</returns>
    public IAsyncEnumerable<TenantInfo> ListAllAsync(CancellationToken cancellationToken = default) => Feed.EnumerateAsync(Pages, cancellationToken);

    /// <inheritdoc cref="ListAllAsync"/>
    public IEnumerable<TenantInfo> ListAll() => Feed.Enumerate(Pages);

    /// <summary>Deletes a tenant that has no sandboxes, snapshots and templates any more. Its keys stop working at once; its audit log is kept.</summary>
    /// <param name="tenant">Its id or name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="ConflictException">It still has some; the message tells what.</exception>
    /// <exception cref="NotFoundException">There is none.</exception>
    public Task DeleteAsync(string tenant, CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall(tenant), cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete(string tenant) => pipeline.Send(DeleteCall(tenant));

    /// <summary>Makes a key of a tenant.</summary>
    /// <param name="tenant">Id or name of the tenant.</param>
    /// <param name="request">What the key is for and may do; default: everything in the tenant.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The key with its secret in <see cref="ApiKey.Token"/>, which nobody can ever see again.</returns>
    /// <exception cref="NotFoundException">There is no such tenant.</exception>
    public Task<ApiKey> CreateKeyAsync(string tenant, CreateApiKeyRequest request, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.Create(KeysOf(tenant), request), cancellationToken);

    /// <inheritdoc cref="CreateKeyAsync"/>
    public ApiKey CreateKey(string tenant, CreateApiKeyRequest request) => pipeline.Send(KeyCalls.Create(KeysOf(tenant), request));

    /// <summary>One page of the keys of a tenant, newest first.</summary>
    /// <param name="tenant">Id or name of the tenant.</param>
    /// <param name="page">Page number from 1; a page beyond the end is empty.</param>
    /// <param name="perPage">Page length, 1 to 100; default 50.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The page.</returns>
    /// <exception cref="NotFoundException">There is no such tenant.</exception>
    public Task<Page<ApiKey>> ListKeysAsync(string tenant, int page = 1, int perPage = 50, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.List(KeysOf(tenant), page, perPage), cancellationToken);

    /// <inheritdoc cref="ListKeysAsync"/>
    public Page<ApiKey> ListKeys(string tenant, int page = 1, int perPage = 50) => pipeline.Send(KeyCalls.List(KeysOf(tenant), page, perPage));

    /// <summary>Revokes a key of a tenant at once. Revoking it again does no harm.</summary>
    /// <param name="tenant">Id or name of the tenant.</param>
    /// <param name="keyId">Id of the key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is revoked.</returns>
    /// <exception cref="NotFoundException">There is no such tenant or key.</exception>
    public Task RevokeKeyAsync(string tenant, string keyId, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(KeyCalls.Revoke(KeysOf(tenant), keyId), cancellationToken);

    /// <inheritdoc cref="RevokeKeyAsync"/>
    public void RevokeKey(string tenant, string keyId) => pipeline.Send(KeyCalls.Revoke(KeysOf(tenant), keyId));

    private static string KeysOf(string tenant) => Call.Item(Path, tenant) + "/keys";

    private static Call<TenantInfo> CreateCall(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new(HttpMethod.Post, Path, static answer => answer.Object(WireJson.Default.TenantInfo))
        {
            Json = Call.Body(new CreateTenantRequest { Name = name }, RequestJson.Default.CreateTenantRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    private static Call<TenantInfo> GetCall(string tenant) => new(HttpMethod.Get, Call.Item(Path, tenant), static answer => answer.Object(WireJson.Default.TenantInfo));

    private static Call<Page<TenantInfo>> ListCall(int page, int perPage)
        => new(HttpMethod.Get, Call.Paged(Path, page, perPage), static answer => answer.Whole(WireJson.Default.PageTenantInfo));

    private static Call<bool> DeleteCall(string tenant) => new(HttpMethod.Delete, Call.Item(Path, tenant), Answer.Nothing);

    private PageFeed<TenantInfo> Pages() => new(pipeline, static (page, _) => ListCall(page, PageFeed<TenantInfo>.PerPage), static tenant => tenant.Id);
}
