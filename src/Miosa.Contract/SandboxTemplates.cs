using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Miosa;

/// <summary>States of a template.</summary>
public static class TemplateStatus
{
    /// <summary>No build has ended yet, and none is under way.</summary>
    public const string Pending = "pending";

    /// <summary>Its first build is under way.</summary>
    public const string Building = "building";

    /// <summary>Sandboxes can be made of it.</summary>
    public const string Ready = "ready";

    /// <summary>Its build failed and there is no earlier one.</summary>
    public const string Failed = "failed";
}

/// <summary>What sandboxes are made of: an image and the defaults that go with it.</summary>
public sealed record SandboxTemplate
{
    /// <summary>Id: <c>tpl_…</c>, or the slug of an official one.</summary>
    public required string Id { get; init; }

    /// <summary>The owner; null for an official one.</summary>
    public string? TenantId { get; init; }

    /// <summary>Name.</summary>
    public required string Name { get; init; }

    /// <summary>Short name, usable wherever an image is asked for.</summary>
    public required string Slug { get; init; }

    /// <summary>What it is for.</summary>
    public string? Description { get; init; }

    /// <summary>The image it stands on, as given.</summary>
    public string? Image { get; init; }

    /// <summary>The image its sandboxes are made of; null until a build succeeded.</summary>
    public string? ImageId { get; init; }

    /// <summary>The image that its build made; null when it uses another one as it is.</summary>
    public string? ImageRef { get; init; }

    /// <summary>One of <see cref="TemplateStatus"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Same as <see cref="Status"/>.</summary>
    public string? State { get; init; }

    /// <summary>True: it came with the server and cannot be deleted.</summary>
    public bool BuiltIn { get; init; }

    /// <summary>Same as <see cref="BuiltIn"/>.</summary>
    public bool IsOfficial { get; init; }

    /// <summary>Group in a catalogue.</summary>
    public string? Category { get; init; }

    /// <summary>Virtual CPUs of a sandbox that asks for none.</summary>
    public int Vcpus { get; init; }

    /// <summary>Same as <see cref="Vcpus"/>.</summary>
    public int CpuCount { get; init; }

    /// <summary>Memory in MiB of a sandbox that asks for none.</summary>
    public int MemoryMb { get; init; }

    /// <summary>Disk in MiB of a sandbox that asks for none.</summary>
    public int DiskMb { get; init; }

    /// <summary>Isolation of a sandbox that asks for none: a value of <see cref="SandboxIsolation"/>.</summary>
    public string? Isolation { get; init; }

    /// <summary>The folder commands start in.</summary>
    public string Workdir { get; init; } = "/workspace";

    /// <summary>The port its program listens on.</summary>
    public int? PreviewPort { get; init; }

    /// <summary>What <c>template/start</c> runs first.</summary>
    public string? InstallCommand { get; init; }

    /// <summary>What <c>template/start</c> leaves running.</summary>
    public string? StartCommand { get; init; }

    /// <summary>What tells that its program is up.</summary>
    public JsonObject? ReadinessProbe { get; init; }

    /// <summary>Paths that hold its results.</summary>
    public IReadOnlyList<string> ArtifactPaths { get; init; } = [];

    /// <summary>Languages it is for.</summary>
    public IReadOnlyList<string> Runtimes { get; init; } = [];

    /// <summary>Labels.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Other ids.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The recipe; of the files of its context only names and sizes are told. Null for an official one.</summary>
    public JsonObject? BuildSpec { get; init; }

    /// <summary>The build whose image is in use.</summary>
    public string? CurrentBuildId { get; init; }

    /// <summary>Your own data.</summary>
    public JsonObject Metadata { get; init; } = [];

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>All templates the tenant can use.</summary>
public sealed record SandboxTemplateList
{
    /// <summary>Own ones first, newest first, then the official ones.</summary>
    public required IReadOnlyList<SandboxTemplate> Data { get; init; }

