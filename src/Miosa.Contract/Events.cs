using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>Names of events: a sandbox's but where another subject is named.</summary>
public static class EventNames
{
    /// <summary>The sandbox exists.</summary>
    public const string SandboxCreated = "sandbox.created";

    /// <summary>It accepts commands.</summary>
    public const string SandboxReady = "sandbox.ready";

    /// <summary>It was frozen.</summary>
    public const string SandboxPaused = "sandbox.paused";

    /// <summary>It runs again.</summary>
    public const string SandboxResumed = "sandbox.resumed";

    /// <summary>It failed; <c>data.reason</c> says why.</summary>
    public const string SandboxError = "sandbox.error";

    /// <summary>It is gone; the last event of a sandbox.</summary>
    public const string SandboxDestroyed = "sandbox.destroyed";

    /// <summary>Its fields were changed.</summary>
    public const string SandboxUpdated = "sandbox.updated";

    /// <summary>A snapshot of it was taken; <c>data.snapshot_id</c> says which.</summary>
    public const string SandboxSnapshotReady = "sandbox.snapshot.ready";

    /// <summary>Provisioning began.</summary>
    public const string BuildStarted = "build.started";

    /// <summary>Provisioning ended well.</summary>
    public const string BuildCompleted = "build.completed";

    /// <summary>Provisioning failed.</summary>
    public const string BuildFailed = "build.failed";

    /// <summary>Provisioning took too long.</summary>
    public const string BuildTimedOut = "build.timed_out";

    /// <summary>The tenant's preview domain was proven: previews are served on it; <c>data.domain</c> says which. No sandbox's.</summary>
    public const string PreviewDomainVerified = "tenant.preview_domain.verified";

    /// <summary>The record that proved the tenant's preview domain was gone for too long: previews are not served on it any more. No sandbox's.</summary>
    public const string PreviewDomainLapsed = "tenant.preview_domain.lapsed";
}

/// <summary>One event of a sandbox.</summary>
public sealed record SandboxEvent
{
    /// <summary>Name, such as <see cref="EventNames.SandboxReady"/>.</summary>
    public required string Type { get; init; }

    /// <summary>The sandbox.</summary>
    public string? Id { get; init; }

    /// <summary>Event id, <c>evt_…</c>; a stream can be resumed after it.</summary>
    public string? EventId { get; init; }

    /// <summary>The sandbox.</summary>
    public required string SandboxId { get; init; }

    /// <summary>The tenant.</summary>
    public string? TenantId { get; init; }

    /// <summary>When it happened.</summary>
    public DateTimeOffset Ts { get; init; }

    /// <summary>State of the sandbox after it.</summary>
    public string? Status { get; init; }

    /// <summary>Fields of this type of event.</summary>
    public JsonObject Data { get; init; } = [];
}

/// <summary>Whether a sandbox is ready.</summary>
public sealed record Readiness
{
    /// <summary>Accepts commands and passed its probe.</summary>
    public bool Ready { get; init; }

    /// <summary><c>ready</c>, <c>pending</c>, <c>error</c> or <c>destroyed</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Life-cycle state.</summary>
    public string? State { get; init; }

    /// <summary>When it became ready.</summary>
    public DateTimeOffset? ReadyAt { get; init; }

    /// <summary>Why not.</summary>
    public string? Reason { get; init; }
}
