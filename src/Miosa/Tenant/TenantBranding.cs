using Miosa.Http;

namespace Miosa;

/// <summary>
/// How the product looks where the platform shows a page of its own: a preview that nothing listens on yet, or that is private, shows name, logo,
/// colours and a link to the support. Needs the scope <c>tenant:read</c>, or <c>tenant:write</c> to change it.
/// </summary>
/// <example>
/// <code>
/// await client.Tenant.Branding.SetAsync(new() { ProductName = "Acme AI", LogoUrl = "https://cdn.acme.com/logo.png", PrimaryColor = "#ff6600" });
/// </code>
/// </example>
public sealed class TenantBranding
{
    internal const string Path = "/tenant/branding";

    private readonly Pipeline pipeline;

    internal TenantBranding(Pipeline pipeline) => this.pipeline = pipeline;

    /// <summary>The branding as it is.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The branding; every field is null when none is set.</returns>
    public Task<Branding> GetAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall(Path), cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public Branding Get() => pipeline.Send(GetCall(Path));

    /// <summary>Replaces the branding: what is not named is gone. <see cref="Settings.UpdateBrandingAsync"/> changes single fields.</summary>
    /// <param name="branding">The new branding.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The branding as it is now.</returns>
    /// <exception cref="ValidationException">A colour, an address or a length is not what it must be; the details name each field.</exception>
    public Task<Branding> SetAsync(BrandingRequest branding, CancellationToken cancellationToken = default) => pipeline.SendAsync(PutCall(Path, branding), cancellationToken);

    /// <inheritdoc cref="SetAsync"/>
    public Branding Set(BrandingRequest branding) => pipeline.Send(PutCall(Path, branding));

    /// <summary>Takes the branding back; pages look as the platform's again. Repeating it changes nothing.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is gone.</returns>
    public Task DeleteAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(DeleteCall, cancellationToken);

    /// <inheritdoc cref="DeleteAsync"/>
    public void Delete() => pipeline.Send(DeleteCall);

    internal static Call<Branding> GetCall(string path) => new(HttpMethod.Get, path, static answer => answer.Object(WireJson.Default.Branding));

    internal static Call<Branding> PutCall(string path, BrandingRequest branding)
    {
        ArgumentNullException.ThrowIfNull(branding);
        return new(HttpMethod.Put, path, static answer => answer.Object(WireJson.Default.Branding)) { Json = Call.Body(branding, RequestJson.Default.BrandingRequest) };
    }

    private static Call<bool> DeleteCall => new(HttpMethod.Delete, Path, Answer.Nothing);
}
