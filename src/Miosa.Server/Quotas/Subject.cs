namespace Miosa.Server.Quotas;

/// <summary>Somebody whose machines are counted. <paramref name="Kind"/> is one of <see cref="QuotaSubject"/>; <paramref name="Name"/> is empty for the tenant.</summary>
internal sealed record Subject(string Kind, string TenantId, string Name)
{
    public string? ExternalUserId => Kind == QuotaSubject.User ? Name : null;

    public string? WorkspaceId => Kind == QuotaSubject.Workspace ? Name : null;

    /// <summary>Wire name of what <see cref="Name"/> is; null for the tenant.</summary>
    public string? Field => Kind switch
    {
        QuotaSubject.User => "external_user_id",
        QuotaSubject.Workspace => "workspace_id",
        _ => null,
    };

    public string Told => Kind switch
    {
        QuotaSubject.User => $"the external user \"{(Name.Length <= 80 ? Name : Name[..80] + "…")}\"",
        QuotaSubject.Workspace => $"the workspace {Name}",
        _ => "the tenant",
    };

    /// <summary>Condition on the living machines of this subject; its parameters are <c>$tenant</c> and <c>$name</c>.</summary>
    public string Machines => Kind switch
    {
        QuotaSubject.User => "m.TenantId = $tenant AND m.ExternalUserId = $name AND m.State <> 'destroyed'",
        QuotaSubject.Workspace => "m.TenantId = $tenant AND m.WorkspaceId = $name AND m.State <> 'destroyed'",
        _ => "m.TenantId = $tenant AND m.State <> 'destroyed'",
    };
}
