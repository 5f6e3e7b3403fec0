using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Egress;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;
using Miosa.Server.Templates;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Sandboxes;

/// <summary>The bodies of create, update, extend and tags: aliases, bounds, and what cannot be honoured. No I/O.</summary>
internal sealed partial class SandboxFields(Sizes sizes, EnvSeal seal, EgressFields egress, IsolationFields isolation, WorkspaceSet workspaces, ServerSettings settings, TimeProvider time)
{
    /// <summary>30 days.</summary>
    public const int MaxTimeoutSec = 2_592_000;
    private const string PersistentInMetadata = "miosa_persistent";

    public static readonly Aliases CreateAliases = new Aliases()
        .Add("template_id", "image", "template", "template_type", "image_id")
        .Add("cpu_count", "vcpus")
        .Add("disk_size_mb", "disk_mb")
        .Add("timeout_sec", "timeout_seconds", "timeout")
        .Add("idle_timeout_sec", "idle_timeout_seconds", "idle_timeout")
        .Add("agent_runtime_profile_id", "agent_profile_id");

    public static readonly Aliases UpdateAliases = new Aliases()
        .Add("cpu_count", "vcpus")
        .Add("disk_size_mb", "disk_mb")
        .Add("timeout_sec", "timeout_seconds", "timeout")
        .Add("idle_timeout_sec", "idle_timeout_seconds", "idle_timeout");

