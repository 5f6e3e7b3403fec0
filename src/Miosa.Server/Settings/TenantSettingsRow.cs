using Miosa.Server.Sandboxes;

namespace Miosa.Server.Settings;

/// <summary>What a tenant set of its settings; null is not set. A tenant that never set any has no row.</summary>
internal sealed record TenantSettingsRow
{
    public required string TenantId { get; init; }
    public string? DefaultComputerSize { get; init; }
    public int? AutoStopDefault { get; init; }
    public string? DefaultRegion { get; init; }
    public string? DeploymentDomain { get; init; }
    public int? DefaultSandboxTimeoutSec { get; init; }
    public string? DefaultImage { get; init; }

    /// <summary>JSON object of settings that are the tenant's own business.</summary>
    public string Other { get; init; } = "{}";
    public DateTimeOffset UpdatedAt { get; init; }

    public DefaultsLayer Defaults => new()
    {
        Image = DefaultImage,
        Size = DefaultComputerSize,
        Region = DefaultRegion,
        TimeoutSec = DefaultSandboxTimeoutSec,
        IdleTimeoutSec = AutoStopDefault,
    };
}
