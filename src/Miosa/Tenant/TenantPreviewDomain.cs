using Miosa.Http;

namespace Miosa;

/// <summary>
/// The domain below which the tenant's previews have their names, <c>3000-….preview.acme.com</c>. It is claimed, proven by a DNS record that names the
/// tenant, and served from then on; the record is looked at again every hour. Needs the scope <c>tenant:read</c>, or <c>tenant:write</c> to change it.
/// </summary>
/// <example>
/// <code>
/// var domain = await client.Tenant.PreviewDomain.SetAsync("preview.acme.com");
/// Console.WriteLine(domain.DnsInstructions);            // CNAME *.preview.acme.com → d-….previews.example.com
/// var result = await client.Tenant.PreviewDomain.VerifyAsync();
/// Console.WriteLine(result.Verified ? "served" : result.Error);
/// </code>
/// </example>
public sealed class TenantPreviewDomain
{
    private const string Path = "/tenant/preview-domain";

    private readonly Pipeline pipeline;

    internal TenantPreviewDomain(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The domain as it is.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The domain; its name is null when none is set.</returns>
    public Task<PreviewDomain> GetAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall, cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public PreviewDomain Get() => pipeline.Send(GetCall);

    /// <summary>Claims a domain; the answer says which record proves it. The same one again changes nothing, another one begins unproven.</summary>
    /// <param name="domain">A host name without scheme, port or <c>*.</c>, such as <c>preview.acme.com</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The domain, not served yet.</returns>
    /// <exception cref="ValidationException">It is no domain that a tenant can own.</exception>
    /// <exception cref="ConflictException">Another tenant has proven it, or a domain above or below it.</exception>
    public Task<PreviewDomain> SetAsync(string domain, CancellationToken cancellationToken = default) => pipeline.SendAsync(SetCall(domain), cancellationToken);

    /// <inheritdoc cref="SetAsync"/>
    public PreviewDomain Set(string domain) => pipeline.Send(SetCall(domain));

    /// <summary>Asks DNS now, which may take some seconds. Nothing proven is a result, not an error.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What was found, and why it is not enough if it is not.</returns>
    /// <exception cref="NotFoundException">No domain is set.</exception>
    public Task<PreviewDomainVerification> VerifyAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(VerifyCall, cancellationToken);

    /// <inheritdoc cref="VerifyAsync"/>
    public PreviewDomainVerification Verify() => pipeline.Send(VerifyCall);

    /// <summary>Gives the domain back: previews are not served on it from this moment. Repeating it changes nothing.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    public Task DeleteAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall, cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete() => pipeline.Send(DeleteCall);

    private static Call<PreviewDomain> GetCall => new(HttpMethod.Get, Path, static answer => answer.Object(WireJson.Default.PreviewDomain));

    private static Call<PreviewDomain> SetCall(string domain)
    {
        ArgumentException.ThrowIfNullOrEmpty(domain);
        return new(HttpMethod.Put, Path, static answer => answer.Object(WireJson.Default.PreviewDomain)) { Json = Call.Body(new() { Domain = domain }, RequestJson.Default.PreviewDomainRequest) };
    }

    private static Call<PreviewDomainVerification> VerifyCall => new(HttpMethod.Post, Path + "/verify", static answer => answer.Object(WireJson.Default.PreviewDomainVerification));

    private static Call<bool> DeleteCall => new(HttpMethod.Delete, Path, Answer.Nothing);
}
