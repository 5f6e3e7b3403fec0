using System.Text.Json.Nodes;
using Miosa.Runtime.Wire;
using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Templates;

/// <summary>The group Sandbox templates, but for builds and for starting a template's program in a sandbox.</summary>
internal sealed class TemplateEndpoints(TemplateSet templates, TemplateFields fields, TemplateView view, BaseImages bases, Builds builds, ImageNames images, ServerSettings settings)
{
    /// <summary>The files of a context, in base64, and what is around them.</summary>
    public const int MaxBody = 12 * 1024 * 1024;

    private const int MaxPerPage = 100;

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<TemplateEndpoints>();
        api.Map("GET", "/sandbox-templates", it.ListAsync).Needs(Scopes.SandboxesRead);
        api.Map("POST", "/sandbox-templates", it.CreateAsync).Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false, MaxBody));
        api.Map("POST", "/sandbox-templates/validate", it.ValidateAsync).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/sandbox-templates/build-spec", _ => Task.FromResult(Reply.Bare(BuildSpecSchema.Json(), WireJson.Default.JsonObject))).Needs(Scopes.SandboxesRead);
        api.Map("GET", "/sandbox-templates/{template_id}", it.GetAsync).Needs(Scopes.SandboxesRead);
        api.Map("DELETE", "/sandbox-templates/{template_id}", it.DeleteAsync).Needs(Scopes.SandboxesWrite);
        api.Map("GET", "/templates", it.CatalogAsync).Needs(Scopes.SandboxesRead);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var paging = new Fields([]);
        var page = Number(context, paging, "page", int.MaxValue) ?? 1;
        var perPage = Number(context, paging, "per_page", MaxPerPage) ?? MaxPerPage;
        if (paging.Errors() is { } refusal)
            return Reply.Refuse(refusal);
        var list = new SandboxTemplateList
        {
            Data = await PageAsync(context.Caller().TenantId, page, perPage, context.RequestAborted),
            DefaultTemplateId = settings.DefaultImage,
        };
        return Reply.Bare(list, WireJson.Default.SandboxTemplateList);
    }

    /// <summary>Own ones, newest first, and the official ones behind them.</summary>
    private async Task<IReadOnlyList<SandboxTemplate>> PageAsync(string tenantId, int page, int perPage, CancellationToken ct)
    {
        var own = await templates.CountAsync(tenantId, ct);
        var rows = (await templates.ListAsync(tenantId, page, perPage, ct)).Select(view.Of).ToList();
        var skip = (int)Math.Clamp(((page - 1L) * perPage) - own, 0, int.MaxValue);
        rows.AddRange((await images.OfficialAsync(ct)).Skip(skip).Take(perPage - rows.Count).Select(view.Of));
        return rows;
    }

    private async Task<IResult> CatalogAsync(HttpContext context)
    {
        IReadOnlyList<ProductTemplate> rows = context.Request.Query["product"].ToString() is "" or "sandbox"
            ? [.. (await PageAsync(context.Caller().TenantId, 1, MaxPerPage, context.RequestAborted)).Where(t => t.Status == TemplateStatus.Ready).Select(view.RowOf)]
            : [];
        return Reply.Bare(view.CatalogOf(rows), WireJson.Default.ProductTemplateCatalog);
    }

    private async Task<IResult> GetAsync(HttpContext context)
    {
        var (row, official) = await FindAsync(context);
        return row is not null ? Reply.One(view.Of(row), WireJson.Default.SandboxTemplate)
            : official is not null ? Reply.One(view.Of(official), WireJson.Default.SandboxTemplate)
            : Reply.Refuse(Refusal.NotFound("template"));
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, TemplateFields.Aliases, MaxBody);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var (draft, faults) = fields.Create(body, context.Caller().TenantId);
        if (draft is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var recipe = draft.Recipe;
        var field = body.Has("build_spec") ? recipe.IsDockerfile ? "build_spec.dockerfile" : "build_spec.from" : "image";
        var look = await bases.LookAsync(context.Caller().TenantId, recipe, field, context.RequestAborted);
        if (look.Refusal is { } unknown)
            return Reply.Refuse(unknown);
        // One that stands on a template of the tenant needs a name of its own for the image: the other one may be deleted.
        var isBuilt = recipe.ChangesImage || look.IsFetched || look.Template is not null;
        var build = isBuilt ? fields.BuildOf(draft.Row, recipe, spec: null) : null;
        var row = build is null ? draft.Row : draft.Row with { Status = TemplateStatus.Pending };
        if (build is not null)
            builds.Expect(build.Id);
        var no = await templates.AddAsync(row, draft.Source, build, context.RequestAborted);
        if (build is not null && no is not null)
            builds.Forget(build.Id);
        else if (build is not null)
            builds.Start(new BuildJob(build, recipe, Source: null, Metadata: null));
        return no is null ? Reply.One(view.Of(row), WireJson.Default.SandboxTemplate, 201) : Reply.Refuse(no);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        var (row, official) = await FindAsync(context);
        if (official is not null)
            return Reply.Refuse(new Refusal(ErrorCodes.Forbidden, $"the template \"{official.Name}\" is an official one: it cannot be deleted"));
        if (row is null)
            return Reply.Refuse(Refusal.NotFound("template"));
        var gone = await templates.RemoveAsync(row);
        await builds.CancelAsync(gone.Builds, gone.Image);
        return Reply.Ok();
    }

    private async Task<IResult> ValidateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None, MaxBody);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var spec = body.Object("build_spec");
        if (!body.Has("build_spec"))
            body.Fail("build_spec", "is required: the recipe to check");
        if (spec is null)
            return Reply.Refuse(body.Errors() ?? Refusal.Internal());
        var (recipe, faults) = fields.Validate(spec);
        if (recipe is not null)
        {
            var look = await bases.LookAsync(context.Caller().TenantId, recipe, "from", context.RequestAborted);
            // A template that is still being built is not the recipe's fault.
            if (look is { Refusal: { } unknown, Template: null })
                faults[recipe.IsDockerfile ? "dockerfile" : "from"] = unknown.Details?.FirstOrDefault().Value?.GetValue<string>() ?? unknown.Message;
        }
        var shown = recipe is null || faults.Count > 0 ? null : RecipeFields.Shown(spec, recipe.Context);
        List<BuildSpecIssue> issues = [.. faults.Select(IssueOf)];
        var validation = new BuildSpecValidation
        {
            Valid = issues.Count == 0,
            Errors = [.. issues.Select(issue => $"{issue.Field}: {issue.Message}")],
            BuildSpec = shown,
            Data = new BuildSpecReport { Valid = issues.Count == 0, Errors = issues, BuildSpec = (JsonObject?)shown?.DeepClone() },
        };
        return Reply.Bare(validation, WireJson.Default.BuildSpecValidation);

        static BuildSpecIssue IssueOf(KeyValuePair<string, JsonNode?> fault)
        {
            var message = fault.Value?.GetValue<string>() ?? "is faulty";
            return new BuildSpecIssue { Code = message.StartsWith("is required", StringComparison.Ordinal) ? "REQUIRED" : "INVALID", Field = fault.Key, Message = message };
        }
    }

    private async Task<(TemplateRow? Row, ImageInfo? Official)> FindAsync(HttpContext context)
    {
        var id = context.PathValue("template_id");
        return await templates.FindAsync(context.Caller().TenantId, id, context.RequestAborted) is { } row
            ? (row, null)
            : (null, await images.FindOfficialAsync(id, context.RequestAborted));
    }

    private static int? Number(HttpContext context, Fields fields, string name, int max)
    {
        var text = context.Request.Query[name].ToString();
        if (text.Length == 0)
            return null;
        if (int.TryParse(text, out var number) && number >= 1 && number <= max)
            return number;
        fields.Fail(name, $"must be a whole number from 1 to {max}, got \"{text}\"");
        return null;
    }
}
