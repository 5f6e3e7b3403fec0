using System.Text.Json.Nodes;

namespace Miosa;

/// <summary>States of a build.</summary>
public static class BuildStatus
{
    /// <summary>Waits for its turn.</summary>
    public const string Queued = "queued";

    /// <summary>Its steps run.</summary>
    public const string Building = "building";

    /// <summary>Its image is written.</summary>
    public const string Snapshotting = "snapshotting";

    /// <summary>Ended well.</summary>
    public const string Ready = "ready";

    /// <summary>Ended badly; <see cref="SandboxTemplateBuild.ErrorMessage"/> says why.</summary>
    public const string Failed = "failed";

    /// <summary>Ended because its template was deleted.</summary>
    public const string Cancelled = "cancelled";
}

/// <summary>One build of a template.</summary>
public sealed record SandboxTemplateBuild
{
    /// <summary>Id, <c>bld_…</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The template.</summary>
    public required string TemplateId { get; init; }

    /// <summary>Same as <see cref="TemplateId"/>.</summary>
    public required string SandboxTemplateId { get; init; }

    /// <summary><c>build_spec</c> or <c>dockerfile</c>.</summary>
    public string? SourceType { get; init; }

    /// <summary>One of <see cref="BuildStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Same as <see cref="Status"/>.</summary>
    public required string State { get; init; }

    /// <summary>The image it made.</summary>
    public string? ImageId { get; init; }

    /// <summary>Always null: images have no path here.</summary>
    public string? RootfsPath { get; init; }

    /// <summary>Facts of the image: <c>digest</c>, <c>size_bytes</c>.</summary>
    public JsonObject SnapshotManifest { get; init; } = [];

    /// <summary>Where its log can be streamed.</summary>
    public string? LogUrl { get; init; }

    /// <summary>Same as <see cref="ErrorMessage"/>.</summary>
    public string? Error { get; init; }

    /// <summary><c>STEP_FAILED</c>, <c>BUILD_TIMED_OUT</c>, <c>SERVER_STOPPED</c>, <c>IMAGE_UNAVAILABLE</c>, <c>CANCELLED</c> or <c>BUILD_FAILED</c>.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Why it failed.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Its recipe; of the files of its context only names and sizes are told.</summary>
    public JsonObject BuildSpec { get; init; } = [];

    /// <summary>How long it took.</summary>
    public long? DurationMs { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>When it was asked for.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Same as <see cref="CreatedAt"/>.</summary>
    public DateTimeOffset InsertedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>The builds of a template, newest first.</summary>
public sealed record SandboxTemplateBuildList
{
    /// <summary>The builds.</summary>
    public required IReadOnlyList<SandboxTemplateBuild> Data { get; init; }
}

/// <summary>Another build of a template.</summary>
public sealed record CreateSandboxTemplateBuildRequest
{
    /// <summary>The recipe. Default: the template's. When the build succeeds it becomes the template's.</summary>
    public BuildSpec? BuildSpec { get; init; }

    /// <summary>Replaces the template's data when the build succeeds.</summary>
    public JsonObject? Metadata { get; init; }
}

/// <summary>One event of a build's log: a line, or how it ended.</summary>
public sealed record TemplateBuildEvent
{
    /// <summary><c>log</c>, <c>build.completed</c>, <c>build.failed</c> or <c>build.timed_out</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Of a line: <c>stdout</c> or <c>stderr</c> of a command; <c>system</c> for what the build itself says.</summary>
    public string? Stream { get; init; }

    /// <summary>The line.</summary>
    public string? Line { get; init; }

    /// <summary>When it was written.</summary>
    public DateTimeOffset? Ts { get; init; }

    /// <summary>The build, of an event that ends it.</summary>
    public string? BuildId { get; init; }

    /// <summary>The template, of an event that ends it.</summary>
    public string? TemplateId { get; init; }

    /// <summary>One of <see cref="BuildStatus"/>, of an event that ends it.</summary>
    public string? Status { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }
}
