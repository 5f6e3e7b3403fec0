using System.Text.RegularExpressions;
using Miosa.Guest;
using Miosa.Server.Egress;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;
using Miosa.Server.Sandboxes;
using Miosa.Server.Templates;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Computers;

/// <summary>The bodies of the group Computers: aliases, bounds, and what cannot be honoured. No I/O.</summary>
internal sealed partial class ComputerFields(Sizes sizes, SandboxFields sandboxes, EnvSeal seal, EgressFields egress, WorkspaceSet workspaces, ServerSettings settings, TimeProvider time)
{
    public const string DefaultImage = "miosa-desktop";

    /// <summary>30 days.</summary>
    public const int MaxAutoStopSec = 2_592_000;

    public static readonly Aliases CreateAliases = new Aliases()
        .Add("template_type", "template", "template_id", "image")
        .Add("selected_apps", "apps")
        .Add("cpu_count", "vcpus", "cpu", "cpus")
        .Add("disk_size_mb", "disk_mb")
        .Add("auto_stop_seconds", "auto_stop", "idle_timeout_seconds", "idle_timeout")
        .Add("agent_runtime_profile_id", "agent_profile_id");

    public static readonly Aliases ChangeAliases = new Aliases()
        .Add("selected_apps", "apps")
        .Add("cpu_count", "vcpus", "cpu", "cpus")
        .Add("disk_size_mb", "disk_mb")
        .Add("region", "region_slug");

    public static readonly Aliases AutoStopAliases = new Aliases().Add("seconds", "auto_stop_seconds", "auto_stop", "idle_timeout_seconds");

