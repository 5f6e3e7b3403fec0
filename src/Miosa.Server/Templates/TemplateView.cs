using System.Text.Json;
using System.Text.Json.Nodes;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>Templates and builds as the wire tells them.</summary>
internal sealed class TemplateView(Sizes sizes, ServerSettings settings)
{
    private Shape Standard
    {
        get
        {
            var shape = sizes.Find(Sizes.Default) ?? throw new InvalidOperationException("no default size");
            return new Shape(Math.Min(shape.Vcpus, settings.MaxVcpus), Math.Min(shape.MemoryMb, settings.MaxMemoryMb), Math.Min(shape.DiskMb, settings.MaxDiskMb));
        }
    }

    public SandboxTemplate Of(TemplateRow row) => new()
    {
        Id = row.Id,
        TenantId = row.TenantId,
        Name = row.Name,
        Slug = row.Slug,
        Description = row.Description,
        Image = row.Image,
        ImageId = row.ImageRef ?? (row.Status == TemplateStatus.Ready ? row.Image : null),
        ImageRef = row.ImageRef,
        Status = row.Status,
        State = row.Status,
        Vcpus = row.Vcpus ?? Standard.Vcpus,
        CpuCount = row.Vcpus ?? Standard.Vcpus,
        MemoryMb = row.MemoryMb ?? Standard.MemoryMb,
        Isolation = IsolationFields.NameOf(row.Isolation),
        DiskMb = row.DiskMb ?? Standard.DiskMb,
        Workdir = row.Workdir ?? "/workspace",
        PreviewPort = row.PreviewPort,
        InstallCommand = row.InstallCommand,
        StartCommand = row.StartCommand,
        ReadinessProbe = ProbeOf(row),
        ArtifactPaths = JsonSerializer.Deserialize<string[]>(row.ArtifactPaths) ?? [],
        BuildSpec = ObjectOf(row.Spec),
        CurrentBuildId = row.CurrentBuildId,
        Metadata = ObjectOf(row.Metadata),
        CreatedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };

    public SandboxTemplate Of(ImageInfo image) => new()
    {
        Id = image.Name,
        Name = image.Name,
        Slug = image.Name,
        Image = image.Name,
        ImageId = image.Name,
        Status = TemplateStatus.Ready,
        State = TemplateStatus.Ready,
        BuiltIn = true,
        IsOfficial = true,
        Vcpus = Standard.Vcpus,
        CpuCount = Standard.Vcpus,
        MemoryMb = Standard.MemoryMb,
        Isolation = IsolationFields.NameOf(null),
        DiskMb = Standard.DiskMb,
        Workdir = image.Workdir is { Length: > 0 } folder ? folder : "/workspace",
        PreviewPort = image.Ports is [var port, ..] ? port : null,
        CreatedAt = image.CreatedAt,
        UpdatedAt = image.CreatedAt,
    };

    public static SandboxTemplateBuild Of(BuildRow row) => new()
    {
        Id = row.Id,
        TemplateId = row.TemplateId,
        SandboxTemplateId = row.TemplateId,
        SourceType = row.IsDockerfile ? "dockerfile" : "build_spec",
        Status = row.Status,
        State = row.Status,
        ImageId = row.ImageRef,
        SnapshotManifest = row.Digest is null ? [] : new JsonObject { ["digest"] = row.Digest, ["size_bytes"] = row.SizeBytes },
        LogUrl = $"{Routes.Base}/sandbox-template-builds/{row.Id}/logs/stream",
        Error = row.Error,
        ErrorCode = row.ErrorCode,
        ErrorMessage = row.Error,
        BuildSpec = ObjectOf(row.Spec),
        DurationMs = row is { StartedAt: { } start, FinishedAt: { } end } ? (long)(end - start).TotalMilliseconds : null,
        StartedAt = row.StartedAt,
        FinishedAt = row.FinishedAt,
        CreatedAt = row.CreatedAt,
        InsertedAt = row.CreatedAt,
        UpdatedAt = row.UpdatedAt,
    };

    public static JsonObject? ProbeOf(TemplateRow row) => row.ReadyCommand is { } command
        ? new JsonObject { ["type"] = "exec", ["command"] = command }
        : row.PreviewPort is { } port ? new JsonObject { ["type"] = "tcp", ["port"] = port } : null;

    public ProductTemplate RowOf(SandboxTemplate template) => new()
    {
        Id = template.Id,
        Name = template.Name,
        Product = "sandbox",
        Primitive = "sandbox",
        Description = template.Description,
        DefaultSize = Sizes.Default,
        ImageId = template.ImageId,
        InstallCommand = template.InstallCommand,
        StartCommand = template.StartCommand,
        ReadinessContract = template.ReadinessProbe ?? [],
        Sizes = [.. sizes.Names.Select(name => SizeOf(name, IsPooled(template)))],
        Readiness = IsPooled(template) ? FastReady : ColdBoot,
    };

    public ProductTemplateCatalog CatalogOf(IReadOnlyList<ProductTemplate> rows) => new()
    {
        Templates = rows,
        Data = rows,
        Products = [new JsonObject { ["id"] = "sandbox", ["name"] = "Sandbox" }],
        Sizes = [.. sizes.Names.Select(ShapeOf)],
        ShapeContracts = new JsonObject { ["sandbox"] = new JsonArray([.. sizes.Names.Select(ShapeOf)]) },
        ReadinessStates = [FastReady, ColdBoot],
    };

    private const string FastReady = "fast_ready";
    private const string ColdBoot = "cold_boot";

    /// <summary>Whether machines of it wait in the pool at all times; a pool made by demand comes and goes.</summary>
    private bool IsPooled(SandboxTemplate template) => settings.PoolSize > 0 && template.ImageId == settings.DefaultImage;

    private static ProductTemplateSize SizeOf(string name, bool isPooled) => new()
    {
        Size = name,
        State = isPooled ? FastReady : ColdBoot,
        FastReady = isPooled,
        ColdBootOnly = !isPooled,
        CheckedNodes = 1,
        ReadyNodes = isPooled ? 1 : 0,
        ColdBootNodes = isPooled ? 0 : 1,
    };

    private JsonObject ShapeOf(string name)
    {
        var shape = sizes.Find(name) ?? throw new InvalidOperationException($"no size \"{name}\"");
        return new JsonObject
        {
            ["contract_id"] = $"sandbox/{name}@v1",
            ["contract_version"] = "v1",
            ["product"] = "sandbox",
            ["size"] = name,
            ["vcpus"] = shape.Vcpus,
            ["memory_mb"] = shape.MemoryMb,
            ["disk_size_mb"] = shape.DiskMb,
        };
    }

    private static JsonObject ObjectOf(string json) => JsonNode.Parse(json) as JsonObject ?? [];
}
