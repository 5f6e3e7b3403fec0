using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Miosa.Server.Audit;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Previews;

namespace Miosa.Server.Viewer;

/// <summary>The live view: what opens it (credentials, tokens, the viewer password), its page and its socket. Answers with a secret are not replayable: replays are stored.</summary>
internal sealed class ViewerEndpoints(
    Machines machines, ViewerAccess access, ViewerPage page, Previews.Previews grants, Shutdown shutdown, TimeProvider time)
{
    private const int DefaultSec = 3600;
    private const int MaxSec = 86_400;
    private const int PasswordSec = 8 * 3600;
    private const int MaxFormBytes = 4096;
    private const string Protocol = "rfb";
    private const string Subprotocol = "binary";

    private static readonly Aliases TokenNames = new Aliases().Add("read_only", "readOnly");

    public static void Map(IEndpointRouteBuilder api)
    {
        var it = api.ServiceProvider.GetRequiredService<ViewerEndpoints>();
        const string One = "/computers/{computer_id}";
        api.Map("GET", $"{One}/vnc-credentials", it.CredentialsAsync).Needs(Scopes.ComputersRead);
        api.Map("POST", $"{One}/stream-token", it.TokenAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/embed", it.EmbedAsync).Needs(Scopes.ComputersRead);
        api.Map("GET", $"{One}/viewer-password", it.PasswordAsync).Needs(Scopes.ComputersRead);
        api.Map("POST", $"{One}/viewer-password/rotate", it.RotateAsync).Needs(Scopes.ComputersWrite);
        // Open to all: a token is its own permission, and a call without one is asked for its key inside.
        api.MapStream("GET", $"{One}/desktop/vnc", it.PageAsync).OpenToAll();
        api.MapStream("POST", $"{One}/desktop/vnc", it.SignInAsync).OpenToAll();
        api.MapStream("GET", $"{One}/desktop/vnc/ws", it.SocketAsync).OpenToAll();
    }

    private async Task<IResult> TokenAsync(HttpContext context)
    {
        var (fields, refusal) = await Body.ReadAsync(context, TokenNames);
        var expiresIn = fields.Int("expires_in", 1, MaxSec) ?? DefaultSec;
        var isReadOnly = fields.Bool("read_only") ?? false;
        if ((refusal ?? fields.Errors()) is { } faulty)
            return Reply.Refuse(faulty);
        if (!isReadOnly && !context.Caller().Has(Scopes.ComputersWrite))
            return Reply.Refuse(Refusal.MissingScope(Scopes.ComputersWrite) with { Message = $"the key lacks the scope \"{Scopes.ComputersWrite}\": with \"read_only\": true it gets a token for looking on" });
        var (made, no) = await MintAsync(context, expiresIn, isReadOnly);
        if (made is null)
            return Reply.Refuse(no!); // one of the two is always there
        return Reply.NotStored(context, Reply.Bare(
            new ComputerStreamToken
            {
                Token = made.Text,
                Url = ViewerAddress.Page(context.Request, made.Computer, made.Text),
                WsUrl = ViewerAddress.Socket(context.Request, made.Computer, made.Text),
                Protocol = Protocol,
                ReadOnly = isReadOnly,
                ExpiresIn = made.ExpiresIn,
                ExpiresAt = made.ExpiresAt,
            },
            WireJson.Default.ComputerStreamToken));
    }

    /// <summary>The desktop has no port of its own: what a viewer needs is the WebSocket's address and a token.</summary>
    private async Task<IResult> CredentialsAsync(HttpContext context)
    {
        var (made, no) = await MintAsync(context, DefaultSec, !context.Caller().Has(Scopes.ComputersWrite));
        if (made is null)
            return Reply.Refuse(no!); // one of the two is always there
        var request = context.Request;
        var url = ViewerAddress.Page(request, made.Computer, made.Text);
        return Reply.NotStored(context, Reply.Bare(
            new ComputerVncCredentials
            {
                ComputerId = made.Computer,
                Host = request.Host.Host,
                Port = request.Host.Port ?? (request.IsHttps ? 443 : 80),
                Username = "",
                Password = made.Text,
                Protocol = Protocol,
                Url = url,
                VncUrl = url,
                WsUrl = ViewerAddress.Socket(request, made.Computer, made.Text),
                ExpiresAt = made.ExpiresAt,
            },
            WireJson.Default.ComputerVncCredentials));
    }

    private async Task<IResult> EmbedAsync(HttpContext context)
    {
        var isReadOnly = context.Request.Query["read_only"] == "true" || !context.Caller().Has(Scopes.ComputersWrite);
        var (made, no) = await MintAsync(context, DefaultSec, isReadOnly);
        if (made is null)
            return Reply.Refuse(no!); // one of the two is always there
        return Reply.NotStored(context, Reply.Bare(
            new ComputerEmbed
            {
                EmbedUrl = ViewerAddress.Page(context.Request, made.Computer, made.Text),
                DesktopUrl = ViewerAddress.Page(context.Request, made.Computer),
                Auth = new ComputerEmbedAuth { PasswordRequired = false },
                ExpiresAt = made.ExpiresAt,
            },
            WireJson.Default.ComputerEmbed));
    }

    private async Task<IResult> PasswordAsync(HttpContext context)
    {
        if (await machines.FindComputerAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId)) is not { } row || access.Find(row.Id) is not { } computer)
            return Reply.Refuse(Refusal.NotFound(MachineKind.Computer));
        var since = computer.Previews.ViewerPassword?.Row.CreatedAt;
        return Reply.Bare(
            new ComputerViewerPassword
            {
                ComputerId = row.Id,
                PasswordSet = since is not null,
                ViewerPasswordSet = since is not null,
                PasswordSetAt = since,
                ViewerPasswordSetAt = since,
                RotatedAt = since,
            },
            WireJson.Default.ComputerViewerPassword);
    }

    private async Task<IResult> RotateAsync(HttpContext context)
    {
        if (await machines.FindComputerAsync(context.Caller(), context.PathValue(MachinePaths.ComputerId)) is not { } row || access.Find(row.Id) is not { } computer)
            return Reply.Refuse(Refusal.NotFound(MachineKind.Computer));
        var (grant, text) = await grants.RotateViewerPasswordAsync(computer, context.RequestAborted);
        return Reply.NotStored(context, Reply.Bare(
            new ComputerViewerPasswordRotation
            {
                ComputerId = row.Id,
                ViewerPassword = text,
                Password = text,
                PasswordSet = true,
                ViewerPasswordSet = true,
                PasswordSetAt = grant.CreatedAt,
                ViewerPasswordSetAt = grant.CreatedAt,
                RotatedAt = grant.CreatedAt,
            },
            WireJson.Default.ComputerViewerPasswordRotation));
    }

    /// <summary>With a token the page, with a key the way to it; for a person without either the question for the password.</summary>
    private async Task PageAsync(HttpContext context)
    {
        var (pass, refusal) = await access.CheckAsync(context);
        if (pass is null)
        {
            await AskAsync(context, refusal ?? Refusal.Internal(), isWrong: false);
            return;
        }
        if (pass.Caller is null)
        {
            await page.ShowAsync(context, pass.Computer.Row, ViewerAccess.TokenOf(context.Request) ?? "", pass.MayControl);
            return;
        }
        var (made, no) = await MintAsync(context, DefaultSec, !pass.MayControl);
        if (made is null)
            await AskAsync(context, no ?? Refusal.Internal(), isWrong: false);
        else
            Redirect(context, made, StatusCodes.Status302Found);
    }

    private async Task SignInAsync(HttpContext context)
    {
        if (access.Blocked(context) is { } blocked)
        {
            await AskAsync(context, blocked, isWrong: false);
            return;
        }
        var password = await PasswordInAsync(context);
        var computer = access.Find(context);
        var right = computer?.Previews.ViewerPassword;
        if (computer is null || right is null || password is null || !CryptographicOperations.FixedTimeEquals(right.Row.Hash, GrantText.HashOfPassword(password)))
        {
            await AskAsync(context, access.Denied(context, "the viewer password is missing or wrong"), isWrong: password is not null);
            return;
        }
        context.Features.Get<AuditCall>()?.By(new Caller(computer.Row.TenantId, right.Row.Id, new HashSet<string>()), "viewer password");
        var (row, text, full) = await grants.GrantStreamAsync(computer, time.GetUtcNow().AddSeconds(PasswordSec), mayWrite: true, keyId: null, right.Row.Id, context.RequestAborted);
        if (row is null)
            await AskAsync(context, full ?? Refusal.Internal(), isWrong: false);
        else
            Redirect(context, new Minted(computer.Row.Id, text, time.GetUtcNow().AddSeconds(PasswordSec), PasswordSec), StatusCodes.Status303SeeOther);
    }

    private async Task SocketAsync(HttpContext context)
    {
        var (pass, refusal) = await access.CheckAsync(context);
        // A browser is not told the status of an upgrade that was refused: whoever came with a token hears it as the code of the close.
        var tellsByCode = context.WebSockets.IsWebSocketRequest && ViewerAccess.TokenOf(context.Request) is not null;
        if (pass is null)
        {
            await RefuseAsync(context, refusal ?? Refusal.Internal(), tellsByCode, refusal?.Status == 429 ? ViewerSocket.TooMany : ViewerSocket.NotAllowed);
            return;
        }
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await Reply.Refuse(Refusal.BadRequest("this address is a WebSocket: connect with a viewer such as noVNC, or open the page (GET …/desktop/vnc)")).ExecuteAsync(context);
            return;
        }
        var mayControl = pass.MayControl && context.Request.Query["read_only"] != "true";
        var computer = pass.Computer;
        var admitted = await machines.AdmitAsync(computer, AdmitFor.Desktop, context.RequestAborted);
        if (admitted.Refusal is { } no)
        {
            await RefuseAsync(context, no, tellsByCode, no.Status == 409 ? ViewerSocket.NotRunning : ViewerSocket.TooMany);
            return;
        }
        if (!computer.Previews.TryWatch())
        {
            await RefuseAsync(context, Refusal.Unavailable($"a computer has at most {MachinePreviews.MaxViewers} viewers at a time", retryAfter: 5), tellsByCode, ViewerSocket.TooMany);
            return;
        }
        try
        {
            await WatchAsync(context, admitted, mayControl, tellsByCode);
        }
        finally
        {
            computer.Previews.Unwatch();
        }
    }

    private async Task WatchAsync(HttpContext context, Admitted admitted, bool mayControl, bool tellsByCode)
    {
        // Looking on keeps no computer awake; using it does, with every key and click.
        if (mayControl)
            admitted.Touch(time.GetUtcNow());
        GuestPortStream desktop;
        try
        {
            desktop = await admitted.Guest.ConnectDesktopAsync(context.RequestAborted);
        }
        catch (GuestException e)
        {
            await RefuseAsync(context, Desktop.DesktopOperation.RefusalOf(e, "desktop"), tellsByCode, ViewerSocket.TooMany);
            return;
        }
        await using (desktop)
        {
            using var socket = await AcceptAsync(context);
            await new ViewerSocket(socket, new RfbFilter(isViewOnly: !mayControl), () => admitted.Touch(time.GetUtcNow())).RunAsync(desktop, shutdown.Begun, context.RequestAborted);
        }
    }

    private static Task<System.Net.WebSockets.WebSocket> AcceptAsync(HttpContext context) =>
        context.WebSockets.AcceptWebSocketAsync(context.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol) ? Subprotocol : null);

    private static async Task RefuseAsync(HttpContext context, Refusal refusal, bool tellsByCode, System.Net.WebSockets.WebSocketCloseStatus code)
    {
        if (!tellsByCode)
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        context.Features.Get<AuditCall>()?.Refused(refusal);
        using var socket = await AcceptAsync(context);
        await ViewerSocket.CloseAsync(socket, code, refusal.Message);
    }

    private sealed record Minted(string Computer, string Text, DateTimeOffset ExpiresAt, int ExpiresIn);

    /// <summary>A token of the caller's key for a computer that runs. It ends no later than the key, or the token in its place.</summary>
    private async Task<(Minted? Made, Refusal? Refusal)> MintAsync(HttpContext context, int expiresIn, bool isReadOnly)
    {
        var caller = context.Caller();
        var admitted = await machines.AdmitComputerAsync(context, context.PathValue(MachinePaths.ComputerId), AdmitFor.Desktop);
        if (admitted.Refusal is { } refusal)
            return (null, refusal);
        if (access.Find(admitted.MachineId) is not { } computer)
            return (null, Refusal.NotFound(MachineKind.Computer));
        if (!computer.Row.HasDesktop)
            return (null, new Refusal(ErrorCodes.DesktopNotAvailable, "the computer has no desktop: create one of an image with a desktop, such as miosa-desktop"));
        var now = time.GetUtcNow();
        var end = now.AddSeconds(expiresIn);
        if (caller.ExpiresAt < end)
            end = caller.ExpiresAt.Value;
        var (row, text, full) = await grants.GrantStreamAsync(computer, end, !isReadOnly, caller.KeyId, passwordId: null, context.RequestAborted);
        return row is null ? (null, full) : (new Minted(computer.Row.Id, text, end, (int)(end - now).TotalSeconds), null);
    }

    private async Task AskAsync(HttpContext context, Refusal refusal, bool isWrong)
    {
        context.Features.Get<AuditCall>()?.Refused(refusal);
        if (refusal.Code == ErrorCodes.InvalidToken)
            context.Response.Headers.WWWAuthenticate = "Bearer";
        if (!ViewerPage.Wants(context.Request))
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        var computer = access.Find(context);
        await page.AskAsync(context, computer?.Row, refusal, computer?.Previews.ViewerPassword is not null, isWrong);
    }

    private static void Redirect(HttpContext context, Minted made, int status)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.Headers.Location = $"{ViewerAddress.PathOf(made.Computer)}?{ViewerAddress.TokenParameter}={made.Text}";
        context.Response.StatusCode = status;
    }

    /// <summary>Of the page's form, or of a JSON body; null when there is none.</summary>
    private static async Task<string?> PasswordInAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxFormBytes;
        if (context.Request.HasFormContentType)
        {
            try
            {
                return (await context.Request.ReadFormAsync(context.RequestAborted))["password"].ToString() is { Length: > 0 } typed ? typed.Trim() : null;
            }
            catch (InvalidDataException)
            {
                return null;
            }
        }
        var (fields, _) = await Body.ReadAsync(context, Aliases.None, MaxFormBytes);
        return fields.Body["password"] is JsonValue ? fields.Text("password")?.Trim() : null;
    }
}

internal static class ViewerRoutes
{
    public static void MapViewer(this IEndpointRouteBuilder routes)
    {
        ViewerEndpoints.Map(routes.MapGroup(Routes.Base));
        var files = routes.ServiceProvider.GetRequiredService<ViewerFiles>();
        routes.MapStream("GET", ViewerFiles.Path, files.ServeAsync).OpenToAll();
    }
}
