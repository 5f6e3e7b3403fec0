using System.Text;
using System.Text.RegularExpressions;
using Miosa.Guest;
using Miosa.Server.Exec;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.ComputerServices;

/// <summary>The services of a computer. Registered ones can be read and deleted while it is stopped; everything else needs it running.</summary>
internal sealed partial class ServiceEndpoints(ServiceSet services, ServiceKeeper keeper, EnvSeal seal, TimeProvider time)
{
    private const string All = "/computers/{computer_id}/services";
    private const string One = All + "/{service_id}";

    private const int MaxCommandBytes = 32 * 1024;

    private static readonly Aliases CreateAliases = new Aliases().Add("restart_policy", "restart").Add("working_dir", "cwd", "workdir").Add("command", "cmd");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ServiceEndpoints>();
        api.Map("POST", All, it.CreateAsync).Needs(Scopes.ComputersWrite).WithMetadata(new Replayable(KeyInBody: false));
        api.Map("GET", All, it.ListAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", One, it.GetAsync).Needs(Scopes.ComputersRead);
        api.Map("DELETE", One, it.DeleteAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", One + "/start", it.StartAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", One + "/stop", it.StopAsync).Needs(Scopes.ComputersWrite);
        api.Map("POST", One + "/restart", it.RestartAsync).Needs(Scopes.ComputersWrite);
        api.MapStream("GET", One + "/logs", it.LogsAsync).Needs(Scopes.ComputersRead);
    }

