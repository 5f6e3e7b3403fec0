using System.Text.Json.Nodes;
using Miosa.Http;

namespace Miosa;

/// <summary>The calls of the group Sandbox templates, as values.</summary>
internal static class TemplateCalls
{
    private const string Templates = "/sandbox-templates";

    public static Call<IReadOnlyList<SandboxTemplate>> List(int page, int perPage)
        => new(HttpMethod.Get, Call.Paged(Templates, page, perPage), static answer => answer.Whole(WireJson.Default.SandboxTemplateList).Data);

    public static Call<SandboxTemplate> Get(string templateId) => new(HttpMethod.Get, Call.Item(Templates, templateId), static answer => answer.Object(WireJson.Default.SandboxTemplate));

    public static Call<SandboxTemplate> Create(CreateSandboxTemplateRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new(HttpMethod.Post, Templates, static answer => answer.Object(WireJson.Default.SandboxTemplate))
        {
            Json = Call.Body(request, RequestJson.Default.CreateSandboxTemplateRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
    }

    public static Call<bool> Delete(string templateId) => new(HttpMethod.Delete, Call.Item(Templates, templateId), Answer.Nothing);

    public static Call<BuildSpecValidation> Validate(BuildSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return new(HttpMethod.Post, Templates + "/validate", static answer => answer.Whole(WireJson.Default.BuildSpecValidation))
        {
            Json = Call.Body(new() { BuildSpec = spec }, RequestJson.Default.ValidateBuildSpecRequest),
        };
    }

    public static Call<JsonObject> Schema() => new(HttpMethod.Get, Templates + "/build-spec", static answer => answer.Whole(WireJson.Default.JsonObject));

    public static Call<ProductTemplateCatalog> Catalog() => new(HttpMethod.Get, "/templates", static answer => answer.Whole(WireJson.Default.ProductTemplateCatalog));

    public static Call<IReadOnlyList<SandboxTemplateBuild>> Builds(string templateId)
        => new(HttpMethod.Get, Call.Item(Templates, templateId) + "/builds", static answer => answer.Whole(WireJson.Default.SandboxTemplateBuildList).Data);

    public static Call<SandboxTemplateBuild> Build(string templateId, CreateSandboxTemplateBuildRequest? request)
        => new(HttpMethod.Post, Call.Item(Templates, templateId) + "/builds", static answer => answer.Object(WireJson.Default.SandboxTemplateBuild))
        {
            Json = Call.Body(request ?? new(), RequestJson.Default.CreateSandboxTemplateBuildRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };

    public static Call<SandboxTemplateBuild> BuildOf(string buildId)
        => new(HttpMethod.Get, Call.Item("/sandbox-template-builds", buildId), static answer => answer.Object(WireJson.Default.SandboxTemplateBuild));

    public static Call Logs(string buildId, string? lastEventId) => new(HttpMethod.Get, Call.Item("/sandbox-template-builds", buildId) + "/logs/stream")
    {
        LastEventId = lastEventId,
        Repeat = Repeat.UnlessBegun,
        IsKeptAlive = true,
        Accept = "text/event-stream",
    };

    public static Call<TemplateStartResult> Start(string sandboxId, TemplateStartRequest? request)
        => new(HttpMethod.Post, SandboxCalls.Path(sandboxId) + "/template/start", static answer => answer.Object(WireJson.Default.TemplateStartResult))
        {
            Json = Call.Body(request ?? new(), RequestJson.Default.TemplateStartRequest),
            IdempotencyKey = Guid.NewGuid().ToString(),
        };
}
