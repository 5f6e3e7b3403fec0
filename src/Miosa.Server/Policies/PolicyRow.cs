using Miosa.Server.Sandboxes;

namespace Miosa.Server.Policies;

/// <summary>The policy of a tenant; a tenant without one has no row.</summary>
internal sealed record PolicyRow
{
    public required string TenantId { get; init; }
    public int? DefaultTimeoutSec { get; init; }
    public int? DefaultIdleTimeoutSec { get; init; }
    public int? MaxSandboxes { get; init; }
    public DateTimeOffset UpdatedAt { get; init; }

    public DefaultsLayer Defaults => new() { TimeoutSec = DefaultTimeoutSec, IdleTimeoutSec = DefaultIdleTimeoutSec };
}
