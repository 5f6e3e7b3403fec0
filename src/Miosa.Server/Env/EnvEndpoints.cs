using Miosa.Server.Host;
using Miosa.Server.Lifecycle;

namespace Miosa.Server.Env;

/// <summary>The group Sandbox env: what later commands of a sandbox get. A running command keeps what it was started with.</summary>
internal static class EnvEndpoints
{
    public static void Map(IEndpointRouteBuilder api)
    {
        api.Map("GET", "/sandboxes/{sandbox_id}/env", ListAsync).Needs(Scopes.SandboxesRead);
        foreach (var method in (string[])["PUT", "PATCH", "POST"])
            api.Map(method, "/sandboxes/{sandbox_id}/env", context => SetAsync(context, EnvFields.Read)).Needs(Scopes.SandboxesWrite);
        api.Map("PUT", "/sandboxes/{sandbox_id}/env/{key}", SetOneAsync).Needs(Scopes.SandboxesWrite);
        api.Map("DELETE", "/sandboxes/{sandbox_id}/env/{key}", DeleteAsync).Needs(Scopes.SandboxesWrite);
    }

    private static async Task<IResult> ListAsync(HttpContext context)
    {
        var (env, refusal) = await Machines(context).EnvAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted);
        return env is null ? Reply.Refuse(refusal ?? Refusal.Internal()) : List(env);
    }

    private static Task<IResult> SetOneAsync(HttpContext context) => SetAsync(context, (fields, now) => EnvFields.ReadOne(fields, context.PathValue("key"), now));

    private static async Task<IResult> SetAsync(HttpContext context, Func<Fields, DateTimeOffset, (EnvChange?, Refusal?)> read)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (await Machines(context).FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is null)
            return Reply.Refuse(Refusal.NotFound("sandbox"));
        var now = context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
        var (change, faults) = read(body, now);
        if (change is null)
            return Reply.Refuse(faults ?? Refusal.Internal());
        var (env, no) = await Machines(context).ChangeEnvAsync(context.Caller(), context.PathValue("sandbox_id"), change, context.RequestAborted);
        return env is null ? Reply.Refuse(no ?? Refusal.Internal()) : List(env);
    }

    // What is not there is gone already: clients repeat a call whose answer they missed.
    private static async Task<IResult> DeleteAsync(HttpContext context)
    {
        var key = context.PathValue("key");
        var (env, refusal) = await Machines(context).ChangeEnvAsync(context.Caller(), context.PathValue("sandbox_id"), new EnvChange { Drop = key }, context.RequestAborted);
        return env is null
            ? Reply.Refuse(refusal ?? Refusal.Internal())
            : Reply.Bare(new SandboxEnvDeleted { Name = key, Key = key }, WireJson.Default.SandboxEnvDeleted);
    }

    private static IResult List(MachineEnv env)
    {
        var variables = env.Variables.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => new SandboxEnvVar
        {
            Key = pair.Key,
            Name = pair.Key,
            Value = pair.Value.IsSecret ? null : pair.Value.Value,
            Encrypted = pair.Value.IsSecret,
            UpdatedAt = pair.Value.SetAt,
        });
        // Exactly one key at the top: Python unwraps a body of more than two keys no further.
        return Reply.Bare(new SandboxEnvList { Data = [.. variables] }, WireJson.Default.SandboxEnvList);
    }

    private static Machines Machines(HttpContext context) => context.RequestServices.GetRequiredService<Machines>();
}
