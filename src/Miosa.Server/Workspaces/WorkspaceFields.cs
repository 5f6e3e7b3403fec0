using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Miosa.Server.Host;

namespace Miosa.Server.Workspaces;

/// <summary>The bodies of create and update. No I/O.</summary>
internal static partial class WorkspaceFields
{
    private const int MaxDescription = 4096;
    private const int MaxMetadata = 1000;
    private const int MaxValue = 65536;

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z")]
    private static partial Regex SlugPattern();

    public static (WorkspaceRow? Draft, Refusal? Refusal) Create(Fields fields, string tenant, DateTimeOffset now)
    {
        if (!fields.Has("name"))
            fields.Fail("name", "is missing: send the name of the workspace");
        var name = fields.Text("name") ?? "";
        var draft = Draft(tenant, name, Slug(fields) ?? WorkspaceSet.SlugOf(name), now) with
        {
            Description = fields.Text("description", MaxDescription, allowEmpty: true),
            Metadata = Metadata(fields) ?? "{}",
            ExternalWorkspaceId = fields.ExternalId("external_workspace_id"),
        };
        return fields.Errors() is { } refusal ? (null, refusal) : (draft, null);
    }

    public static WorkspaceRow Draft(string tenant, string name, string slug, DateTimeOffset now) =>
        new() { Id = Ids.New("ws"), TenantId = tenant, Name = name, Slug = slug, Metadata = "{}", Settings = "{}", CreatedAt = now, UpdatedAt = now };

    /// <summary>Absent fields stay, null clears those that may be empty; other fields are ignored, as clients send what they were given.</summary>
    public static (Func<WorkspaceRow, WorkspaceRow>? Change, Refusal? Refusal) Update(Fields fields)
    {
        var name = fields.Text("name");
        var slug = Slug(fields);
        var description = fields.Text("description", MaxDescription, allowEmpty: true);
        var metadata = Metadata(fields);
        var external = fields.ExternalId("external_workspace_id");
        if (fields.Errors() is { } refusal)
            return (null, refusal);
        var (clearsDescription, clearsExternal) = (fields.IsNull("description"), fields.IsNull("external_workspace_id"));
        return (
            row => row with
            {
                Name = name ?? row.Name,
                Slug = slug ?? row.Slug,
                Description = clearsDescription ? null : description ?? row.Description,
                Metadata = metadata ?? row.Metadata,
                ExternalWorkspaceId = clearsExternal ? null : external ?? row.ExternalWorkspaceId,
            },
            null);
    }

    public static string? Slug(Fields fields, string name = "slug") =>
        fields.Text(name, 63, SlugPattern(), "must be 1 to 63 lower-case letters, digits and inner hyphens");

    /// <summary>Go reads a map of texts and nothing else: numbers and truth values become texts, anything deeper is refused.</summary>
    private static string? Metadata(Fields fields)
    {
        if (fields.Object("metadata") is not { } given)
            return null;
        var texts = new JsonObject();
        foreach (var (key, value) in given)
        {
            var kind = value?.GetValueKind();
            if (kind is JsonValueKind.Object or JsonValueKind.Array)
                fields.Fail("metadata", $"must hold texts, numbers and truth values; \"{key}\" is neither");
            else if (kind is not null)
                texts[key] = kind == JsonValueKind.String ? value?.DeepClone() : value?.ToJsonString();
        }
        fields.Body["metadata"] = texts;
        fields.TextMap("metadata", maxItems: MaxMetadata, maxLength: MaxValue);
        return texts.ToJsonString();
    }
}
