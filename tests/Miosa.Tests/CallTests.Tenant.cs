namespace Miosa.Tests;

public sealed partial class CallTests
{
    private const string BrandingAnswer = """{"product_name":"Acme","updated_at":"2026-05-26T10:14:23.000Z","branding":{"product_name":"Acme"},"data":{"product_name":"Acme","updated_at":"2026-05-26T10:14:23.000Z"}}""";
    private const string DomainAnswer = """{"domain":"p.acme.com","preview_domain":"p.acme.com","verified":true,"cname_target":"d-1.x","default_domain":"x","status":"configured","dns_status":"ok","dns_instructions":{"type":"CNAME","name":"*.p.acme.com","value":"d-1.x"}}""";
    private const string Verification = """{"verified":false,"target":"d-1.x","cname_target":"d-1.x","domain":"p.acme.com","preview_domain":"p.acme.com","status":"pending_dns","dns_status":"failed","records":[{"type":"TXT","name":"n","value":"v","found":["w"],"ok":false}],"error":"no"}""";
    private const string Policy = """{"lifecycle":{"default_idle_timeout_sec":600},"quotas":{"max_sandboxes":10}}""";
    private const string Values = """{"default_computer_size":"medium","auto_stop_default":3600,"default_region":null,"theme":"dark"}""";
    private const string SettingsAnswer = $$"""{"default_computer_size":"medium","auto_stop_default":3600,"theme":"dark","id":"set_1","tenant_id":"ten_1","settings":{{Values}},"updated_at":"2026-05-26T10:14:23.000Z"}""";
    private const string ProviderKeyAnswer = """{"provider":"open/ai","masked":"sk-...abcd","created_at":"2026-05-26T10:14:23.000Z"}""";
    private const string RegionAnswer = """{"id":"local","slug":"local","name":"Local","available":true,"status":"live","machines":3}""";
    private const string CatalogAnswer = """
        {"products":[{"id":"sandbox","product_id":"sandbox","name":"Sandbox","default_template":"a","default_template_id":"a","default_size":"small","size_ids":["small"],
         "templates":[{"id":"a","template_id":"a","name":"A","default_size":"small","size_ids":["small"],"supported_sizes":["small"],"artifact_readiness":[{"size":"small","state":"fast_ready","ready_nodes":1}]}]}],
         "sizes":[],"regions":[],"generated_at":"2026-05-26T10:14:23.000Z"}
        """;

    private static readonly Type[] TenantTypes = [typeof(Tenant), typeof(TenantBranding), typeof(TenantPreviewDomain), typeof(TenantPolicy), typeof(Settings), typeof(SettingsProviderKeys), typeof(Regions)];

    private static readonly BrandingRequest Acme = new() { ProductName = "Acme", PrimaryColor = "#f60" };

    private static readonly TenantSettingsRequest Changes = new() { DefaultComputerSize = "medium", Other = new() { ["theme"] = "dark", ["old"] = null } };

    private static readonly GovernancePolicy Rules = new() { Lifecycle = new() { DefaultIdleTimeoutSec = 600 }, Quotas = new() { MaxSandboxes = 10 } };

