using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>Liveness of a server.</summary>
public sealed record HealthStatus
{
    /// <summary><c>ok</c> or <c>degraded</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Server version.</summary>
    public string? Version { get; init; }

    /// <summary>Component to state.</summary>
    public JsonObject Checks { get; init; } = [];

    /// <summary>The server's clock.</summary>
    public DateTimeOffset Time { get; init; }
}

/// <summary>What a server is.</summary>
public sealed record VersionInfo
{
    /// <summary>Server version.</summary>
    public required string Version { get; init; }

    /// <summary>Contract version.</summary>
    public string ApiVersion { get; init; } = "v1";

    /// <summary>Source revision.</summary>
    public string? Commit { get; init; }

    /// <summary>Oldest client supported.</summary>
    public string? MinClientVersion { get; init; }
}
