using Miosa.Http;

namespace Miosa;

/// <summary>
/// What only administrators of a server may do, with a key <c>msk_p_…</c> that is made on the server. To work in a tenant with such a key, name it in
/// <see cref="MiosaOptions.Tenant"/>.
/// </summary>
/// <example>
/// <code>
/// using var admin = new MiosaClient(apiKey: "msk_p_…");
/// var tenant = await admin.Admin.Tenants.CreateAsync("acme");
/// var key = await admin.Admin.Tenants.CreateKeyAsync(tenant.Id, new() { Name = "first" });
/// using var client = new MiosaClient(key.Token);
/// </code>
/// </example>
public sealed class Admin
{
    internal Admin(Pipeline pipeline)
    {
        Tenants = new Tenants(pipeline);
        AuditLog = new AuditLog(pipeline, "/admin/audit-log");
    }

    /// <summary>The tenants of the server, and their keys.</summary>
    public Tenants Tenants { get; }

    /// <summary>The audit log of every tenant, and of what administrators did.</summary>
    public AuditLog AuditLog { get; }
}
