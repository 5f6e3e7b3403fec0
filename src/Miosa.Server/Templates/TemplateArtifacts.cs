using System.Text.Json;
using Miosa.Guest;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Sandboxes;

namespace Miosa.Server.Templates;

/// <summary>What a sandbox's template said it would produce, looked up in the sandbox. Without such paths the sandbox is not asked.</summary>
internal sealed class TemplateArtifacts(Machines machines, TemplateSet templates, SandboxView view)
{
    private const string DefaultFolder = "/workspace";
    private const string Missing = "missing";

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<TemplateArtifacts>();
        api.Map("GET", "/sandboxes/{sandbox_id}/artifacts", it.GetAsync).Needs(Scopes.SandboxesRead);
    }

    private async Task<IResult> GetAsync(HttpContext context)
    {
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } row)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var template = row.TemplateId is { } id ? await templates.FindAsync(row.TenantId, id, context.RequestAborted) : null;
        var paths = template is null ? [] : JsonSerializer.Deserialize<string[]>(template.ArtifactPaths) ?? [];
        var preview = new SandboxArtifactPreview { Url = view.Of(row).PreviewUrl, Port = template?.PreviewPort };
        if (paths.Length == 0)
            return Answer(new Dictionary<string, SandboxArtifact>(), preview);
        return await FileCall.RunAsync(context, AdmitFor.FileRead, "artifacts", async (guest, ct) =>
        {
            var found = new Dictionary<string, SandboxArtifact>();
            foreach (var path in paths)
                found[path] = await LookAsync(guest, Path.Combine(template?.Workdir ?? DefaultFolder, path), ct);
            return Answer(found, preview);
        });
    }

    private static async Task<SandboxArtifact> LookAsync(GuestConnection guest, string path, CancellationToken ct)
    {
        try
        {
            var entry = await guest.StatAsync(path, ct);
            return new SandboxArtifact { Type = FolderListing.TypeOf(entry), Size = entry.Size, ModifiedAt = FolderListing.ModifiedAt(entry) };
        }
        catch (GuestException e) when (e.Code is GuestErrorCode.NotFound or GuestErrorCode.NotDirectory or GuestErrorCode.BadRequest)
        {
            // Not produced, or no path at all.
            return new SandboxArtifact { Type = Missing };
        }
    }

    private static IResult Answer(IReadOnlyDictionary<string, SandboxArtifact> found, SandboxArtifactPreview preview) =>
        Reply.One(new SandboxArtifacts { Artifacts = found, Preview = preview }, WireJson.Default.SandboxArtifacts);
}
