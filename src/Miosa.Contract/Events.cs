using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>
/// Names of events. A subscription takes names, and globs such as <c>sandbox.*</c> or <c>*</c>. Some have a second name, which is understood wherever the first is:
/// <c>sandbox.running</c> is <see cref="SandboxReady"/>, <c>computer.running</c> is <see cref="ComputerStarted"/>, <c>computer.destroyed</c> is
/// <see cref="ComputerDeleted"/>, <c>webhook.disabled</c> is <see cref="WebhookFailed"/>.
/// </summary>
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

    /// <summary>The computer exists. This and the other events of computers come once the server has computers.</summary>
    public const string ComputerCreated = "computer.created";

    /// <summary>The computer runs.</summary>
    public const string ComputerStarted = "computer.started";

    /// <summary>The computer was stopped.</summary>
    public const string ComputerStopped = "computer.stopped";

    /// <summary>The computer was stopped and started.</summary>
    public const string ComputerRestarted = "computer.restarted";

    /// <summary>The computer failed; <c>data.reason</c> says why.</summary>
    public const string ComputerError = "computer.error";

    /// <summary>The computer is gone.</summary>
    public const string ComputerDeleted = "computer.deleted";

    /// <summary>A workspace was made; <c>data</c> has <c>workspace_id</c>, <c>slug</c> and <c>name</c>. No sandbox's.</summary>
    public const string WorkspaceCreated = "workspace.created";

    /// <summary>A workspace was deleted; <c>data</c> as of <see cref="WorkspaceCreated"/>. No sandbox's.</summary>
    public const string WorkspaceDeleted = "workspace.deleted";

    /// <summary>A quota is used to 80 %; <c>data</c> has <c>subject</c>, <c>what</c>, <c>limit</c> and <c>current</c>. No sandbox's; told once for each time the mark is passed.</summary>
    public const string QuotaWarning = "quota.warning";

    /// <summary>Sent when a webhook is tested, to that webhook alone.</summary>
    public const string WebhookTest = "webhook.test";

    /// <summary>A webhook was switched off after a day of failures; <c>data.id</c> says which. It is not told to that webhook itself.</summary>
    public const string WebhookFailed = "webhook.failed";

    /// <summary>Second names, each with the name that it stands for.</summary>
    public static IReadOnlyDictionary<string, string> Aliases { get; } = new Dictionary<string, string>
    {
        ["sandbox.running"] = SandboxReady,
        ["computer.running"] = ComputerStarted,
        ["computer.destroyed"] = ComputerDeleted,
        ["webhook.disabled"] = WebhookFailed,
    };
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

    /// <summary>The sandbox as it was then (id, state, name, slug, metadata, preview_url, workspace_id, external_*_id), and the fields of this type of event.</summary>
    public JsonObject Data { get; init; } = [];
}

/// <summary>One event of a tenant.</summary>
public sealed record TenantEvent
{
    /// <summary>Name, such as <see cref="EventNames.SandboxReady"/>.</summary>
    public required string Type { get; init; }

    /// <summary>The same as <see cref="Type"/>.</summary>
    public string? Event { get; init; }

    /// <summary>Event id, <c>evt_…</c>; a stream can be resumed after it.</summary>
    public string? EventId { get; init; }

    /// <summary>What it is about: a sandbox, a workspace, a webhook; not the event.</summary>
    public required string Id { get; init; }

    /// <summary>The sandbox, when it is about one.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public string? SandboxId { get; init; }

    /// <summary>The tenant.</summary>
    public required string TenantId { get; init; }

    /// <summary>The workspace, where there is one.</summary>
    public string? WorkspaceId { get; init; }

    /// <summary>When it happened.</summary>
    public required DateTimeOffset Ts { get; init; }

    /// <summary>The same as <see cref="Ts"/>.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>State of the thing after it, where it has one.</summary>
    public string? Status { get; init; }

    /// <summary>The thing as it was then (id, state, external_*_id, metadata), and the fields of this type of event; a webhook gets the same.</summary>
    public JsonObject Data { get; init; } = [];
}

/// <summary>Lets a browser open one event stream, to which it cannot send an API key.</summary>
public sealed record SseTicket
{
    /// <summary>Sent as <c>?ticket=</c>; it works once.</summary>
    public required string Ticket { get; init; }

    /// <summary>Seconds it can be used.</summary>
    public required int ExpiresIn { get; init; }
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
