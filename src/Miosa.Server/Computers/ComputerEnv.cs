using Miosa.Server.Env;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Computers;

/// <summary>
/// The environment of a computer: what later commands get, and the desktop from its next start. One variable a call. Values are told again unless they were
/// set with <c>masked</c> or <c>encrypted</c>, which the contract does not name but a careful caller may send.
/// </summary>
internal static class ComputerEnv
{
    private static readonly Aliases Names = new Aliases().Add("key", "name").Add("encrypted", "masked", "secret");

    public static void Map(IEndpointRouteBuilder api)
    {
        const string Env = "/computers/{computer_id}/env";
        api.Map("GET", Env, ListAsync).Needs(Scopes.ComputersRead);
        api.Map("POST", Env, context => SetAsync(context, name: null)).Needs(Scopes.ComputersWrite);
        foreach (var method in (string[])["PATCH", "PUT"])
            api.Map(method, Env + "/{name}", context => SetAsync(context, context.PathValue("name"))).Needs(Scopes.ComputersWrite);
        api.Map("DELETE", Env + "/{name}", DeleteAsync).Needs(Scopes.ComputersWrite);
    }

    private static async Task<IResult> ListAsync(HttpContext context)
    {
        var id = context.PathValue(MachinePaths.ComputerId);
        var (env, refusal) = await Machines(context).EnvAsync(context.Caller(), id, context.RequestAborted, MachineKind.Computer);
        if (env is null)
            return Reply.Refuse(refusal ?? Refusal.Internal());
        var variables = env.Variables.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => Of(id, pair.Key, pair.Value)).ToList();
        return Reply.Bare(new ComputerEnvVarList { Data = variables, Total = variables.Count }, WireJson.Default.ComputerEnvVarList);
    }

    /// <param name="name">The variable of the path, which must be there; null for one that the body names.</param>
    private static async Task<IResult> SetAsync(HttpContext context, string? name)
    {
        var (body, refusal) = await Body.ReadAsync(context, Names);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var machines = Machines(context);
        var id = context.PathValue(MachinePaths.ComputerId);
        var (old, unknown) = await machines.EnvAsync(context.Caller(), id, context.RequestAborted, MachineKind.Computer);
        if (old is null)
            return Reply.Refuse(unknown ?? Refusal.Internal());
        if (name is not null && !old.Variables.ContainsKey(name))
            return Reply.Refuse(Refusal.NotFound("variable"));
        // Secret is what was asked to be: the computer's own clients read values back.
        body.Body["encrypted"] ??= name is not null && old.Variables[name].IsSecret;
        var key = name ?? (body.Body["key"] is null ? null : body.Text("key", MachineEnv.MaxKeyLength));
        if (key is null)
        {
            body.Fail("name", "is missing: letters, digits and underscores, not beginning with a digit");
            return Reply.Refuse(body.Errors() ?? Refusal.Internal());
        }
        var (change, faults) = EnvFields.ReadOne(body, key, context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow());
        if (change is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var (env, no) = await machines.ChangeEnvAsync(context.Caller(), id, change, context.RequestAborted, MachineKind.Computer);
        return env is null
            ? Reply.Refuse(no ?? Refusal.Internal())
            : Reply.Bare(Of(id, key, env.Variables[key]), WireJson.Default.ComputerEnvVar, name is null && !old.Variables.ContainsKey(key) ? 201 : 200);
    }

    // What is not there is gone already: clients repeat a call whose answer they missed.
    private static async Task<IResult> DeleteAsync(HttpContext context)
    {
        var (id, name) = (context.PathValue(MachinePaths.ComputerId), context.PathValue("name"));
        var (env, refusal) = await Machines(context).ChangeEnvAsync(context.Caller(), id, new EnvChange { Drop = name }, context.RequestAborted, MachineKind.Computer);
        return env is null
            ? Reply.Refuse(refusal ?? Refusal.Internal())
            : Reply.Bare(new ComputerActionResult { Id = name }, WireJson.Default.ComputerActionResult);
    }

    private static ComputerEnvVar Of(string computer, string name, EnvValue value) => new()
    {
        Name = name,
        Key = name,
        Value = value.IsSecret ? null : value.Value,
        Masked = value.IsSecret,
        ComputerId = computer,
        CreatedAt = value.SetAt,
        UpdatedAt = value.SetAt,
    };

    private static Machines Machines(HttpContext context) => context.RequestServices.GetRequiredService<Machines>();
}
