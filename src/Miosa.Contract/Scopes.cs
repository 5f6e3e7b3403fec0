namespace Miosa;

/// <summary>
/// What an API key may do. A key that may write may also read, <see cref="SandboxesWrite"/> includes <see cref="SandboxesCreate"/> and
/// <see cref="SandboxesExec"/>, and <see cref="Admin"/> is everything in the tenant, as is <see cref="All"/>.
/// </summary>
public static class Scopes
{
    /// <summary>Everything in the tenant.</summary>
    public const string All = "*";

    /// <summary>Everything in the tenant; the name that the MIOSA clients use.</summary>
    public const string Admin = "admin";

    /// <summary>See sandboxes, their files and events.</summary>
    public const string SandboxesRead = "sandboxes:read";

    /// <summary>Create, change and destroy sandboxes; run commands; change files.</summary>
    public const string SandboxesWrite = "sandboxes:write";

    /// <summary>Create sandboxes, and nothing else of <see cref="SandboxesWrite"/>.</summary>
    public const string SandboxesCreate = "sandboxes:create";

    /// <summary>Run commands, processes and terminals in sandboxes, and nothing else of <see cref="SandboxesWrite"/>.</summary>
    public const string SandboxesExec = "sandboxes:exec";

    /// <summary>See computers.</summary>
    public const string ComputersRead = "computers:read";

    /// <summary>Create, change, use and delete computers.</summary>
    public const string ComputersWrite = "computers:write";

    /// <summary>See workspaces and their figures.</summary>
    public const string WorkspacesRead = "workspaces:read";

    /// <summary>Create, change and delete workspaces.</summary>
    public const string WorkspacesWrite = "workspaces:write";

    /// <summary>See plan, branding and preview domain of the tenant.</summary>
    public const string TenantRead = "tenant:read";

    /// <summary>Change branding and preview domain of the tenant.</summary>
    public const string TenantWrite = "tenant:write";

    /// <summary>See the settings of the tenant.</summary>
    public const string SettingsRead = "settings:read";

    /// <summary>Change the settings of the tenant.</summary>
    public const string SettingsWrite = "settings:write";

    /// <summary>See usage, credits and analytics.</summary>
    public const string UsageRead = "usage:read";

    /// <summary>See limits of external users and what of them is used.</summary>
    public const string QuotasRead = "quotas:read";

    /// <summary>Set and delete limits of external users.</summary>
    public const string QuotasWrite = "quotas:write";

    /// <summary>See webhooks and their deliveries.</summary>
    public const string WebhooksRead = "webhooks:read";

    /// <summary>Create, change, test and delete webhooks; deliver again.</summary>
    public const string WebhooksWrite = "webhooks:write";

    /// <summary>Follow the events of the whole tenant.</summary>
    public const string EventsRead = "events:read";

    /// <summary>Read the audit log.</summary>
    public const string AuditRead = "audit:read";

    /// <summary>See the API keys of the tenant; never their secrets.</summary>
    public const string ApiKeysRead = "api_keys:read";

    /// <summary>Create API keys that may do no more than the key that creates them, and revoke keys.</summary>
    public const string ApiKeysWrite = "api_keys:write";

    /// <summary>Use language models.</summary>
    public const string IntelligenceUse = "intelligence:use";

    /// <summary>Of groups that this server does not have: a key may carry it, for clients that ask for it, and it opens nothing.</summary>
    public const string DeploymentsRead = "deployments:read";

    /// <inheritdoc cref="DeploymentsRead"/>
    public const string DeploymentsWrite = "deployments:write";

    /// <inheritdoc cref="DeploymentsRead"/>
    public const string DomainsWrite = "domains:write";

    /// <inheritdoc cref="DeploymentsRead"/>
    public const string DataWrite = "data:write";

    /// <summary>Every scope that a key of a tenant can be given; any other is refused.</summary>
    public static IReadOnlyList<string> Known { get; } =
    [
        All, Admin,
        SandboxesRead, SandboxesWrite, SandboxesCreate, SandboxesExec, ComputersRead, ComputersWrite,
        WorkspacesRead, WorkspacesWrite, TenantRead, TenantWrite, SettingsRead, SettingsWrite, UsageRead, QuotasRead, QuotasWrite,
        WebhooksRead, WebhooksWrite, EventsRead, AuditRead, ApiKeysRead, ApiKeysWrite, IntelligenceUse,
        DeploymentsRead, DeploymentsWrite, DomainsWrite, DataWrite,
    ];
}
