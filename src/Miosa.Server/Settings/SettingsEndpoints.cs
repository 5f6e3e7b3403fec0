using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Miosa.Server.Host;
using Miosa.Server.Models;
using Miosa.Server.PreviewDomains;
using Miosa.Server.Sandboxes;
using Miosa.Server.Storage;
using Miosa.Server.Templates;

namespace Miosa.Server.Settings;

/// <summary>The settings of a tenant: what its creates take where they name nothing.</summary>
internal sealed class SettingsEndpoints(
    TenantRows<TenantSettingsRow> rows, TenantDefaults defaults, PreviewDomainSet domains, TemplateSet templates, Sizes sizes, Database database, ServerSettings settings, TimeProvider time)
{
    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<SettingsEndpoints>();
        api.Map("GET", "/settings", it.GetAsync).Needs(Scopes.SettingsRead);
        foreach (var method in (string[])["PUT", "PATCH"])
            api.Map(method, "/settings", it.UpdateAsync).Needs(Scopes.SettingsWrite);
        var models = api.ServiceProvider.GetRequiredService<ModelSet>();
        api.Map("GET", "/settings/available-models", _ => Task.FromResult(Reply.Bare(new LlmModelList { Data = models.All }, WireJson.Default.LlmModelList))).Needs(Scopes.SettingsRead);
    }

    private Task<IResult> GetAsync(HttpContext context) => ToldAsync(context, rows.Of(context.Caller().TenantId));

    private async Task<IResult> UpdateAsync(HttpContext context)
    {
        var tenant = context.Caller().TenantId;
        var (fields, refusal) = await SettingsFields.ReadAsync(context);
        if (fields is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        // A template that is still being built may be the default: by the first create it may be ready.
        var image = fields.NewImage is { } name ? await templates.ResolveAsync(tenant, name, "default_image", context.RequestAborted) : default;
        var unknown = image.Refusal is { Code: ErrorCodes.ValidationError, Details: { } details } ? details["default_image"]?.GetValue<string>() : null;
        if (fields.Check(sizes, settings, domains.Of(tenant)?.Domain, unknown) is { } faults)
            return Reply.Refuse(faults);
        var now = time.GetUtcNow();
        Refusal? excess = null;
        var row = await rows.ChangeAsync(
            tenant,
            (_, old) =>
            {
                var changed = fields.Over(old ?? new TenantSettingsRow { TenantId = tenant }) with { UpdatedAt = now };
                excess = SettingsFields.Excess(changed);
                return excess is null ? changed : old;
            },
            context.RequestAborted);
        return excess is null ? await ToldAsync(context, row) : Reply.Refuse(excess);
    }

    /// <summary>What holds, not what is stored: a size or an idle limit always does. The values stand flat and once more under <c>settings</c>.</summary>
    private async Task<IResult> ToldAsync(HttpContext context, TenantSettingsRow? row)
    {
        var tenant = context.Caller().TenantId;
        var holds = defaults.Of(tenant);
        var told = new TenantSettings
        {
            DefaultComputerSize = holds.Size,
            AutoStopDefault = holds.IdleTimeoutSec,
            DefaultRegion = row?.DefaultRegion,
            DeploymentDomain = row?.DeploymentDomain,
            PreviewDomain = domains.Of(tenant)?.Domain,
            DefaultSandboxTimeoutSec = row?.DefaultSandboxTimeoutSec,
            DefaultImage = row?.DefaultImage,
            Id = "set_" + tenant[(tenant.IndexOf('_', StringComparison.Ordinal) + 1)..],
            TenantId = tenant,
            UpdatedAt = row?.UpdatedAt ?? await CreatedAtAsync(tenant, context.RequestAborted),
        };
        var values = new JsonObject
        {
            ["default_computer_size"] = told.DefaultComputerSize,
            ["auto_stop_default"] = told.AutoStopDefault,
            ["default_region"] = told.DefaultRegion,
            ["deployment_domain"] = told.DeploymentDomain,
            ["preview_domain"] = told.PreviewDomain,
            ["default_sandbox_timeout_sec"] = told.DefaultSandboxTimeoutSec,
            ["default_image"] = told.DefaultImage,
        };
        var own = JsonNode.Parse(row?.Other ?? "{}") as JsonObject ?? [];
        foreach (var (name, value) in own)
            values[name] = value?.DeepClone();
        var body = JsonSerializer.SerializeToNode(told with { Settings = values }, WireJson.Default.TenantSettings) as JsonObject ?? [];
        foreach (var (name, value) in own)
            body[name] = value?.DeepClone();
        return Reply.One(body, WireJson.Default.JsonObject);
    }

    private async Task<DateTimeOffset> CreatedAtAsync(string tenant, CancellationToken ct)
    {
        await using var db = database.Read();
        return await db.Tenants.Where(t => t.Id == tenant).Select(t => t.CreatedAt).FirstAsync(ct);
    }
}
