using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Previews;

/// <summary>The groups Sandbox previews and Sandbox shares of the contract. Answers with a secret are not replayable: replays are stored.</summary>
internal sealed class PreviewEndpoints(Machines machines, MachineDirectory directory, Previews previews, PreviewView view, TimeProvider time)
{
    private const int MaxTokenSec = 86_400;
    private const int MaxShareSec = 31_536_000;
    private const int DefaultSec = 3600;

    /// <summary>How long a list waits for a machine to tell its ports.</summary>
    private static readonly TimeSpan AskPatience = TimeSpan.FromSeconds(2);

    private static readonly Aliases Life = new Aliases().Add("expires_in", "ttl_seconds", "expires_in_sec", "expires_in_seconds");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<PreviewEndpoints>();
        const string One = "/sandboxes/{sandbox_id}";
        foreach (var spelling in (string[])["preview-token", "preview_token"])
            api.Map("POST", $"{One}/{spelling}", it.MintTokenAsync).Needs(Scopes.SandboxesWrite);
        api.Map("POST", $"{One}/expose", it.ExposeAsync).Needs(Scopes.SandboxesWrite);
        api.Map("GET", $"{One}/previews", it.ListAsync).Needs(Scopes.SandboxesRead);
        api.Map("POST", $"{One}/previews", it.PublishAsync).Needs(Scopes.SandboxesWrite);
        api.Map("GET", $"{One}/previews/{{preview_id}}", it.GetAsync).Needs(Scopes.SandboxesRead);
        api.Map("DELETE", $"{One}/previews/{{preview_id}}", it.DeleteAsync).Needs(Scopes.SandboxesWrite);
        api.Map("POST", $"{One}/previews/{{preview_id}}/share", it.ShareAsync).Needs(Scopes.SandboxesWrite);
        api.Map("DELETE", $"{One}/previews/{{preview_id}}/share", it.UnshareAsync).Needs(Scopes.SandboxesWrite);
        api.Map("POST", $"{One}/shares", it.MakeLinkAsync).Needs(Scopes.SandboxesWrite);
        api.Map("GET", $"{One}/shares", it.ListLinksAsync).Needs(Scopes.SandboxesRead);
        api.Map("DELETE", $"{One}/shares/{{share_id}}", it.RevokeLinkAsync).Needs(Scopes.SandboxesWrite);
    }

    private async Task<IResult> MintTokenAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Life);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var expiresIn = body.Int("expires_in", 1, MaxTokenSec) ?? DefaultSec;
        var port = body.Int("port", 1, PreviewHosts.MaxPort);
        var scope = OneOf(body, "scope", PreviewScopes.Read, PreviewScopes.Interact) ?? PreviewScopes.Read;
        var (machine, no) = await MachineAsync(context, body);
        if (machine is null)
            return Reply.Refuse(no!); // one of the two is always there
        var (row, text, full) = await previews.GrantAsync(machine, GrantKind.Token, expiresIn, scope == PreviewScopes.Interact, port, previewId: null, context.RequestAborted);
        if (row is null)
            return Reply.Refuse(full!); // one of the two is always there
        var url = view.UrlWith(machine.Row, port ?? PreviewView.PortOf(machine), PreviewSecrets.TokenParameter, text);
        return Reply.NotStored(context, Reply.One(
            new PreviewToken { Token = text, Url = url, EmbedUrl = url, ExpiresAt = row.ExpiresAt ?? throw new InvalidOperationException("a token has an end"), Scope = scope },
            WireJson.Default.PreviewToken));
    }

    /// <summary>Publishing is meant for everybody, unless the port has been published as private.</summary>
    private async Task<IResult> ExposeAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var port = body.Int("port", 1, PreviewHosts.MaxPort);
        var (machine, no) = await MachineAsync(context, body);
        if (machine is null)
            return Reply.Refuse(no!); // one of the two is always there
        var wanted = port ?? PreviewView.PortOf(machine);
        var (row, _, full) = await previews.PublishAsync(machine, wanted, isPublic: null, name: null, defaultPublic: true, context.RequestAborted);
        return row is null ? Reply.Refuse(full!) : Reply.One(view.UrlInfo(machine.Row, wanted), WireJson.Default.PreviewUrlInfo);
    }

    private async Task<IResult> PublishAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Aliases.None);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var port = body.Int("port", 1, PreviewHosts.MaxPort);
        if (port is null)
            body.Fail("port", $"is missing: send a whole number from 1 to {PreviewHosts.MaxPort}");
        var visibility = OneOf(body, "visibility", PreviewVisibility.Private, PreviewVisibility.Public);
        var name = body.Text("name");
        if (body.Has("slug"))
            body.Fail("slug", "is not supported by this server yet; leave it out, the host name is made from the port and the sandbox");
        var (machine, no) = await MachineAsync(context, body);
        if (machine is null || port is null)
            return Reply.Refuse(no!); // there when one of the two is missing
        bool? isPublic = visibility is null ? null : visibility == PreviewVisibility.Public;
        var (row, isNew, full) = await previews.PublishAsync(machine, port.Value, isPublic, name, defaultPublic: false, context.RequestAborted);
        if (row is null)
            return Reply.Refuse(full!); // one of the two is always there
        return Reply.One(view.Of(machine, row, await ListeningAsync(machine, context.RequestAborted)), WireJson.Default.Preview, isNew ? 201 : 200);
    }

    private async Task<IResult> ListAsync(HttpContext context)
    {
        if (directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is not { } machine)
            return await NoneAsync(context) ?? Reply.Bare(new PreviewList { Data = [] }, WireJson.Default.PreviewList);
        var rows = machine.Previews.All;
        var listening = rows.Count == 0 ? null : await ListeningAsync(machine, context.RequestAborted);
        return Reply.Bare(new PreviewList { Data = [.. rows.OrderBy(p => p.Row.Port).Select(p => view.Of(machine, p.Row, listening))] }, WireJson.Default.PreviewList);
    }

    private async Task<IResult> GetAsync(HttpContext context) => Find(context) is var (machine, row)
        ? Reply.One(view.Of(machine, row, await ListeningAsync(machine, context.RequestAborted)), WireJson.Default.Preview)
        : Reply.Refuse(Refusal.NotFound("preview"));

    private async Task<IResult> DeleteAsync(HttpContext context)
    {
        if (directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is not { } machine)
            return await NoneAsync(context) ?? Reply.Ok();
        // Repeatable: what is gone already is what was wanted, but an id that was never one is a mistake.
        var id = context.PathValue("preview_id");
        if (!id.StartsWith("prv_", StringComparison.Ordinal))
            return Reply.Refuse(Refusal.NotFound("preview"));
        await previews.DeleteAsync(machine, id, context.RequestAborted);
        return Reply.Ok();
    }

    private async Task<IResult> ShareAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Life);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        if (Find(context) is not var (machine, preview))
            return Reply.Refuse(Refusal.NotFound("preview"));
        var expiresIn = body.Int("expires_in", 1, MaxShareSec) ?? DefaultSec;
        if (body.Errors() is { } faults)
            return Reply.Refuse(faults);
        var (row, text, full) = await previews.GrantAsync(machine, GrantKind.PreviewShare, expiresIn, mayWrite: true, preview.Port, preview.Id, context.RequestAborted);
        if (row is null)
            return Reply.Refuse(full!); // one of the two is always there
        var url = view.UrlWith(machine.Row, preview.Port, PreviewSecrets.PreviewShareParameter, text);
        var end = row.ExpiresAt ?? throw new InvalidOperationException("a share token has an end");
        return Reply.NotStored(context, Reply.One(
            new PreviewShareResult
            {
                Id = preview.Id,
                PreviewToken = text,
                Token = text,
                ShareUrl = url,
                Url = url,
                ShareTokenPrefix = row.Prefix,
                ShareTokenExpiresAt = end,
                ExpiresAt = end,
            },
            WireJson.Default.PreviewShareResult));
    }

    private async Task<IResult> UnshareAsync(HttpContext context)
    {
        if (Find(context) is not var (machine, preview))
            return Reply.Refuse(Refusal.NotFound("preview"));
        await previews.RevokeAsync(machine, [.. machine.Previews.Grants.Where(g => g.Row.PreviewId == preview.Id).Select(g => g.Row.Id)], context.RequestAborted);
        return Reply.Ok();
    }

    private async Task<IResult> MakeLinkAsync(HttpContext context)
    {
        var (body, refusal) = await Body.ReadAsync(context, Life);
        if (refusal is not null)
            return Reply.Refuse(refusal);
        var expiresIn = body.Int("expires_in", 1, int.MaxValue);
        OneOf(body, "scope", PreviewScopes.Read);
        var (machine, no) = await MachineAsync(context, body);
        if (machine is null)
            return Reply.Refuse(no!); // one of the two is always there
        var (row, text, full) = await previews.GrantAsync(machine, GrantKind.Share, expiresIn, mayWrite: false, port: null, previewId: null, context.RequestAborted);
        return row is null
            ? Reply.Refuse(full!) // one of the two is always there
            : Reply.NotStored(context, Reply.One(view.Of(machine.Row, row, PreviewView.PortOf(machine), text), WireJson.Default.Share, 201));
    }

    private async Task<IResult> ListLinksAsync(HttpContext context)
    {
        if (directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is not { } machine)
            return await NoneAsync(context) ?? Reply.Bare(new ShareList { Data = [] }, WireJson.Default.ShareList);
        var now = time.GetUtcNow();
        var links = machine.Previews.Grants.Select(g => g.Row).Where(g => g.Kind == nameof(GrantKind.Share) && !(g.ExpiresAt <= now)).Reverse();
        return Reply.Bare(new ShareList { Data = [.. links.Select(g => view.Of(machine.Row, g, PreviewView.PortOf(machine), secret: null))] }, WireJson.Default.ShareList);
    }

    private async Task<IResult> RevokeLinkAsync(HttpContext context)
    {
        if (directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is not { } machine)
            return await NoneAsync(context) ?? Reply.Ok();
        var id = context.PathValue("share_id");
        if (!id.StartsWith("ms_", StringComparison.Ordinal))
            return Reply.Refuse(Refusal.NotFound("share"));
        if (machine.Previews.Grants.Any(g => g.Row.Id == id && g.Row.Kind == nameof(GrantKind.Share)))
            await previews.RevokeAsync(machine, [id], context.RequestAborted);
        return Reply.Ok();
    }

    /// <summary>The live machine of a call that makes something, after every fault of the body was told.</summary>
    private async Task<(Resident? Machine, Refusal? Refusal)> MachineAsync(HttpContext context, Fields body)
    {
        if (directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is not { } machine)
        {
            return (null, await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is null
                ? Refusal.NotFound("sandbox")
                : Refusal.Conflict("the sandbox is destroyed"));
        }
        return body.Errors() is { } faults ? (null, faults) : (machine, null);
    }

    /// <summary>404, or null for a machine that is destroyed: it has nothing any more.</summary>
    private async Task<IResult?> NoneAsync(HttpContext context) =>
        await machines.FindAsync(context.Caller(), context.PathValue("sandbox_id"), context.RequestAborted) is null ? Reply.Refuse(Refusal.NotFound("sandbox")) : null;

    private (Resident Machine, PreviewRow Row)? Find(HttpContext context) =>
        directory.Find(context.Caller().TenantId, context.PathValue("sandbox_id")) is { } machine
        && machine.Previews.Find(context.PathValue("preview_id"))?.Row is { } row
            ? (machine, row)
            : null;

    /// <summary>Null when the machine does not run or does not answer: asking must not wake it.</summary>
    public static async Task<IReadOnlySet<int>?> ListeningAsync(Resident machine, CancellationToken ct)
    {
        if (machine.Row.State != MachineState.Running || machine.Road is not { } road)
            return null;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(AskPatience);
        try
        {
            var guest = await road.ConnectAsync(patience.Token);
            return await guest.ListeningPortsAsync(patience.Token);
        }
        catch (Exception e) when (e is GuestException or IOException or System.Net.Sockets.SocketException
            || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return null;
        }
    }

    private static string? OneOf(Fields body, string field, params string[] allowed)
    {
        var value = body.Text(field);
        if (value is not null && !allowed.Contains(value))
            body.Fail(field, $"must be {string.Join(" or ", allowed)}, got \"{value}\"");
        return value;
    }
}
