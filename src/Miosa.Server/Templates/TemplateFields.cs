using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>A checked template and what it is made by.</summary>
internal sealed record TemplateDraft(TemplateRow Row, Recipe Recipe, string Source);

/// <summary>The bodies of create and build. No I/O.</summary>
internal sealed partial class TemplateFields(RecipeFields recipes, IsolationFields isolation, ServerSettings settings, TimeProvider time)
{
    private const string SpecField = "build_spec";
    private const int MaxMetadata = 16 * 1024;

    public static readonly Aliases Aliases = new Aliases().Add("image", "template_id", "image_id");

    public (TemplateDraft? Draft, Refusal? Refusal) Create(Fields fields, string tenantId)
    {
        var name = fields.Text("name");
        if (name is null && fields.Errors() is null)
            fields.Fail("name", "is required");
        var slug = fields.Text("slug", 63, SlugPattern(), "must be 1 to 63 lower-case letters, digits and inner hyphens");
        var image = fields.Text("image", 512);
        var description = fields.Text("description", 4096, allowEmpty: true);
        var metadata = Metadata(fields);
        var isolated = isolation.Of(fields);
        var spec = fields.Object(SpecField);
        if (spec is null && image is null && !fields.Has(SpecField) && !fields.Has("image"))
            fields.Fail("image", "is required, or a build_spec: what the template is made of");
        if (spec is not null && image is not null && spec["from"] is null && spec["dockerfile"] is null)
        {
            spec = (JsonObject)spec.DeepClone();
            spec["from"] = image;
        }
        var source = spec ?? new JsonObject { ["from"] = image ?? "-" };
        var recipe = RecipeOf(fields, source);
        if (fields.Errors() is { } refusal || recipe is null || name is null)
            return (null, fields.Errors() ?? Refusal.Internal());
        var now = time.GetUtcNow();
        var id = Ids.New("tpl");
        var row = new TemplateRow
        {
            Id = id,
            TenantId = tenantId,
            NodeId = settings.Node,
            Name = name,
            Slug = slug ?? SlugOf(name) ?? id.Replace('_', '-'),
            Description = description,
            Status = TemplateStatus.Ready,
            Image = recipe.From,
            Spec = RecipeFields.Shown(source, recipe.Context).ToJsonString(),
            Metadata = metadata ?? "{}",
            Isolation = isolated,
            CreatedAt = now,
            UpdatedAt = now,
        };
        return (new TemplateDraft(Describe(row, recipe), recipe, RecipeFields.Kept(source).ToJsonString()), null);
    }

    /// <summary>The recipe of a build: the body's, or null for the template's own; and the metadata it sets.</summary>
    public (Recipe? Recipe, JsonObject? Source, string? Metadata, Refusal? Refusal) Build(Fields fields)
    {
        var spec = fields.Object(SpecField);
        var metadata = Metadata(fields);
        var recipe = spec is null ? null : RecipeOf(fields, spec);
        return (recipe, spec, metadata, fields.Errors());
    }

    /// <summary>A recipe that was checked before.</summary>
    public Recipe? Again(JsonObject source) => recipes.Read(source).Recipe;

    public (Recipe? Recipe, JsonObject Faults) Validate(JsonObject spec) => recipes.Read(spec);

    public BuildRow BuildOf(TemplateRow template, Recipe recipe, string? spec)
    {
        var now = time.GetUtcNow();
        return new BuildRow
        {
            Id = Ids.New("bld"),
            TenantId = template.TenantId,
            TemplateId = template.Id,
            NodeId = settings.Node,
            Status = BuildStatus.Queued,
            IsDockerfile = recipe.IsDockerfile,
            Spec = spec ?? template.Spec,
            CreatedAt = now,
            UpdatedAt = now,
        };
    }

    /// <summary>What the recipe alone says of the template's sandboxes.</summary>
    public static TemplateRow Describe(TemplateRow row, Recipe recipe) => row with
    {
        Image = recipe.From,
        Vcpus = recipe.Vcpus,
        MemoryMb = recipe.MemoryMb,
        DiskMb = recipe.DiskMb,
        Workdir = recipe.Workdir,
        InstallCommand = recipe.InstallCommand,
        StartCommand = recipe.StartCommand,
        ReadyCommand = recipe.ReadyCommand,
        PreviewPort = recipe.PreviewPort,
        ArtifactPaths = new JsonArray([.. recipe.ArtifactPaths.Select(path => (JsonNode)path)]).ToJsonString(),
    };

    private static string? Metadata(Fields fields)
    {
        var text = fields.Object("metadata")?.ToJsonString();
        if (text?.Length > MaxMetadata)
            fields.Fail("metadata", $"must be at most {MaxMetadata} characters as JSON, got {text.Length}");
        return text;
    }

    private Recipe? RecipeOf(Fields fields, JsonObject source)
    {
        var (recipe, faults) = recipes.Read(source);
        foreach (var (field, message) in faults)
            fields.Fail($"{SpecField}.{field}", message?.GetValue<string>() ?? "is faulty");
        return recipe;
    }

    /// <summary>Letters and digits of the name, hyphens for the rest; null when nothing is left.</summary>
    private static string? SlugOf(string name)
    {
        var slug = new StringBuilder();
        foreach (var c in name.ToLowerInvariant())
        {
            if (c is >= 'a' and <= 'z' or >= '0' and <= '9')
                slug.Append(c);
            else if (slug.Length > 0 && slug[^1] != '-')
                slug.Append('-');
        }
        var text = slug.ToString();
        text = (text.Length > 63 ? text[..63] : text).Trim('-');
        return text.Length == 0 ? null : text;
    }

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex SlugPattern();
}
