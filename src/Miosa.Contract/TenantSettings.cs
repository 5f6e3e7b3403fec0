using System.ComponentModel;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>Settings of a tenant, as they hold: what was not set shows what holds instead.</summary>
public sealed record TenantSettings
{
    private static readonly string[] Known = ["default_computer_size", "auto_stop_default", "default_region", "deployment_domain", "preview_domain", "default_sandbox_timeout_sec", "default_image"];

    /// <summary>Size of machines whose creation names none.</summary>
    public required string DefaultComputerSize { get; init; }

    /// <summary>Idle limit in seconds of machines whose creation names none; 0 for none.</summary>
    public required int AutoStopDefault { get; init; }

    /// <summary>Region of machines whose creation names none; null for the server's.</summary>
    public string? DefaultRegion { get; init; }

    /// <summary>Kept for you; has no effect on this server.</summary>
    public string? DeploymentDomain { get; init; }

    /// <summary>The tenant's preview domain, proven or not; set it with <c>client.Tenant.PreviewDomain</c>.</summary>
    public string? PreviewDomain { get; init; }

    /// <summary>Life limit in seconds of sandboxes whose creation names none; null for the server's.</summary>
    public int? DefaultSandboxTimeoutSec { get; init; }

    /// <summary>Image or template of sandboxes whose creation names none; null for the server's.</summary>
    public string? DefaultImage { get; init; }

    /// <summary>Id of these settings.</summary>
    public string? Id { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>Last change; the tenant's creation when there was none.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The same values again, with those of your own, as some clients read them.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public JsonObject? Settings { get; init; }

    /// <summary>A copy of the settings of your own, which the server keeps and does not read.</summary>
    [JsonIgnore]
    public JsonObject Other => new((Settings ?? []).Where(pair => !Known.Contains(pair.Key)).Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));
}

/// <summary>Settings to change. What is null stays as it is; <c>client.Settings.ResetAsync</c> takes settings back.</summary>
public sealed record TenantSettingsRequest
{
    /// <summary>Size of machines whose creation names none: one of the server's sizes.</summary>
    public string? DefaultComputerSize { get; init; }

    /// <summary>Idle limit in seconds of machines whose creation names none, 0 (none) to 2,592,000. A persistent sandbox is paused at it, any other destroyed.</summary>
    public int? AutoStopDefault { get; init; }

    /// <summary>Region of machines whose creation names none: one of the server's regions.</summary>
    public string? DefaultRegion { get; init; }

    /// <summary>Kept for you; has no effect on this server.</summary>
    public string? DeploymentDomain { get; init; }

    /// <summary>Life limit in seconds of sandboxes whose creation names none, 1 to 2,592,000.</summary>
    public int? DefaultSandboxTimeoutSec { get; init; }

    /// <summary>Image or template of sandboxes whose creation names none.</summary>
    public string? DefaultImage { get; init; }

    /// <summary>Settings of your own, which the server keeps and does not read: at most 100, together at most 16 KiB of JSON; a null value removes one.</summary>
    [JsonIgnore]
    public JsonObject? Other { get; init; }
}

/// <summary>A stored key of a provider of language models; its text can be read by nobody.</summary>
public sealed record ProviderKey
{
    /// <summary>The provider.</summary>
    public required string Provider { get; init; }

    /// <summary>The ends of the key, by which its owner knows it again.</summary>
    public required string Masked { get; init; }

    /// <summary>When the provider's first key was stored.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When this key was stored.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>A key to store.</summary>
public sealed record ProviderKeyRequest
{
    /// <summary>The secret, 1 to 4,096 characters without blanks.</summary>
    public required string Key { get; init; }
}