    private static readonly string[] Visibilities = [ComputerVisibility.Public, ComputerVisibility.Tenant, ComputerVisibility.Key];

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/-]*\z")]
    private static partial Regex ImageName();

    /// <summary>A checked draft in state provisioning, or every fault of the body.</summary>
    /// <param name="template">The tenant's template that <c>template_type</c> names; null for an image.</param>
    public (Machine? Draft, Refusal? Refusal) Create(Fields fields, Caller caller, TemplateRow? template, Defaults defaults, WorkspaceRow? workspace)
    {
        UserBound.Apply(fields, caller);
        if (fields.Bool("allow_provision") == true)
            fields.Fail("allow_provision", "is not supported by this server yet; leave it out");
        var ulid = Ids.Next();
        var id = Ids.From(MachineKind.PrefixOf(MachineKind.Computer), ulid);
        var now = time.GetUtcNow();
        var (size, shape) = sandboxes.ShapeOf(fields, defaults.Size, template);
        var apps = Apps(fields);
        var draft = new Machine
        {
            Id = id,
            Kind = MachineKind.Computer,
            TenantId = caller.TenantId,
            OwnerId = caller.KeyId,
            NodeId = settings.Node,
            State = MachineState.Provisioning,
            Epoch = 1,
            Image = template?.ImageName ?? fields.Text("template_type", 255, ImageName(), "must be a template or an image name") ?? DefaultImage,
            TemplateId = template?.Id,
            Name = fields.Text("name") ?? NameOf(id),
            Slug = SandboxFields.Slug(fields) ?? PreviewHosts.OwnPart(id),
            Size = size,
            Vcpus = shape.Vcpus,
            MemoryMb = shape.MemoryMb,
            DiskMb = shape.DiskMb,
            IdleTimeoutSec = fields.Int("auto_stop_seconds", 0, MaxAutoStopSec) ?? fields.Int("idle_timeout_sec", 0, MaxAutoStopSec) ?? defaults.IdleTimeoutSec,
            Persistent = true,
            Isolation = template?.Isolation,
            SealedEnv = seal.Seal(SandboxFields.EnvOf(fields, now, isSecret: false)),
            Egress = egress.Inside(fields),
            Metadata = fields.Object("metadata")?.ToJsonString() ?? "{}",
            Region = sandboxes.Region(fields, defaults),
            WorkspaceId = workspace?.Id,
            ProjectId = fields.Text("project_id"),
            ProjectSlug = fields.Text("project_slug"),
            ProjectName = fields.Text("project_name"),
            ExternalUserId = fields.ExternalId("external_user_id"),
            ExternalProjectId = fields.ExternalId("external_project_id"),
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
            AgentRuntimeProfileId = fields.Text("agent_runtime_profile_id"),
            SkipAgentRuntimeProfile = fields.Bool("skip_agent_runtime_profile") ?? false,
            Visibility = Visibility(fields) ?? ComputerVisibility.Public,
            ScreenWidth = fields.Int("screen_width", DesktopLimits.MinWidth, DesktopLimits.MaxWidth) ?? DesktopLimits.DefaultWidth,
            ScreenHeight = fields.Int("screen_height", DesktopLimits.MinHeight, DesktopLimits.MaxHeight) ?? DesktopLimits.DefaultHeight,
            SelectedApps = AppCatalog.Stored(apps),
            MissingApps = AppCatalog.Missing(apps),
            CreatedAt = now,
            UpdatedAt = now,
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (draft, null);
    }

    /// <summary>A draft with everything of the source but its life.</summary>
    public (Machine? Draft, Refusal? Refusal) Clone(Fields fields, Machine source, Caller caller)
    {
        UserBound.Apply(fields, caller);
        var ulid = Ids.Next();
        var id = Ids.From(MachineKind.PrefixOf(MachineKind.Computer), ulid);
        var now = time.GetUtcNow();
        var named = fields.Has("size") ? sandboxes.ShapeOf(fields, defaultSize: null).Shape : new Shape(source.Vcpus, source.MemoryMb, source.DiskMb);
        // Its disk may be fuller than that of the named size.
        var shape = named with { DiskMb = Math.Max(named.DiskMb, source.DiskMb) };
        var name = fields.Text("name") ?? $"{(source.Name is { Length: <= 249 } whole ? whole : source.Name?[..249] ?? NameOf(id))}-clone";
        // The source may be a snapshot whose workspace is gone.
        var workspace = fields.Text("workspace_id") is null ? workspaces.Find(source.TenantId, source.WorkspaceId) : workspaces.Named(fields, caller.TenantId, "");
        var draft = source with
        {
            Id = id,
            Kind = MachineKind.Computer,
            OwnerId = caller.KeyId,
            State = MachineState.Provisioning,
            Epoch = 1,
            Name = name,
            Slug = PreviewHosts.OwnPart(id),
            Size = sizes.NameOf(shape),
            Vcpus = shape.Vcpus,
            MemoryMb = shape.MemoryMb,
            DiskMb = shape.DiskMb,
            WorkspaceId = workspace?.Id,
            ExternalUserId = fields.ExternalId("external_user_id") ?? source.ExternalUserId,
            Metadata = fields.Object("metadata")?.ToJsonString() ?? source.Metadata,
            AgentSessionId = null,
            SocketPath = null,
            RestoreFrom = null,
            BootPath = null,
            BootMs = null,
            ExitCode = null,
            Error = null,
            DesktopError = null,
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

    public (RowChange? Change, Refusal? Refusal) Update(Fields fields, Caller caller)
    {
        UserBound.Apply(fields, caller);
        string[] nullable = ["external_user_id", "external_project_id", "external_workspace_id", "agent_session_id"];
        if (fields.IsNull("name"))
            fields.Fail("name", "must not be null: a computer always has a name");
        var apps = Apps(fields);
        var change = new RowChange
        {
            Name = fields.Text("name"),
            Slug = SandboxFields.Slug(fields),
            Visibility = Visibility(fields),
            Metadata = fields.Object("metadata")?.ToJsonString(),
            AgentSessionId = fields.Text("agent_session_id"),
            SelectedApps = AppCatalog.Stored(apps),
            MissingApps = AppCatalog.Missing(apps),
            WorkspaceId = fields.Text("workspace_id") is null ? null : workspaces.Named(fields, caller.TenantId, "")?.Id,
            ExternalUserId = fields.ExternalId("external_user_id"),
            ExternalProjectId = fields.ExternalId("external_project_id"),
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
            Clear = [.. nullable.Where(fields.IsNull), .. apps is { Count: 0 } ? (string[])["selected_apps", "missing_apps"] : []],
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    /// <summary>A size, or single figures; both are fine, and the figures count more.</summary>
    public (RowChange? Change, Refusal? Refusal) Resize(Fields fields)
    {
        var named = fields.Has("size") ? sandboxes.ShapeOf(fields, defaultSize: null).Shape : null;
        var change = new RowChange
        {
            Vcpus = fields.Int("cpu_count", 1, Math.Min(64, settings.MaxVcpus)) ?? named?.Vcpus,
            MemoryMb = fields.Int("memory_mb", 128, settings.MaxMemoryMb) ?? named?.MemoryMb,
            DiskMb = fields.Int("disk_size_mb", 512, settings.MaxDiskMb) ?? named?.DiskMb,
        };
        if (change is { Vcpus: null, MemoryMb: null, DiskMb: null } && fields.Errors() is null)
            fields.Fail("size", $"is missing: send one of {string.Join(", ", sizes.Names)}, or vcpus, memory_mb or disk_size_mb");
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    /// <summary>Null when the computer is already where it should be.</summary>
    public Refusal? Move(Fields fields)
    {
        var region = fields.Text("region");
        var host = fields.Text("host_id");
        if (region is null && host is null && fields.Errors() is null)
            fields.Fail("region", $"is missing: send a region of this server: \"{settings.Region}\"");
        if (region is not null && region != settings.Region)
            fields.Fail("region", $"must be a region of this server: \"{settings.Region}\", got \"{region}\"");
        if (host is not null && host != settings.Node)
            fields.Fail("host_id", $"must be a host of this server: \"{settings.Node}\", got \"{host}\"");
        return fields.Errors();
    }

    public static (RowChange? Change, Refusal? Refusal) AutoStop(Fields fields)
    {
        if (!fields.Has("seconds"))
            fields.Fail("seconds", "is missing: send whole seconds, 0 for never");
        var change = new RowChange { IdleTimeoutSec = fields.Int("seconds", 0, MaxAutoStopSec) };
        return fields.Errors() is { } refusal ? (null, refusal) : (change, null);
    }

    private static IReadOnlyList<string>? Apps(Fields fields)
    {
        if (fields.TextList("selected_apps", maxItems: 50, maxLength: 64) is not { } apps)
            return null;
        var unknown = apps.Where(app => AppCatalog.PackagesOf(app) is null).ToList();
        if (unknown.Count > 0)
            fields.Fail("selected_apps", $"names what this server cannot install: {string.Join(", ", unknown)}; there are {string.Join(", ", AppCatalog.Names)}");
        return [.. apps.Distinct()];
    }

    private static string? Visibility(Fields fields)
    {
        var value = fields.Text("visibility");
        if (value is not null && !Visibilities.Contains(value))
            fields.Fail("visibility", $"must be {string.Join(", ", Visibilities)}, got \"{value}\"");
        return value;
    }

    /// <summary>What one is called that was given no name.</summary>
    public static string NameOf(string id) => $"computer-{id[^6..].ToLowerInvariant()}";
}