    /// <summary>What a sandbox is made of that names none.</summary>
    public string? DefaultTemplateId { get; init; }
}

/// <summary>A new template: a name, and an image or a recipe.</summary>
public sealed record CreateSandboxTemplateRequest
{
    /// <summary>Name, 1 to 255 characters, unique among the tenant's templates.</summary>
    public required string Name { get; init; }

    /// <summary>The image or template to stand on; the same as a recipe of <see cref="BuildSpec.From"/> alone.</summary>
    public string? Image { get; init; }

    /// <summary>The recipe.</summary>
    public BuildSpec? BuildSpec { get; init; }

    /// <summary>Short name: lower-case letters, digits and inner hyphens, 1 to 63. Default: made of the name.</summary>
    public string? Slug { get; init; }

    /// <summary>What it is for, at most 4096 characters.</summary>
    public string? Description { get; init; }

    /// <summary>Isolation of its sandboxes unless they ask for another: a value of <see cref="SandboxIsolation"/>.</summary>
    public string? Isolation { get; init; }

    /// <summary>Your own data.</summary>
    public JsonObject? Metadata { get; init; }
}

/// <summary>How the image of a template is made, and what its sandboxes get unless they ask for something else.</summary>
/// <example>
/// <code>
/// new BuildSpec
/// {
///     Dockerfile = "FROM miosa-sandbox\nCOPY app.py /app/\nWORKDIR /app\nCMD python3 app.py",
///     Context = new() { ["app.py"] = "print('hello')" },
/// }
/// </code>
/// </example>
public sealed record BuildSpec
{
    /// <summary>The template or image to begin with: an id, slug or name, or an image of a registry (<c>docker.io/library/alpine:3.20</c>). A Dockerfile says it itself.</summary>
    public string? From { get; init; }

    /// <summary>For the registry of <see cref="From"/>; it is used for one build and kept nowhere.</summary>
    public RegistryAuth? FromAuth { get; init; }

    /// <summary>A Dockerfile: FROM, RUN, COPY, ADD, ENV, ARG, WORKDIR, USER, CMD, ENTRYPOINT, EXPOSE and LABEL. Instead of <see cref="Steps"/>.</summary>
    public string? Dockerfile { get; init; }

    /// <summary>Files that COPY takes, by relative path; a text, or an object <c>{"base64": "…"}</c>. At most 8 MiB together.</summary>
    public JsonObject? Context { get; init; }

    /// <summary>Values of the Dockerfile's ARGs.</summary>
    public IReadOnlyDictionary<string, string>? Args { get; init; }

    /// <summary>Steps: <c>{"run": "…"}</c>, <c>{"copy": "file", "to": "/app/"}</c>, <c>{"env": {…}}</c>, <c>{"workdir": "/app"}</c>, <c>{"user": "node"}</c>. At most 200.</summary>
    public IReadOnlyList<JsonObject>? Steps { get; init; }

    /// <summary>Debian packages. With <see cref="From"/> <c>debian:bookworm</c> or <c>debian:trixie</c> the image is a new system of these; with anything else they are installed with apt inside.</summary>
    public IReadOnlyList<string>? Packages { get; init; }

    /// <summary>Environment of every command.</summary>
    public IReadOnlyDictionary<string, string>? Env { get; init; }

    /// <summary>The folder commands start in. Default: that of the image.</summary>
    public string? Workdir { get; init; }

    /// <summary>The user commands run as. Default: that of the image.</summary>
    public string? User { get; init; }

    /// <summary>Virtual CPUs of its sandboxes and of the build. Default: size small.</summary>
    [JsonPropertyName("vcpu")]
    public int? Vcpu { get; init; }

    /// <summary>Memory in MiB. Default: size small.</summary>
    [JsonPropertyName("memoryMib")]
    public int? MemoryMib { get; init; }

    /// <summary>Disk in MiB. Default: size small.</summary>
    [JsonPropertyName("diskMib")]
    public int? DiskMib { get; init; }

    /// <summary>What <c>template/start</c> runs first.</summary>
    [JsonPropertyName("installCmd")]
    public string? InstallCmd { get; init; }

