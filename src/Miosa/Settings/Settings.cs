using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>
/// The tenant's settings: what new sandboxes get where their creation names nothing. What it names goes before them; they go before the tenant's policy
/// and the server's own settings. Needs the scope <c>settings:read</c>, or <c>settings:write</c> to change them.
/// </summary>
/// <example>
/// <code>
/// await client.Settings.UpdateAsync(new() { DefaultComputerSize = "medium", AutoStopDefault = 3600, Other = new() { ["theme"] = "dark" } });
/// await client.Settings.ResetAsync(["auto_stop_default", "theme"]);
/// </code>
/// </example>
public sealed class Settings
{
    private const string Path = "/settings";
    private const string BrandingPath = Path + "/branding";

    private readonly Pipeline pipeline;

    internal Settings(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        ProviderKeys = new SettingsProviderKeys(pipeline);
    }

    /// <summary>Keys of providers of language models.</summary>
    public SettingsProviderKeys ProviderKeys { get; }

    /// <summary>The settings as they hold.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The settings.</returns>
    public Task<TenantSettings> GetAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(GetCall, cancellationToken);

    /// <inheritdoc cref="GetAsync"/>
    public TenantSettings Get() => pipeline.Send(GetCall);

    /// <summary>Changes settings; those that are not named stay, also those that somebody else changes at the same moment.</summary>
    /// <param name="settings">The settings to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>All settings as they hold now.</returns>
    /// <exception cref="ValidationException">A value is out of range, or names a size, region or image that there is not.</exception>
    public Task<TenantSettings> UpdateAsync(TenantSettingsRequest settings, CancellationToken cancellationToken = default) => pipeline.SendAsync(UpdateCall(settings), cancellationToken);

    /// <inheritdoc cref="UpdateAsync"/>
    public TenantSettings Update(TenantSettingsRequest settings) => pipeline.Send(UpdateCall(settings));

    /// <summary>Takes settings back, so that what is behind them holds again.</summary>
    /// <param name="names">Their names on the wire, such as <c>auto_stop_default</c>, or names of your own.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>All settings as they hold now.</returns>
    public Task<TenantSettings> ResetAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken = default) => pipeline.SendAsync(ResetCall(names), cancellationToken);

    /// <inheritdoc cref="ResetAsync"/>
    public TenantSettings Reset(IReadOnlyCollection<string> names) => pipeline.Send(ResetCall(names));

    /// <summary>The tenant's branding, the same as <see cref="TenantBranding.GetAsync"/> gives, for keys that may see settings.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The branding; every field is null when none is set.</returns>
    public Task<Branding> GetBrandingAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(TenantBranding.GetCall(BrandingPath), cancellationToken);

    /// <inheritdoc cref="GetBrandingAsync"/>
    public Branding GetBranding() => pipeline.Send(TenantBranding.GetCall(BrandingPath));

    /// <summary>Changes fields of the tenant's branding; those that are null stay.</summary>
    /// <param name="branding">The fields to change.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The whole branding as it is now.</returns>
    /// <exception cref="ValidationException">A colour, an address or a length is not what it must be; the details name each field.</exception>
    public Task<Branding> UpdateBrandingAsync(BrandingRequest branding, CancellationToken cancellationToken = default)
        => pipeline.SendAsync(TenantBranding.PutCall(BrandingPath, branding), cancellationToken);

    /// <inheritdoc cref="UpdateBrandingAsync"/>
    public Branding UpdateBranding(BrandingRequest branding) => pipeline.Send(TenantBranding.PutCall(BrandingPath, branding));

    /// <summary>The language models that the tenant may use.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The models; empty where the server has none.</returns>
    public Task<IReadOnlyList<LlmModel>> ListAvailableModelsAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(ModelsCall, cancellationToken);

    /// <inheritdoc cref="ListAvailableModelsAsync"/>
    public IReadOnlyList<LlmModel> ListAvailableModels() => pipeline.Send(ModelsCall);

    /// <summary>The regions that the tenant may use.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The regions.</returns>
    public Task<IReadOnlyList<Region>> ListRegionsAsync(CancellationToken cancellationToken = default) => pipeline.SendAsync(RegionsCall, cancellationToken);

    /// <inheritdoc cref="ListRegionsAsync"/>
    public IReadOnlyList<Region> ListRegions() => pipeline.Send(RegionsCall);

    private static Call<TenantSettings> GetCall => new(HttpMethod.Get, Path, Read);

    private static Call<TenantSettings> UpdateCall(TenantSettingsRequest settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var body = JsonSerializer.SerializeToNode(settings, RequestJson.Default.TenantSettingsRequest) as JsonObject ?? [];
        foreach (var (name, value) in settings.Other ?? [])
            body[name] = value?.DeepClone();
        return new(HttpMethod.Put, Path, Read) { Json = Call.Body(body, WireJson.Default.JsonObject) };
    }

    private static Call<TenantSettings> ResetCall(IReadOnlyCollection<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var body = new JsonObject(names.Distinct().Select(name => KeyValuePair.Create<string, JsonNode?>(name, null)));
        return new(HttpMethod.Put, Path, Read) { Json = Call.Body(body, WireJson.Default.JsonObject) };
    }

    private static Call<IReadOnlyList<LlmModel>> ModelsCall => new(HttpMethod.Get, Path + "/available-models", static answer => answer.Whole(WireJson.Default.LlmModelList).Data);

    private static Call<IReadOnlyList<Region>> RegionsCall => new(HttpMethod.Get, Path + "/regions", static answer => answer.Whole(WireJson.Default.PageRegion).Data);

    private static TenantSettings Read(Answer answer) => answer.Object(WireJson.Default.TenantSettings);
}
