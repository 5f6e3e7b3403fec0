using System.Globalization;
using Miosa.Server.Host;
using Miosa.Server.Nodes;

namespace Miosa.Server.Templates;

/// <summary>The builds of templates: start, list, look, and follow.</summary>
internal sealed class BuildEndpoints(TemplateSet templates, TemplateFields fields, BaseImages bases, Builds builds, ImageNames images)
{
    private const string End = ".end";

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<BuildEndpoints>();
        api.Map("GET", "/sandbox-templates/{template_id}/builds", it.ListAsync).Needs(Scopes.SandboxesRead);
        api.Map("POST", "/sandbox-templates/{template_id}/builds", it.StartAsync)
            .Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false, TemplateEndpoints.MaxBody));
        api.Map("GET", "/sandbox-template-builds/{build_id}", it.GetAsync).Needs(Scopes.SandboxesRead);
        api.MapStream("GET", "/sandbox-template-builds/{build_id}/logs/stream", it.StreamAsync).Needs(Scopes.SandboxesRead);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var id = context.PathValue("template_id");
        if (await templates.FindAsync(context.Caller().TenantId, id, context.RequestAborted) is { } template)
        {
            var rows = await templates.BuildsAsync(template.Id, context.RequestAborted);
            return Reply.Bare(new SandboxTemplateBuildList { Data = [.. rows.Select(TemplateView.Of)] }, WireJson.Default.SandboxTemplateBuildList);
        }
        return await images.FindOfficialAsync(id, context.RequestAborted) is null
            ? Reply.Refuse(Refusal.NotFound("template"))
            : Reply.Bare(new SandboxTemplateBuildList { Data = [] }, WireJson.Default.SandboxTemplateBuildList);
    }

    private async Task<IResult> StartAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None, TemplateEndpoints.MaxBody);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var id = context.PathValue("template_id");
        if (await templates.FindAsync(context.Caller().TenantId, id, context.RequestAborted) is not { } template)
        {
            return Reply.Refuse(await images.FindOfficialAsync(id, context.RequestAborted) is null
                ? Refusal.NotFound("template")
                : new Refusal(ErrorCodes.Forbidden, $"the template \"{id}\" is an official one: make one of your own that begins with it"));
        }
        var (recipe, source, metadata, faults) = fields.Build(body);
        if (faults is not null)
            return Reply.Refuse(faults);
        if (recipe is null && await templates.SourceAsync(template.Id, context.RequestAborted) is { } own)
            recipe = fields.Again(own);
        if (recipe is null)
            return Reply.Refuse(Refusal.Conflict("the recipe of the template does not fit this server any more: send a build_spec"));
        // One that begins with the template itself may wait for a build of it that runs.
        var look = await bases.LookAsync(context.Caller().TenantId, recipe, "build_spec.from", context.RequestAborted);
        if (look.Refusal is { } unknown && look.Template?.Id != template.Id)
            return Reply.Refuse(unknown);
        var build = fields.BuildOf(template, recipe, source is null ? null : RecipeFields.Shown(source, recipe.Context).ToJsonString());
        builds.Expect(build.Id);
        var (running, no) = await templates.AddBuildAsync(build);
        if (running is null && no is null)
        {
            builds.Start(new BuildJob(build, recipe, source is null ? null : RecipeFields.Kept(source).ToJsonString(), metadata));
            return Reply.One(TemplateView.Of(build), WireJson.Default.SandboxTemplateBuild, 202);
        }
        builds.Forget(build.Id);
        if (no is not null)
            return Reply.Refuse(no);
        // Asked for again while it runs: the same one. With another recipe it is something else that must wait.
        return running is not null && (source is null || running.Spec == build.Spec)
            ? Reply.One(TemplateView.Of(running), WireJson.Default.SandboxTemplateBuild, 202)
            : Reply.Refuse(Refusal.Conflict($"the build {running?.Id} of this template is not over: wait for it, or delete the template"));
    }

    private async Task<IResult> GetAsync(HttpContext context) =>
        await FindAsync(context) is { } row ? Reply.One(TemplateView.Of(row), WireJson.Default.SandboxTemplateBuild) : Reply.Refuse(Refusal.NotFound("build"));

    private Task<BuildRow?> FindAsync(HttpContext context) =>
        templates.FindBuildAsync(context.Caller().TenantId, context.PathValue("build_id"), context.RequestAborted);

    /// <summary>Lines as they come, each under its position in the log as id, then how it ended.</summary>
    private async Task StreamAsync(HttpContext context)
    {
        if (await FindAsync(context) is not { } build)
        {
            await Reply.Refuse(Refusal.NotFound("build")).ExecuteAsync(context);
            return;
        }
        var path = builds.LogOf(build.Id).Path;
        var last = context.Request.Headers["Last-Event-ID"].ToString();
        var hasEnd = last.EndsWith(End, StringComparison.Ordinal);
        var position = long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var asked) && await BuildLog.IsLineAsync(path, asked, context.RequestAborted) ? asked : 0;
        await using var sse = await Sse.StartAsync(context);
        try
        {
            while (!hasEnd)
            {
                var live = builds.LogOf(build.Id).Live;
                var changed = live?.Changed ?? Task.CompletedTask;
                var isOver = live?.IsOver ?? true;
                var lines = await BuildLog.ReadAsync(path, position, sse.Ended);
                foreach (var (behind, json) in lines)
                {
                    position = behind;
                    await sse.WriteAsync(position.ToString(CultureInfo.InvariantCulture), "log", json);
                }
                if (lines.Count == 0 && isOver)
                    break;
                if (lines.Count == 0)
                    await changed.WaitAsync(sse.Ended);
            }
            if (!hasEnd)
                await TellEndAsync(context, sse, build, position);
        }
        catch (OperationCanceledException) when (sse.Ended.IsCancellationRequested)
        {
            // The reader left, or the server stops; Last-Event-ID goes on.
        }
    }

    private async Task TellEndAsync(HttpContext context, Sse sse, BuildRow build, long position)
    {
        // Deleted with its template while it was followed.
        var row = await FindAsync(context) ?? build with { Status = BuildStatus.Cancelled, Error = "its template was deleted" };
        // A stop of the server between the last line and the row: the next process writes how it ended.
        if (!row.IsOver)
            return;
        var type = row.Status == BuildStatus.Ready ? EventNames.BuildCompleted
            : row.ErrorCode == BuildFailedException.TimedOut ? EventNames.BuildTimedOut
            : EventNames.BuildFailed;
        var told = new TemplateBuildEvent
        {
            Type = type,
            BuildId = row.Id,
            TemplateId = row.TemplateId,
            Status = row.Status,
            Error = row.Error,
            Ts = row.FinishedAt,
        };
        await sse.WriteAsync(position.ToString(CultureInfo.InvariantCulture) + End, type, Reply.Bytes(told, WireJson.Default.TemplateBuildEvent));
    }
}