    /// <summary>What <c>template/start</c> leaves running. Default: ENTRYPOINT and CMD of the Dockerfile.</summary>
    [JsonPropertyName("startCmd")]
    public string? StartCmd { get; init; }

    /// <summary>A command that ends with 0 once the program is up.</summary>
    [JsonPropertyName("readyCmd")]
    public string? ReadyCmd { get; init; }

    /// <summary>The port the program listens on. Default: the first of EXPOSE.</summary>
    [JsonPropertyName("previewPort")]
    public int? PreviewPort { get; init; }

    /// <summary>Paths that hold results.</summary>
    [JsonPropertyName("artifactPaths")]
    public IReadOnlyList<string>? ArtifactPaths { get; init; }

    /// <summary>Seconds a build may take. Default and maximum: the server's.</summary>
    [JsonPropertyName("timeoutSec")]
    public int? TimeoutSec { get; init; }
}

/// <summary>Who asks a registry.</summary>
public sealed record RegistryAuth
{
    /// <summary>Name.</summary>
    public required string Username { get; init; }

    /// <summary>Password or token.</summary>
    public required string Password { get; init; }
}

/// <summary>A recipe to check.</summary>
public sealed record ValidateBuildSpecRequest
{
    /// <summary>The recipe.</summary>
    public required BuildSpec BuildSpec { get; init; }
}

/// <summary>What is wrong with a recipe.</summary>
public sealed record BuildSpecValidation
{
    /// <summary>True: nothing.</summary>
    public bool Valid { get; init; }

    /// <summary>Every fault as <c>field: message</c>.</summary>
    public required IReadOnlyList<string> Errors { get; init; }

    /// <summary>The recipe as it is understood, when it is valid.</summary>
    public JsonObject? BuildSpec { get; init; }

    /// <summary>The same with faults as objects.</summary>
    public required BuildSpecReport Data { get; init; }
}

/// <summary>What is wrong with a recipe, fault by fault.</summary>
public sealed record BuildSpecReport
{
    /// <summary>True: nothing.</summary>
    public bool Valid { get; init; }

    /// <summary>The faults.</summary>
    public required IReadOnlyList<BuildSpecIssue> Errors { get; init; }

    /// <summary>The recipe as it is understood, when it is valid.</summary>
    public JsonObject? BuildSpec { get; init; }
}

/// <summary>One fault of a recipe.</summary>
public sealed record BuildSpecIssue
{
    /// <summary><c>REQUIRED</c> or <c>INVALID</c>.</summary>
    public required string Code { get; init; }

    /// <summary>The field.</summary>
    public required string Field { get; init; }

    /// <summary>What is wrong with it.</summary>
    public required string Message { get; init; }
}

/// <summary>What the start of a template's program should be; all optional.</summary>
public sealed record TemplateStartRequest
{
    /// <summary>Run the install command. Default true.</summary>
    public bool? Install { get; init; }

    /// <summary>Instead of the template's.</summary>
    public string? InstallCommand { get; init; }

    /// <summary>Instead of the template's.</summary>
    public string? StartCommand { get; init; }

    /// <summary>Seconds the install command may take, 1 to 3600. Default 600.</summary>
    public int? InstallTimeoutSec { get; init; }

    /// <summary>Seconds until the program must be up, 1 to 3600. Default 60.</summary>
    public int? StartTimeoutSec { get; init; }

    /// <summary>The port it listens on. Default: the template's.</summary>
    public int? Port { get; init; }

    /// <summary>The folder both commands run in. Default: the template's.</summary>
    public string? Workdir { get; init; }

    /// <summary>What tells that it is up. Default: the template's check, else its port.</summary>
    public JsonObject? ReadinessProbe { get; init; }
}

/// <summary>What became of the start of a template's program.</summary>
public sealed record TemplateStartResult
{
    /// <summary><c>running</c>.</summary>
    public required string State { get; init; }

    /// <summary>Where it can be seen.</summary>
    public string? PreviewUrl { get; init; }

    /// <summary>Its process in the sandbox; a text of digits.</summary>
    public string? Pid { get; init; }

    /// <summary>The port it listens on.</summary>
    public int? Port { get; init; }
}
