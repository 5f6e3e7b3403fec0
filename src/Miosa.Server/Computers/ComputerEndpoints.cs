using Miosa.Server.ComputerServices;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Nodes;
using Miosa.Server.Settings;
using Miosa.Server.Templates;
using Miosa.Server.Workspaces;

namespace Miosa.Server.Computers;

/// <summary>The life of computers, of the group Computers of the contract.</summary>
internal sealed class ComputerEndpoints(
    Machines machines, ComputerFields fields, ComputerView view, ComputerList list, Desktops desktops, RuntimeClient runtime, TemplateSet templates, WorkspaceSet workspaces, TenantDefaults tenantDefaults, ServiceKeeper services)
{
    private const string Destroyed = "destroyed";

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ComputerEndpoints>();
        const string One = "/computers/{computer_id}";
        api.Map("POST", "/computers", it.CreateAsync).Needs(Scopes.ComputersWrite).AlsoForOneUser().WithMetadata(new Replayable(KeyInBody: true));
        api.Map("GET", "/computers", it.ListAsync).Needs(Scopes.ComputersRead).AlsoForOneUser();
        api.Map("GET", One, it.GetAsync).Needs(Scopes.ComputersRead);
        foreach (var method in (string[])["PATCH", "PUT", "POST"])
            api.Map(method, One, context => it.ChangeAsync(context, ComputerFields.ChangeAliases, body => it.Read(body, context))).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("DELETE", One, it.DeleteAsync).Needs(Scopes.ComputersWrite);
        foreach (var (verb, want) in ((string, Want)[])[("start", Want.Start), ("stop", Want.Stop), ("restart", Want.Restart)])
            api.Map("POST", $"{One}/{verb}", context => it.AskAsync(context, want)).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("POST", $"{One}/clone", it.CloneAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: true));
        foreach (var method in (string[])["POST", "PATCH"])
            api.Map(method, $"{One}/resize", context => it.ChangeAsync(context, ComputerFields.ChangeAliases, it.ReadSize)).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("POST", $"{One}/move", it.MoveAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.CreateAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var caller = context.Caller();
        // First: a token says which workspace it is.
        UserBound.Apply(body, caller);
        var (workspace, isNewWorkspace) = workspaces.OfMachine(body, caller.TenantId);
        if (workspace is not null)
            WorkspaceSettings.Fill(body.Body, workspace.Settings);
        // Looked up before the checks, because it has a say in them; what is wrong with it is told after them.
        var (image, template, unknown) = runtime.IsUp
            ? await templates.ResolveAsync(caller.TenantId, body.Text("template_type") ?? ComputerFields.DefaultImage, "template_type", context.RequestAborted)
            : default;
        var (draft, faults) = fields.Create(body, caller, template, tenantDefaults.Of(caller.TenantId), workspace);
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
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : One(machine, 201);
    }

    private async Task<IResult> CloneAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.ChangeAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await FindAsync(context) is not { } source)
            return NotFound();
        var (draft, faults) = fields.Clone(body, source, context.Caller());
        if (draft is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (machine, no) = await machines.ForkAsync(source, draft, hasMemory: false);
        if (machine is not null)
            await services.AdoptAsync(source.Id, machine.Id);
        return machine is null ? Reply.Refuse(no ?? Refusal.Internal()) : One(machine, 201);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        var (page, refusal) = await list.ReadAsync(context);
        return page is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : Reply.List(page, WireJson.Default.PageComputerInfo);
    }

    private async Task<IResult> GetAsync(HttpContext context) => await FindAsync(context) is { } machine ? One(machine) : NotFound();

    private async Task<IResult> ChangeAsync(HttpContext context, Aliases aliases, Func<Fields, (RowChange?, Refusal?)> read)
    {
        var (body, refusal) = await Body.ReadAsync(context, aliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await FindAsync(context) is null)
            return NotFound();
        var (change, faults) = read(body);
        if (change is null)
            return Reply.Refuse(faults!); // one of the two is always there
        var (machine, no) = await machines.ChangeAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId), change, context.RequestAborted, MachineKind.Computer);
        if (no is not null || machine is null)
            return Reply.Refuse(no ?? Refusal.Internal());
        if (change.MissingApps is not null)
            desktops.InstallApps(machine.Id);
        return One(machine);
    }

    private (RowChange?, Refusal?) Read(Fields body, HttpContext context) => fields.Update(body, context.Caller());

    private (RowChange?, Refusal?) ReadSize(Fields body) => fields.Resize(body);

    private async Task<IResult> MoveAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, ComputerFields.ChangeAliases);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await FindAsync(context) is not { } machine)
            return NotFound();
        return fields.Move(body) is { } fault ? Reply.Refuse(fault) : One(machine);
    }

    private async Task<IResult> AskAsync(HttpContext context, Want want)
    {
        var (machine, refusal) = await machines.AskAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId), want, context.RequestAborted, MachineKind.Computer);
        return refusal is not null || machine is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : One(machine);
    }

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        var (machine, refusal) = await machines.AskAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId), Want.Destroy, context.RequestAborted, MachineKind.Computer);
        return refusal is not null || machine is null
            ? Reply.Refuse(refusal ?? Refusal.Internal())
            : Reply.Bare(new ComputerActionResult { Id = machine.Id, Status = Destroyed }, WireJson.Default.ComputerActionResult);
    }

    private ValueTask<Machine?> FindAsync(HttpContext context) => machines.FindComputerAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId));

    private static IResult NotFound() => Reply.Refuse(Refusal.NotFound(MachineKind.Computer));

    private IResult One(Machine machine, int status = 200) => Reply.Envelope(view.Of(machine), WireJson.Default.ComputerInfo, status);
}