    /// <summary>Refused rather than ignored: the caller would believe it happened.</summary>
    private static readonly string[] NotYet = ["database", "services", "github_repo_url", "github_branch", "github_clone_path"];

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex SlugPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/-]*\z")]
    private static partial Regex ImageName();

    /// <summary>A checked draft in state provisioning, or every fault of the body.</summary>
    /// <param name="template">The tenant's template that <c>template_id</c> names; null for an image.</param>
    /// <param name="defaults">What the caller's tenant takes where the body names nothing.</param>
    /// <param name="workspace">The workspace it goes into, already looked up.</param>
    public (Machine? Draft, Refusal? Refusal) Create(Fields fields, Caller caller, TemplateRow? template, Defaults defaults, WorkspaceRow? workspace = null)
    {
        UserBound.Apply(fields, caller);
        foreach (var name in NotYet)
        {
            if (fields.Body[name] is { } value && !IsEmpty(value))
                fields.Fail(name, "is not supported by this server yet; leave it out");
        }
        if (fields.Bool("allow_provision") == true)
            fields.Fail("allow_provision", "is not supported by this server yet; leave it out");
        var ulid = Ids.Next();
        var now = time.GetUtcNow();
        var (size, shape) = ShapeOf(fields, defaults.Size, template);
        var metadata = fields.Object("metadata");
        var draft = new Machine
        {
            Id = Ids.From("sbx", ulid),
            TenantId = caller.TenantId,
            OwnerId = caller.KeyId,
            NodeId = settings.Node,
            State = MachineState.Provisioning,
            Epoch = 1,
            Image = template?.ImageName ?? fields.Text("template_id", 255, ImageName(), "must be a template or an image name") ?? defaults.Image,
            TemplateId = template?.Id,
            Name = fields.Text("name"),
            // The random part of the id: no two are ever alike, and it is short enough for a host name.
            Slug = Slug(fields) ?? PreviewHosts.OwnPart(Ids.From("sbx", ulid)),
            Size = size,
            Vcpus = shape.Vcpus,
            MemoryMb = shape.MemoryMb,
            DiskMb = shape.DiskMb,
            TimeoutSec = fields.Int("timeout_sec", 1, MaxTimeoutSec) ?? defaults.TimeoutSec,
            IdleTimeoutSec = fields.Int("idle_timeout_sec", 0, MaxTimeoutSec) ?? defaults.IdleTimeoutSec,
            AlwaysOn = fields.Bool("always_on") ?? false,
            Persistent = Persistent(fields, metadata) ?? false,
            Isolation = fields.Has("isolation") ? isolation.Of(fields) : template?.Isolation,
            SealedEnv = seal.Seal(EnvOf(fields, now)),
            Egress = egress.Inside(fields),
            Metadata = metadata?.ToJsonString() ?? "{}",
            Tags = Tags(fields),
            Entrypoint = fields.Text("entrypoint", 65536),
            Probe = Probe(fields),
            Region = Region(fields, defaults),
            WorkspaceId = workspace?.Id,
            ProjectId = fields.Text("project_id"),
            ProjectSlug = fields.Text("project_slug"),
            ProjectName = fields.Text("project_name"),
            ExternalUserId = fields.ExternalId("external_user_id"),
            ExternalProjectId = fields.ExternalId("external_project_id"),
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
            AgentRuntimeProfileId = fields.Text("agent_runtime_profile_id"),
            SkipAgentRuntimeProfile = fields.Bool("skip_agent_runtime_profile") ?? false,
            CreatedAt = now,
            UpdatedAt = now,
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (draft, null);
    }

    /// <summary>A draft that takes from the source what the body does not name: shape, attribution, environment, limits.</summary>
    public (Machine? Draft, Refusal? Refusal) Fork(Fields fields, Machine source, Caller caller)
    {
        UserBound.Apply(fields, caller);
        if (fields.Text("template_id", 255) is { } template && template != source.Image && template != source.TemplateId)
            fields.Fail("template_id", $"must be the template of the source, \"{source.TemplateId ?? source.Image}\", or left out");
        IsolationFields.Same(fields, source.Isolation);
        var ulid = Ids.Next();
        var now = time.GetUtcNow();
        var draft = source with
        {
            Id = Ids.From("sbx", ulid),
            OwnerId = caller.KeyId,
            State = MachineState.Provisioning,
            Epoch = 1,
            Name = fields.Text("name"),
            Slug = Slug(fields) ?? ulid.ToString()[14..].ToLowerInvariant(),
            ExternalUserId = fields.ExternalId("external_user_id") ?? source.ExternalUserId,
            // The source may be a snapshot whose workspace is gone.
            WorkspaceId = workspaces.Find(source.TenantId, source.WorkspaceId)?.Id,
            Egress = fields.Has("egress") ? egress.Inside(fields) : source.Egress,
            Metadata = fields.Object("metadata")?.ToJsonString() ?? source.Metadata,
            TimeoutSec = fields.Int("timeout_sec", 1, MaxTimeoutSec) ?? source.TimeoutSec,
            SocketPath = null,
            BootPath = null,
            BootMs = null,
            ExitCode = null,
            Error = null,
            CreatedAt = now,
            UpdatedAt = now,
            StartedAt = null,
            ReadyAt = null,
            DestroyedAt = null,
            DueAt = null,
            LastActivityAt = null,
            RanSec = 0,
            RunningSince = null,
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (draft, null);
    }

    public (RowChange? Change, Refusal? Refusal) Update(Fields fields)
    {
        var named = fields.Has("size") ? ShapeOf(fields, defaultSize: null).Shape : null;
        var metadata = fields.Object("metadata");
        string[] nullable = ["name", "external_user_id", "external_project_id", "external_workspace_id"];
        var change = new RowChange
        {
            Name = fields.Text("name"),
            Slug = Slug(fields),
            Tags = Tags(fields),
            Metadata = metadata?.ToJsonString(),
            AlwaysOn = fields.Bool("always_on"),
            Persistent = Persistent(fields, metadata),
            Vcpus = fields.Int("cpu_count", 1, Math.Min(64, settings.MaxVcpus)) ?? named?.Vcpus,
            MemoryMb = fields.Int("memory_mb", 128, settings.MaxMemoryMb) ?? named?.MemoryMb,
            DiskMb = fields.Int("disk_size_mb", 512, settings.MaxDiskMb) ?? named?.DiskMb,
            TimeoutSec = fields.Int("timeout_sec", 1, MaxTimeoutSec),
            IdleTimeoutSec = fields.Int("idle_timeout_sec", 0, MaxTimeoutSec),
            ExternalUserId = fields.ExternalId("external_user_id"),
            ExternalProjectId = fields.ExternalId("external_project_id"),
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
            Clear = [.. nullable.Where(fields.IsNull), .. ClearedTags(fields)],
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    public static (RowChange? Change, Refusal? Refusal) Extend(Fields fields)
    {
        var change = new RowChange { TimeoutSec = fields.Int("timeout_sec", 1, MaxTimeoutSec), RestartsLimit = true };
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    public static (RowChange? Change, Refusal? Refusal) TagsOnly(Fields fields)
    {
        if (!fields.Has("tags"))
            fields.Fail("tags", "is missing: send a list of strings, empty for none");
        var change = new RowChange { Tags = Tags(fields), Clear = [.. ClearedTags(fields)] };
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    /// <summary>What size and single figures of a body come to; faults are told by the fields.</summary>
    public (string? Size, Shape Shape) ShapeOf(Fields fields, string? defaultSize, TemplateRow? template = null)
    {
        var cpuCount = fields.Int("cpu_count", 1, Math.Min(64, settings.MaxVcpus));
        var memoryMb = fields.Int("memory_mb", 128, settings.MaxMemoryMb);
        var diskMb = fields.Int("disk_size_mb", 512, settings.MaxDiskMb);
        var size = fields.Text("size") ?? defaultSize ?? Sizes.Default;
        if (sizes.Find(size) is not { } named)
        {
            fields.Fail("size", $"must be one of {string.Join(", ", sizes.Names)}, got \"{size}\"");
            return (null, new Shape(0, 0, 0));
        }
        var standard = named;
        // A size that is asked for counts more than the template's own figures, a single figure more than both.
        if (!fields.Has("size") && template is not null)
            standard = new Shape(template.Vcpus ?? named.Vcpus, template.MemoryMb ?? named.MemoryMb, template.DiskMb ?? named.DiskMb);
        var shape = new Shape(cpuCount ?? standard.Vcpus, memoryMb ?? standard.MemoryMb, diskMb ?? standard.DiskMb);
        // The default size shrinks to a small host; a size that was asked for is refused rather than cut.
        if (!fields.Has("size"))
            shape = new Shape(Math.Min(shape.Vcpus, settings.MaxVcpus), Math.Min(shape.MemoryMb, settings.MaxMemoryMb), Math.Min(shape.DiskMb, settings.MaxDiskMb));
        if (shape.Vcpus > settings.MaxVcpus || shape.MemoryMb > settings.MaxMemoryMb || shape.DiskMb > settings.MaxDiskMb)
        {
            fields.Fail("size", $"\"{size}\" needs {shape.Vcpus} vCPUs, {shape.MemoryMb} MiB memory and {shape.DiskMb} MiB disk; "
                + $"this server gives one machine at most {settings.MaxVcpus}, {settings.MaxMemoryMb} and {settings.MaxDiskMb}");
        }
        return (shape == named ? Sizes.Canonical(size) : null, shape);
    }

    public string Region(Fields fields, Defaults defaults)
    {
        var region = fields.Text("region") ?? defaults.Region;
        if (region != settings.Region)
            fields.Fail("region", $"must be a region of this server: \"{settings.Region}\", got \"{region}\"");
        return region;
    }

    public static MachineEnv EnvOf(Fields fields, DateTimeOffset now, bool isSecret = true)
    {
        var env = MachineEnv.Of(fields.TextMap("env", MachineEnv.Key()), now, isSecret);
        if (env.Excess() is { } excess)
            fields.Fail("env", excess);
        return env;
    }

    public static string? Slug(Fields fields) =>
        fields.Text("slug", 63, SlugPattern(), "must be 1 to 63 lower-case letters, digits and inner hyphens");

    private static bool? Persistent(Fields fields, JsonObject? metadata) =>
        fields.Bool("persistent") ?? metadata?[PersistentInMetadata]?.GetValueKind() switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => null,
        };

    private static string? Tags(Fields fields) =>
        fields.TextList("tags") is { Count: > 0 } tags ? new JsonArray([.. tags.Select(t => (JsonNode)t)]).ToJsonString() : null;

    private static IEnumerable<string> ClearedTags(Fields fields) =>
        fields.Body["tags"] is JsonArray { Count: 0 } || fields.IsNull("tags") ? ["tags"] : [];

    private static string? Probe(Fields fields)
    {
        if (fields.Object("readiness_probe") is not { } node || node.Count == 0)
            return null;
        var (probe, fault) = ReadinessProbe.Read(node);
        if (fault is not null)
            fields.Fail("readiness_probe", fault);
        return probe is null ? null : node.ToJsonString();
    }

    private static bool IsEmpty(JsonNode value) => value switch
    {
        JsonObject { Count: 0 } or JsonArray { Count: 0 } => true,
        _ => value.GetValueKind() == JsonValueKind.False || (value.GetValueKind() == JsonValueKind.String && value.GetValue<string>().Length == 0),
    };
}
