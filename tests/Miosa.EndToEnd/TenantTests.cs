using System.Text.Json.Nodes;

namespace Miosa.EndToEnd;

/// <summary>Branding, preview domain, policy, settings and regions through the SDK against the real server. One at a time: the tenant is shared.</summary>
public sealed class TenantTests(LivePlatform platform)
{
    [Theory]
    [ClassData(typeof(Twins))]
    public async Task A_tenant_s_product_is_set_up_seen_and_taken_back(bool async)
    {
        using var client = platform.Client();
        var (tenant, settings, regions) = (client.Tenant, client.Settings, client.Regions);

        var branding = await Twins.CallAsync(async, () => tenant.Branding.Set(new() { ProductName = "Acme AI" }), () => tenant.Branding.SetAsync(new() { ProductName = "Acme AI" }));
        var merged = await Twins.CallAsync(async, () => settings.UpdateBranding(new() { PrimaryColor = "#f60" }), () => settings.UpdateBrandingAsync(new() { PrimaryColor = "#f60" }));
        Assert.Equal(("Acme AI", "Acme AI", "#f60"), (branding.ProductName, merged.ProductName, merged.PrimaryColor));
        Assert.Equal(merged, await Twins.CallAsync(async, () => tenant.Branding.Get(), () => tenant.Branding.GetAsync()));
        Assert.Equal(merged, await Twins.CallAsync(async, () => settings.GetBranding(), () => settings.GetBrandingAsync()));
        var refused = await Assert.ThrowsAsync<ValidationException>(() => Twins.CallAsync(async, () => tenant.Branding.Set(new() { PrimaryColor = "red;}" }), () => tenant.Branding.SetAsync(new() { PrimaryColor = "red;}" })));
        Assert.True(refused.Details?.ContainsKey("primary_color"));
        await Twins.CallAsync(async, () => tenant.Branding.Delete(), () => tenant.Branding.DeleteAsync());
        Assert.Null((await tenant.Branding.GetAsync()).ProductName);

        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => tenant.PreviewDomain.Verify(), () => tenant.PreviewDomain.VerifyAsync()));
        var domain = await Twins.CallAsync(async, () => tenant.PreviewDomain.Set("preview.acme.example.com"), () => tenant.PreviewDomain.SetAsync("preview.acme.example.com"));
        Assert.Equal((PreviewDomainStatus.PendingDns, "*.preview.acme.example.com"), (domain.Status, domain.DnsInstructions?.Name));
        Assert.Equal(domain, await Twins.CallAsync(async, () => tenant.PreviewDomain.Get(), () => tenant.PreviewDomain.GetAsync()));
        await Twins.CallAsync(async, () => tenant.PreviewDomain.Delete(), () => tenant.PreviewDomain.DeleteAsync());
        Assert.Equal(PreviewDomainStatus.NotConfigured, (await tenant.PreviewDomain.GetAsync()).Status);

        var policy = new GovernancePolicy { Quotas = new() { MaxSandboxes = 1000 }, Lifecycle = new() { DefaultTimeoutSec = 1234 } };
        Assert.Equal(policy, await Twins.CallAsync(async, () => tenant.Policy.Set(policy), () => tenant.Policy.SetAsync(policy)));
        Assert.Equal(policy, await Twins.CallAsync(async, () => tenant.Policy.Get(), () => tenant.Policy.GetAsync()));

        var changes = new TenantSettingsRequest { AutoStopDefault = 900, DefaultComputerSize = "xs", Other = new() { ["theme"] = new JsonObject { ["dark"] = true } } };
        var changed = await Twins.CallAsync(async, () => settings.Update(changes), () => settings.UpdateAsync(changes));
        Assert.Equal((900, "xs", true), (changed.AutoStopDefault, changed.DefaultComputerSize, changed.Other["theme"]?["dark"]?.GetValue<bool>()));
        await using (var sandbox = await LivePlatform.CreateAsync(client))
            Assert.Equal((900, 1234, "xs"), (sandbox.Info.IdleTimeoutSec, sandbox.Info.TimeoutSec, sandbox.Info.Size));
        await Twins.CallAsync(async, () => tenant.Policy.Delete(), () => tenant.Policy.DeleteAsync());
        var reset = await Twins.CallAsync(async, () => settings.Reset(["auto_stop_default", "default_computer_size", "theme"]), () => settings.ResetAsync(["auto_stop_default", "default_computer_size", "theme"]));
        Assert.Equal((0, "small", 0), (reset.AutoStopDefault, reset.DefaultComputerSize, reset.Other.Count));
        Assert.Equal(reset.UpdatedAt, (await Twins.CallAsync(async, () => settings.Get(), () => settings.GetAsync())).UpdatedAt);

        var key = await Twins.CallAsync(async, () => settings.ProviderKeys.Set("openai", "sk-0123456789abcdef"), () => settings.ProviderKeys.SetAsync("openai", "sk-0123456789abcdef"));
        Assert.Equal(("sk-...cdef", "openai"), (key.Masked, (await Twins.CallAsync(async, () => settings.ProviderKeys.List(), () => settings.ProviderKeys.ListAsync())).Single().Provider));
        await Twins.CallAsync(async, () => settings.ProviderKeys.Delete("openai"), () => settings.ProviderKeys.DeleteAsync("openai"));
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => settings.ProviderKeys.Delete("openai"), () => settings.ProviderKeys.DeleteAsync("openai")));

        var region = (await Twins.CallAsync(async, () => regions.List(), () => regions.ListAsync())).Single();
        Assert.Equal((true, RegionStatus.Live, region.Slug), (region.Available, region.Status, (await Twins.CallAsync(async, () => settings.ListRegions(), () => settings.ListRegionsAsync())).Single().Slug));
        Assert.Equal(region.Name, (await Twins.CallAsync(async, () => regions.Get(region.Slug), () => regions.GetAsync(region.Slug))).Name);
        await Assert.ThrowsAsync<NotFoundException>(() => Twins.CallAsync(async, () => regions.Get("moon"), () => regions.GetAsync("moon")));
        Assert.Contains(await Twins.CallAsync(async, () => regions.ListSizes(), () => regions.ListSizesAsync()), size => size is { Slug: "xs", Available: true });
        Assert.Equal(["miosa-embed-small"], (await Twins.CallAsync(async, () => settings.ListAvailableModels(), () => settings.ListAvailableModelsAsync())).Select(model => model.Id));
        var template = (await Twins.CallAsync(async, () => regions.ListTemplates(), () => regions.ListTemplatesAsync())).First(one => one.Slug == "miosa-sandbox");
        Assert.Equal(template, await Twins.CallAsync(async, () => regions.GetTemplate(template.Id), () => regions.GetTemplateAsync(template.Id)));
        var catalog = await Twins.CallAsync(async, () => regions.GetCatalog(), () => regions.GetCatalogAsync());
        Assert.Contains(catalog.Products.SelectMany(product => product.Templates), one => one.Id == template.Id && one.ArtifactReadiness.All(readiness => readiness.State == ArtifactStates.ColdBootOnly));
    }
}
