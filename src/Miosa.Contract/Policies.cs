using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>Rules that an operator of the tenant sets for all its sandboxes. What is null has no rule.</summary>
public sealed record GovernancePolicy
{
    /// <summary>Time limits.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PolicyLifecycle? Lifecycle { get; init; }

    /// <summary>Caps.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PolicyQuotas? Quotas { get; init; }
}

/// <summary>Time limits of sandboxes whose creation names none. Settings of the tenant go before them.</summary>
public sealed record PolicyLifecycle
{
    /// <summary>Idle limit in seconds, 0 for none, at most 2,592,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? DefaultIdleTimeoutSec { get; init; }

    /// <summary>Life limit in seconds, 1 to 2,592,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? DefaultTimeoutSec { get; init; }
}

/// <summary>Caps of a tenant.</summary>
public sealed record PolicyQuotas
{
    /// <summary>Most sandboxes the tenant has at a time, paused ones included; 0 to 1,000,000.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? MaxSandboxes { get; init; }
}
