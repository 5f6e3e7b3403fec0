using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>What a copy of a sandbox should look like; what is null is as the source has it.</summary>
public sealed record ForkSandboxRequest
{
    /// <summary>A snapshot of the sandbox to copy. Default: the files as they are now.</summary>
    public string? SnapshotId { get; init; }

    /// <summary>
    /// True: what runs in the source goes on in the copy, too; only with isolation <c>gvisor</c>. Default: what the snapshot has, if one is named, else false.
    /// </summary>
    public bool? Memory { get; init; }

    /// <summary>Name of the copy, unique among the tenant's living sandboxes. Default: none.</summary>
    public string? Name { get; init; }

    /// <summary>URL-safe name of the copy. Default: made by the server.</summary>
    public string? Slug { get; init; }

    /// <summary>The caller's own user reference. Default: the source's.</summary>
    public string? ExternalUserId { get; init; }

    /// <summary>What the copy may reach. Default: what the source may.</summary>
    public SandboxEgress? Egress { get; init; }

    /// <summary>Free key-value data. Default: the source's.</summary>
    public JsonObject? Metadata { get; init; }

    /// <summary>Life limit in seconds, 1 to 2,592,000. Default: the source's.</summary>
    public int? TimeoutSec { get; init; }
}
