using Miosa.Server.Host;
using Miosa.Server.Policies;
using Miosa.Server.Sandboxes;
using Miosa.Server.Storage;

namespace Miosa.Server.Settings;

/// <summary>The layers of a tenant's defaults, from memory.</summary>
internal sealed class TenantDefaults(TenantRows<TenantSettingsRow> rows, TenantRows<PolicyRow> policies, ServerSettings settings)
{
    public Defaults Of(string tenantId) => Defaults.Of(settings, rows.Of(tenantId)?.Defaults, policies.Of(tenantId)?.Defaults);
}
