using Miosa.Server.Host;

namespace Miosa.Server.Models;

/// <summary>
/// The group Intelligence of the contract, and the same under <c>/v1</c> at the server's root, where clients of OpenAI's API expect it. Both take the
/// same keys and the same bodies; they differ in the form of errors alone (<see cref="Reply"/>).
/// </summary>
internal sealed class ModelEndpoints(ModelSet models)
{
    public static void Map(IEndpointRouteBuilder root, IEndpointRouteBuilder api)
    {
        var services = root.ServiceProvider;
        var it = services.GetRequiredService<ModelEndpoints>();
        var completions = services.GetRequiredService<CompletionEndpoints>();
        var embeddings = services.GetRequiredService<EmbeddingEndpoints>();
        foreach (var (routes, prefix) in ((IEndpointRouteBuilder, string)[])[(api, "/intelligence"), (root, OpenAi.Prefix)])
        {
            routes.Map("GET", prefix + "/models", context => Task.FromResult(it.List(context))).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
            // Names of models have slashes.
            routes.Map("GET", prefix + "/models/{**model_id}", context => Task.FromResult(it.Get(context))).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
            routes.MapStream("POST", prefix + "/completions", completions.HandleAsync).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
            routes.MapStream("POST", prefix + "/chat/completions", completions.HandleAsync).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
            routes.Map("POST", prefix + "/embeddings", embeddings.CreateAsync).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
        }
        // One client's HTTP library makes a GET with a body of its POST; another's stream helper sends a GET without one, which nobody can answer.
        foreach (var path in (string[])["/intelligence/completions", "/intelligence/chat/completions"])
            api.MapStream("GET", path, completions.HandleAsync).Needs(Scopes.IntelligenceUse).AlsoForOneUser();
    }

    private IResult List(HttpContext context)
    {
        var (provider, type) = (Paging.Text(context.Request.Query, "provider"), Paging.Text(context.Request.Query, "type"));
        return Reply.Bare(
            new LlmModelList { Data = [.. models.All.Where(model => (provider is null || model.OwnedBy == provider) && (type is null || model.Type == type))] }, WireJson.Default.LlmModelList);
    }

    private IResult Get(HttpContext context)
    {
        var name = Uri.UnescapeDataString(context.PathValue("model_id"));
        return models.Find(name) is { } model
            ? Reply.One(model, WireJson.Default.LlmModel)
            : Reply.Refuse(Refusal.NotFound("model") with { Message = $"model \"{(name.Length <= 80 ? name : name[..80])}\" not found; there are: {string.Join(", ", models.All.Select(m => m.Id))}" });
    }
}
