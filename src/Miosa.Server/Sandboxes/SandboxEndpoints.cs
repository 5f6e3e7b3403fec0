using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Settings;
using Miosa.Server.Snapshots;
using Miosa.Server.Templates;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Sandboxes;

/// <summary>The group Sandboxes of the contract.</summary>
internal sealed class SandboxEndpoints(
    Machines machines, SandboxFields fields, SandboxView view, SandboxList list, RuntimeClient runtime, TemplateSet templates, WorkspaceSet workspaces, SnapshotEndpoints snapshots,
    TenantDefaults tenantDefaults)
{
    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<SandboxEndpoints>();
        api.Map("POST", "/sandboxes", it.CreateAsync).Needs(Scopes.SandboxesCreate).AlsoForOneUser().WithMetadata(new Replayable(KeyInBody: true));
        api.Map("GET", "/sandboxes", it.ListAsync).Needs(Scopes.SandboxesRead).AlsoForOneUser();
        api.Map("GET", "/sandboxes/by-name/{name}", it.GetByNameAsync).Needs(Scopes.SandboxesRead).AlsoForOneUser();
        api.Map("GET", "/sandboxes/{sandbox_id}", it.GetAsync).Needs(Scopes.SandboxesRead);
        foreach (var method in (string[])["PATCH", "PUT"])
        {
            api.Map(method, "/sandboxes/{sandbox_id}", it.UpdateAsync)
                .Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
            api.Map(method, "/sandboxes/{sandbox_id}/tags", context => it.ChangeAsync(context, SandboxFields.TagsOnly))
                .Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
        }
        api.Map("POST", "/sandboxes/{sandbox_id}/extend", context => it.ChangeAsync(context, SandboxFields.Extend))
            .Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("POST", "/sandboxes/{sandbox_id}/fork", it.ForkAsync).Needs(Scopes.SandboxesCreate).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("DELETE", "/sandboxes/{sandbox_id}", context => it.AskAsync(context, Want.Destroy)).Needs(Scopes.SandboxesWrite);
        api.Map("POST", "/sandboxes/{sandbox_id}/pause", it.PauseAsync).Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
        foreach (var (verb, want) in ((string, Want)[])[("resume", Want.Resume), ("stop", Want.Stop)])
        {
            api.Map("POST", $"/sandboxes/{{sandbox_id}}/{verb}", context => it.AskAsync(context, want))
                .Needs(Scopes.SandboxesWrite).WithMetadata(new Replayable(KeyInBody: false));
        }
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, SandboxFields.CreateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        // First: a token says which workspace it is.
        UserBound.Apply(body, context.Caller());
        var (workspace, isNewWorkspace) = workspaces.OfMachine(body, context.Caller().TenantId);
        if (workspace is not null)
            WorkspaceSettings.Fill(body.Body, workspace.Settings);
        var defaults = tenantDefaults.Of(context.Caller().TenantId);
        // Looked up before the checks, because it has a say in them; what is wrong with it is told after them.
        var (image, template, unknown) = runtime.IsUp
            ? await templates.ResolveAsync(context.Caller().TenantId, body.Text("template_id") ?? defaults.Image, "template_id", context.RequestAborted)
            : default;
        var (draft, faults) = fields.Create(body, context.Caller(), template, defaults, workspace);
        if (draft is null)
            return Reply.Refuse(faults!); // one of the two is always there
        if (image is null)
            return Reply.Refuse(unknown ?? Refusal.Unavailable("miosa-runtime is not reachable; nothing was made"));
        if (isNewWorkspace && workspace is not null)
        {
            var (made, full) = await workspaces.MakeAsync(workspace);
            if (made is null)
                return Reply.Refuse(full ?? Refusal.Internal());
            draft = draft with { WorkspaceId = made.Id };
        }
        var (machine, no) = await machines.CreateAsync(draft with { ImageDigest = image.Digest });
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : Reply.One(view.Of(machine), WireJson.Default.SandboxInfo, 201);
    }

    private async Task<IResult> ForkAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, SandboxFields.UpdateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        SnapshotRow? snapshot = null;
        if (body.Has("snapshot_id"))
        {
            if (body.Text("snapshot_id") is not { } id)
                return Reply.Refuse(body.Errors() ?? Refusal.Internal());
            snapshot = await snapshots.OfSandboxAsync(context, id);
            if (snapshot is null)
                return Reply.Refuse(Refusal.NotFound("snapshot"));
        }
        var source = snapshot is null
            ? await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted)
            : SnapshotSet.SourceOf(snapshot);
        if (source is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var hasMemory = body.Bool("memory");
        var (draft, faults) = fields.Fork(body, source, context.Caller());
        if (draft is null)
            return Reply.Refuse(faults!); // one of the two is always there
        if (hasMemory == true && IsolationFields.MemoryFault(source.Isolation) is { } fault)
            return Reply.Refuse(fault);
        var (machine, no) = snapshot is null ? await machines.ForkAsync(source, draft, hasMemory ?? false) : await snapshots.LaunchAsync(snapshot, draft, hasMemory);
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : Reply.One(view.Of(machine), WireJson.Default.SandboxInfo, 201);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var (page, refusal) = await list.ReadAsync(context);
        return page is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : Reply.List(page, WireJson.Default.PageSandboxInfo);
    }

    private async Task<IResult> GetAsync(HttpContext context) =>
        One(await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted));

    // A destroyed one is 404 here: get-or-create of the clients makes a new one only then.
    private Task<IResult> GetByNameAsync(HttpContext context) =>
        Task.FromResult(One(machines.FindByName(context.Caller(), context.PathValue("name"))));

    private Task<IResult> UpdateAsync(HttpContext context) => ChangeAsync(context, fields.Update);

    private async Task<IResult> ChangeAsync(HttpContext context, Func<Fields, (RowChange?, Refusal?)> read)
    {
        var (body, refusal) = await Body.ReadAsync(context, SandboxFields.UpdateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        UserBound.Apply(body, context.Caller());
        var (change, faults) = read(body);
        if (change is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (machine, no) = await machines.ChangeAsync(context.Caller(), context.PathValue("sandbox_id"), change, context.RequestAborted);
        return no is null ? One(machine) : Reply.Refuse(no);
    }

    private async Task<IResult> PauseAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, SandboxFields.UpdateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var hasMemory = body.Bool("memory") ?? false;
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        if (!hasMemory)
            return await AskAsync(context, Want.Pause);
        if (await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is not { } machine)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        return IsolationFields.MemoryFault(machine.Isolation) is { } fault ? Reply.Refuse(fault) : await AskAsync(context, Want.Hibernate);
    }

    private async Task<IResult> AskAsync(HttpContext context, Want want)
    {
        var (machine, refusal) = await machines.AskAsync(context.Caller(), context.PathValue("sandbox_id"), want, context.RequestAborted);
        return refusal is null ? One(machine) : Reply.Refuse(refusal);
    }

    private IResult One(Machine? machine) =>
        machine is null ? Reply.Refuse(Refusal.NotFound("sandbox")) : Reply.One(view.Of(machine), WireJson.Default.SandboxInfo);
}