    private async Task<IResult> CreateAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, CreateAliases);
        var (draft, faults) = refusal is null ? DraftOf(body, context.Caller().TenantId) : (null, refusal);
        if (draft is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var admitted = await context.AdmitAsync(AdmitFor.Exec);
        if (admitted.Refusal is { } no)
            return Reply.Refuse(no);
        var row = draft with { MachineId = admitted.MachineId };
        try
        {
            var (process, taken) = await keeper.AddAsync(admitted.Guest, row, context.RequestAborted);
            return taken is null ? Reply.One(keeper.View(row, process, isComputerRunning: true), WireJson.Default.ComputerService, 201) : Reply.Refuse(taken);
        }
        catch (GuestException e)
        {
            return Reply.Refuse(RefusalOf(e));
        }
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        if (await context.FindMachineAsync() is not { } machine)
            return Reply.Refuse(context.UnknownMachine());
        var (processes, no) = await ProcessesAsync(context, machine);
        if (no is not null)
            return Reply.Refuse(no);
        List<ComputerService> views = [.. services.Of(machine.Id).Select(row => keeper.View(row, Last(processes, row), processes is not null))];
        return Reply.Bare(new ComputerServiceList { Data = views, Total = views.Count }, WireJson.Default.ComputerServiceList);
    }

    private Task<IResult> GetAsync(HttpContext context) => WithAsync(context, async (machine, row) =>
    {
        var (processes, no) = await ProcessesAsync(context, machine);
        return no is null ? Answer(row, Last(processes, row), processes is not null) : Reply.Refuse(no);
    });

    private Task<IResult> DeleteAsync(HttpContext context) => WithAsync(context, async (machine, row) =>
    {
        if (machine.State == MachineState.Running)
        {
            // First, so that nothing starts it again behind its stop.
            await services.ChangeAsync(row, old => old with { IsWanted = false });
            if (await RunAsync(context, guest => keeper.StopAsync(guest, row, context.RequestAborted)) is { Refusal: { } no })
                return Reply.Refuse(no);
        }
        await services.DeleteAsync(row);
        keeper.Forget(row);
        return Reply.Ok();
    });

    private Task<IResult> StartAsync(HttpContext context) => WithAsync(context, async (_, row) =>
        Told(await RunAsync(context, async guest =>
        {
            await WantAsync(row, isWanted: true);
            return await keeper.StartAsync(guest, row, context.RequestAborted);
        }), row));

    private Task<IResult> StopAsync(HttpContext context) => WithAsync(context, async (_, row) =>
        Told(await RunAsync(context, async guest =>
        {
            await WantAsync(row, isWanted: false);
            return await keeper.StopAsync(guest, row, context.RequestAborted);
        }), row));

    private Task<IResult> RestartAsync(HttpContext context) => WithAsync(context, async (_, row) =>
        Told(await RunAsync(context, async guest =>
        {
            // Never unwanted meanwhile: a restart that is cut off leaves a service that is on.
            await WantAsync(row, isWanted: true);
            return await keeper.RestartAsync(guest, row, context.RequestAborted);
        }), row));

    private async Task LogsAsync(HttpContext context)
    {
        var fields = FileFields.Of(context.Request.Query);
        var isFollowed = context.Request.Query["follow"].ToString() is "true" or "1";
        var tail = int.TryParse(context.Request.Query["tail"], out var number) ? number : (int?)null;
        if (context.Request.Query["tail"].ToString() is { Length: > 0 } text && tail is not >= 0)
            fields.Fail("tail", $"must be a number from 0, got \"{text}\"");
        var refusal = fields.Errors();
        ServiceRow? row = null;
        if (refusal is null)
        {
            var machine = await context.FindMachineAsync();
            row = machine is null ? null : services.Find(machine.Id, context.PathValue("service_id"));
            refusal = machine is null ? context.UnknownMachine() : row is null ? Refusal.NotFound("service") : null;
        }
        if (row is null || refusal is not null)
        {
            await Reply.Refuse(refusal ?? Refusal.Internal()).ExecuteAsync(context);
            return;
        }
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } no)
            await Reply.Refuse(no).ExecuteAsync(context);
        else
            await ServiceLog.WriteAsync(context, admitted.Guest, row, tail, isFollowed, () => services.Find(row.MachineId, row.Id) is not null);
    }

    private (ServiceRow? Row, Refusal? Refusal) DraftOf(Fields body, string tenantId)
    {
        foreach (var name in (string[])["name", "command"])
        {
            if (!body.Has(name))
                body.Fail(name, "is required");
        }
        var (title, command) = (body.Text("name", 64, Name(), "must have only letters, digits, dots, dashes and underscores"), body.Text("command", int.MaxValue));
        if (command is not null && Encoding.UTF8.GetByteCount(command) > MaxCommandBytes)
            body.Fail("command", $"must be at most {MaxCommandBytes} bytes; write a script file and run that");
        var folder = body.Text("working_dir", 4096);
        var env = MachineEnv.Of(body.TextMap("env", ExecCommand.EnvironmentName()), time.GetUtcNow());
        if (env.Excess() is { } excess)
            body.Fail("env", excess);
        var policy = body.Text("restart_policy");
        if (policy is not (null or ComputerServiceRestart.No or ComputerServiceRestart.OnFailure or ComputerServiceRestart.Always))
            body.Fail("restart_policy", $"must be no, on-failure or always, got \"{policy}\"");
        var isRestarted = body.Bool("auto_restart");
        var port = body.Int("port", 1, 65_535);
        if (body.Errors() is { } faults)
            return (null, faults);
        var now = time.GetUtcNow();
        return (new ServiceRow
        {
            Id = Ids.New("svc"),
            TenantId = tenantId,
            MachineId = "",
            Name = title ?? "", // refused above when missing, as the command
            Command = command ?? "",
            WorkingDir = folder,
            SealedEnv = seal.Seal(env),
            RestartPolicy = policy ?? (isRestarted == true ? ComputerServiceRestart.OnFailure : ComputerServiceRestart.No),
            Port = port,
            IsWanted = true,
            CreatedAt = now,
            UpdatedAt = now,
        }, null);
    }

    private async Task<IResult> WithAsync(HttpContext context, Func<Machine, ServiceRow, Task<IResult>> act)
    {
        if (await context.FindMachineAsync() is not { } machine)
            return Reply.Refuse(context.UnknownMachine());
        return services.Find(machine.Id, context.PathValue("service_id")) is { } row ? await act(machine, row) : Reply.Refuse(Refusal.NotFound("service"));
    }

    /// <summary>What runs in the machine; null when the machine does not.</summary>
    private static async Task<(IReadOnlyList<GuestProcess>? Processes, Refusal? Refusal)> ProcessesAsync(HttpContext context, Machine machine)
    {
        if (machine.State != MachineState.Running)
            return (null, null);
        var admitted = await context.AdmitOnlookerAsync(AdmitFor.FileRead);
        if (admitted.Refusal is { } refusal)
            return (null, refusal);
        try
        {
            return (await admitted.Guest.ListProcessesAsync(context.RequestAborted), null);
        }
        catch (GuestException e)
        {
            return (null, RefusalOf(e));
        }
    }

    private static async Task<(GuestProcess? Process, Refusal? Refusal)> RunAsync(
        HttpContext context, Func<GuestConnection, Task<GuestProcess?>> act)
    {
        var admitted = await context.AdmitAsync(AdmitFor.Exec);
        if (admitted.Refusal is { } refusal)
            return (null, refusal);
        try
        {
            return (await act(admitted.Guest), null);
        }
        catch (GuestException e)
        {
            return (null, RefusalOf(e));
        }
    }

    private Task<ServiceRow?> WantAsync(ServiceRow row, bool isWanted) => services.ChangeAsync(row, old => old with { IsWanted = isWanted, UpdatedAt = time.GetUtcNow() });

    private IResult Told((GuestProcess? Process, Refusal? Refusal) done, ServiceRow row) => done.Refusal is { } refusal
        ? Reply.Refuse(refusal)
        : Answer(services.Find(row.MachineId, row.Id) ?? row, done.Process, isComputerRunning: true);

    private IResult Answer(ServiceRow row, GuestProcess? process, bool isComputerRunning) =>
        Reply.One(keeper.View(row, process, isComputerRunning), WireJson.Default.ComputerService);

    private static GuestProcess? Last(IReadOnlyList<GuestProcess>? processes, ServiceRow row) => processes is null ? null : ServiceKeeper.LastOf(processes, row);

    private static Refusal RefusalOf(GuestException e) => e.Code switch
    {
        GuestErrorCode.NotFound or GuestErrorCode.NotDirectory or GuestErrorCode.Permission => Refusal.Invalid("working_dir", e.Message),
        GuestErrorCode.BadRequest or GuestErrorCode.TooLarge => Refusal.Invalid("command", e.Message),
        GuestErrorCode.Busy or GuestErrorCode.Unsupported => Refusal.Conflict(e.Message),
        _ => Refusal.AgentUnavailable(e.Message),
    };

    [GeneratedRegex(@"\A[A-Za-z0-9._-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