    // A method: the order in which fields of two files are set is nobody's promise.
    private static IEnumerable<Case> TenantCases() =>
    [
        new("TenantBranding.Get", "GET /tenant/branding", "", BrandingAnswer, "Acme", (_, c) => c.Tenant.Branding.Get().ProductName, async (_, c) => (await c.Tenant.Branding.GetAsync()).ProductName),
        new("TenantBranding.Set", "PUT /tenant/branding", """{"product_name":"Acme","primary_color":"#f60"}""", BrandingAnswer, "Acme", (_, c) => c.Tenant.Branding.Set(Acme).ProductName, async (_, c) => (await c.Tenant.Branding.SetAsync(Acme)).ProductName),
        new("TenantBranding.Delete", "DELETE /tenant/branding", "", "", null, (_, c) => Null(() => c.Tenant.Branding.Delete()), (_, c) => Null(c.Tenant.Branding.DeleteAsync())),
        new("TenantPreviewDomain.Get", "GET /tenant/preview-domain", "", Wire.Merged(DomainAnswer), "p.acme.com *.p.acme.com",
            (_, c) => Told(c.Tenant.PreviewDomain.Get()), async (_, c) => Told(await c.Tenant.PreviewDomain.GetAsync())),
        new("TenantPreviewDomain.Set", "PUT /tenant/preview-domain", """{"domain":"p.acme.com"}""", Wire.Merged(DomainAnswer), "p.acme.com *.p.acme.com",
            (_, c) => Told(c.Tenant.PreviewDomain.Set("p.acme.com")), async (_, c) => Told(await c.Tenant.PreviewDomain.SetAsync("p.acme.com"))),
        new("TenantPreviewDomain.Verify", "POST /tenant/preview-domain/verify", "", Wire.Merged(Verification), "w no", (_, c) => Told(c.Tenant.PreviewDomain.Verify()), async (_, c) => Told(await c.Tenant.PreviewDomain.VerifyAsync())),
        new("TenantPreviewDomain.Delete", "DELETE /tenant/preview-domain", "", "", null, (_, c) => Null(() => c.Tenant.PreviewDomain.Delete()), (_, c) => Null(c.Tenant.PreviewDomain.DeleteAsync())),
        new("TenantPolicy.Get", "GET /tenant/policy", "", """{"data":{}}""", null, (_, c) => c.Tenant.Policy.Get().Quotas, async (_, c) => (await c.Tenant.Policy.GetAsync()).Quotas),
        new("TenantPolicy.Set", "PUT /tenant/policy", Policy, Wire.Merged(Policy), 10, (_, c) => c.Tenant.Policy.Set(Rules).Quotas?.MaxSandboxes, async (_, c) => (await c.Tenant.Policy.SetAsync(Rules)).Quotas?.MaxSandboxes),
        new("TenantPolicy.Delete", "DELETE /tenant/policy", "", "", null, (_, c) => Null(() => c.Tenant.Policy.Delete()), (_, c) => Null(c.Tenant.Policy.DeleteAsync())),
        new("Settings.Get", "GET /settings", "", Wire.Merged(SettingsAnswer), "medium 3600 dark 1", (_, c) => Told(c.Settings.Get()), async (_, c) => Told(await c.Settings.GetAsync())),
        new("Settings.Update", "PUT /settings", """{"default_computer_size":"medium","theme":"dark","old":null}""", Wire.Merged(SettingsAnswer), "medium 3600 dark 1", (_, c) => Told(c.Settings.Update(Changes)), async (_, c) => Told(await c.Settings.UpdateAsync(Changes))),
        new("Settings.Reset", "PUT /settings", """{"auto_stop_default":null,"theme":null}""", Wire.Merged(SettingsAnswer), "ten_1", (_, c) => c.Settings.Reset(["auto_stop_default", "theme", "theme"]).TenantId, async (_, c) => (await c.Settings.ResetAsync(["auto_stop_default", "theme"])).TenantId),
        new("Settings.GetBranding", "GET /settings/branding", "", BrandingAnswer, "Acme", (_, c) => c.Settings.GetBranding().ProductName, async (_, c) => (await c.Settings.GetBrandingAsync()).ProductName),
        new("Settings.UpdateBranding", "PUT /settings/branding", """{"product_name":"Acme","primary_color":"#f60"}""", BrandingAnswer, "Acme", (_, c) => c.Settings.UpdateBranding(Acme).ProductName, async (_, c) => (await c.Settings.UpdateBrandingAsync(Acme)).ProductName),
        new("Settings.ListAvailableModels", "GET /settings/available-models", "", """{"data":[{"id":"qwen3:32b","object":"model","created":1,"owned_by":"local"}]}""", "qwen3:32b", (_, c) => c.Settings.ListAvailableModels()[0].Id, async (_, c) => (await c.Settings.ListAvailableModelsAsync())[0].Id),
        new("Settings.ListRegions", "GET /settings/regions", "", $$"""{"data":[{{RegionAnswer}}]}""", "local", (_, c) => c.Settings.ListRegions()[0].Slug, async (_, c) => (await c.Settings.ListRegionsAsync())[0].Slug),
        new("SettingsProviderKeys.List", "GET /settings/provider-keys", "", $$"""{"data":[{{ProviderKeyAnswer}}]}""", "sk-...abcd", (_, c) => c.Settings.ProviderKeys.List()[0].Masked, async (_, c) => (await c.Settings.ProviderKeys.ListAsync())[0].Masked),
        new("SettingsProviderKeys.Set", "PUT /settings/provider-keys/open%2Fai", """{"key":"sk-1"}""", Wire.Merged(ProviderKeyAnswer), "open/ai", (_, c) => c.Settings.ProviderKeys.Set("open/ai", "sk-1").Provider, async (_, c) => (await c.Settings.ProviderKeys.SetAsync("open/ai", "sk-1")).Provider),
        new("SettingsProviderKeys.Delete", "DELETE /settings/provider-keys/openai", "", "", null, (_, c) => Null(() => c.Settings.ProviderKeys.Delete("openai")), (_, c) => Null(c.Settings.ProviderKeys.DeleteAsync("openai"))),
        new("Regions.List", "GET /compute/regions", "", $$"""{"data":[{{RegionAnswer}}]}""", 3, (_, c) => c.Regions.List()[0].Machines, async (_, c) => (await c.Regions.ListAsync())[0].Machines),
        new("Regions.Get", "GET /compute/regions/local", "", Wire.Merged(RegionAnswer), RegionStatus.Live, (_, c) => c.Regions.Get("local").Status, async (_, c) => (await c.Regions.GetAsync("local")).Status),
        new("Regions.ListSizes", "GET /compute/sizes", "", """{"data":[{"id":"xs","slug":"xs","name":"XS","vcpus":1,"memory_mb":2048,"price_hour":0.05}]}""", 0.05, (_, c) => c.Regions.ListSizes()[0].PriceHour, async (_, c) => (await c.Regions.ListSizesAsync())[0].PriceHour),
        new("Regions.GetCatalog", "GET /compute/catalog", "", CatalogAnswer, ArtifactStates.FastReady, (_, c) => c.Regions.GetCatalog().Products[0].Templates[0].ArtifactReadiness[0].State, async (_, c) => (await c.Regions.GetCatalogAsync()).Products[0].Templates[0].ArtifactReadiness[0].State),
        new("Regions.ListTemplates", "GET /compute/templates", "", """{"data":[{"id":"a","slug":"a","name":"A"}]}""", "A", (_, c) => c.Regions.ListTemplates()[0].Name, async (_, c) => (await c.Regions.ListTemplatesAsync())[0].Name),
        new("Regions.GetTemplate", "GET /compute/templates/a%20b", "", """{"id":"a","slug":"a","name":"A","data":{"id":"a","slug":"a","name":"A"}}""", "a", (_, c) => c.Regions.GetTemplate("a b").Slug, async (_, c) => (await c.Regions.GetTemplateAsync("a b")).Slug),
    ];

    private static string Told(PreviewDomain domain) => $"{domain.Domain} {domain.DnsInstructions?.Name}";

    private static string Told(PreviewDomainVerification verification) => $"{verification.Records[0].Found[0]} {verification.Error}";

    private static string Told(TenantSettings settings) => $"{settings.DefaultComputerSize} {settings.AutoStopDefault} {settings.Other["theme"]} {settings.Other.Count}";
}
