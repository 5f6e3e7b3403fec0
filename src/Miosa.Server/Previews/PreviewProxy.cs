using Microsoft.AspNetCore.Http.Features;
using Miosa.Guest;
using Miosa.Server.Branding;
using Miosa.Server.Files;
using Miosa.Server.Guests;
using Miosa.Server.Host;
using Miosa.Server.Keys;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;
using Yarp.ReverseProxy.Forwarder;

namespace Miosa.Server.Previews;

/// <summary>
/// Requests for a port of a sandbox, by host name (<c>3000-acme-….localhost</c>) or path (<c>/p/ID/3000/…</c>):
/// who may, then whether the machine may be used (a paused persistent one is resumed), then on to the port through its guest.
/// </summary>
internal sealed class PreviewProxy(
    PreviewHosts hosts, MachineDirectory directory, Machines machines, ApiKeys keys, PreviewPools pools, IHttpForwarder forwarder, TenantRows<BrandingRow> brandings, Shutdown shutdown, TimeProvider time)
{
    private const string PathForm = "/p/";

    /// <summary>The host of the requests as the pool sees it; where they go is decided by the pool.</summary>
    private const string Destination = "http://sandbox/";

    private static readonly ForwarderRequestConfig Config = new()
    {
        Version = System.Net.HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        // An event stream may be silent for long; who vanishes is noticed by the connection.
        ActivityTimeout = TimeSpan.FromHours(1),
    };

    public Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (hosts.Parse(request.Host) is { } name)
        {
            var machine = name.Part.Length == 0 ? null : directory.FindByHostPart(name.Part);
            // A tenant's domain leads to the tenant's own machines, whatever part stands before it.
            if (name.TenantId is { } owner && machine?.Row.TenantId != owner)
                return PreviewPages.UnknownAsync(context, brandings.Of(owner));
            return ServeAsync(context, machine, name.Port, prefix: "", RawPath(context));
        }
        if (!request.Path.StartsWithSegments("/p", StringComparison.Ordinal))
            return next(context);
        return ByPathAsync(context);
    }

    private Task ByPathAsync(HttpContext context)
    {
        var raw = RawPath(context);
        var parts = raw.Split('/', 5);
        // "", p, ID, PORT, rest
        if (!raw.StartsWith(PathForm, StringComparison.Ordinal) || parts.Length < 4 || !PreviewHosts.TryPort(parts[3], out var port))
            return PreviewPages.UnknownAsync(context, brand: null);
        var prefix = $"{PathForm}{parts[2]}/{parts[3]}";
        if (parts.Length == 4)
        {
            // Relative links of the page need the slash.
            context.Response.Redirect(prefix + "/" + context.Request.QueryString);
            return Task.CompletedTask;
        }
        return ServeAsync(context, directory.Find(parts[2]), port, prefix, "/" + parts[4]);
    }

    private async Task ServeAsync(HttpContext context, Resident? machine, int port, string prefix, string path)
    {
        if (machine is null || !machine.Row.IsLive)
        {
            await PreviewPages.UnknownAsync(context, brand: null);
            return;
        }
        var brand = brandings.Of(machine.Row.TenantId);
        var pass = await PassAsync(context.Request, machine, port, context.RequestAborted);
        if (pass is not { } granted)
        {
            await PreviewPages.ForbiddenAsync(context, brand, machine.Row.Kind);
            return;
        }
        if (granted.Secret is { } secret && HttpMethods.IsGet(context.Request.Method) && !context.WebSockets.IsWebSocketRequest && !IsUpgrade(context))
        {
            KeepInCookie(context, secret, granted.ExpiresAt, prefix);
            return;
        }
        if (!granted.MayWrite && (IsUpgrade(context) || !(HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method) || HttpMethods.IsOptions(context.Request.Method))))
        {
            await PreviewPages.ReadOnlyAsync(context, brand, machine.Row.Kind);
            return;
        }
        if (!machine.Previews.TryEnter())
        {
            await PreviewPages.RefusedAsync(context, brand, machine.Row.Kind, Refusal.Unavailable($"too many requests to this {machine.Row.Kind} at once"));
            return;
        }
        try
        {
            using var lease = machine.Enter(time);
            await ForwardAsync(context, machine, port, granted, new PreviewTransform(path, PreviewSecrets.Stripped(context.Request), prefix));
        }
        finally
        {
            machine.Previews.Leave();
        }
    }

    private async Task ForwardAsync(HttpContext context, Resident machine, int port, Pass pass, PreviewTransform transform)
    {
        var brand = brandings.Of(machine.Row.TenantId);
        var admitted = await machines.AdmitAsync(machine, AdmitFor.Preview, context.RequestAborted);
        if (admitted.Refusal is { } refusal)
        {
            await PreviewPages.RefusedAsync(context, brand, machine.Row.Kind, refusal);
            return;
        }
        LongStream.Allow(context);
        // What was let in ends with what let it in: an open WebSocket must not outlive its link.
        using var end = new RequestEnd(context, pass.ExpiresAt, time, held: null, pass.Ended);
        using var stop = shutdown.Late.UnsafeRegister(static state => ((HttpContext)state!).Abort(), context);
        var error = await forwarder.SendAsync(context, Destination, pools.Of(admitted.Guest, port), Config, transform);
        if (error == ForwarderError.None || context.Response.HasStarted)
            return;
        // The forwarder has set a status of its own, and perhaps headers.
        context.Response.Clear();
        context.Response.Headers[RequestIds.Header] = context.RequestId();
        var cause = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        if (Causes(cause).OfType<GuestException>().Any(e => e.Code == GuestErrorCode.NotFound))
            await PreviewPages.NothingListensAsync(context, brand, machine.Row.Kind, port);
        else if (error is not (ForwarderError.RequestCanceled or ForwarderError.RequestBodyCanceled))
            await PreviewPages.FailedAsync(context, brand, machine.Row.Kind, error == ForwarderError.RequestTimedOut);
    }

    /// <summary>What lets a request in. <paramref name="Secret"/>: it stood in the address and is to be moved into a cookie.</summary>
    private readonly record struct Pass(bool MayWrite, CancellationToken Ended, DateTimeOffset? ExpiresAt = null, string? Secret = null);

    private async ValueTask<Pass?> PassAsync(HttpRequest request, Resident machine, int port, CancellationToken ct)
    {
        // What stands in the address counts first: it is newer than a cookie. A bad one is told, even where none is needed.
        if (PreviewSecrets.InQuery(request) is { } asked)
            return Granted(machine, asked, port) is { } live ? new Pass(live.Row.MayWrite, live.Ended, live.Row.ExpiresAt, asked) : null;
        if (machine.Previews.OfPort(port) is { } open && open.Row.IsOpen(machine.Row))
            return new Pass(MayWrite: true, open.Ended);
        if (PreviewSecrets.ApiKey(request) is { } text && await keys.FindAsync(text, request.HttpContext.Connection.RemoteIpAddress, ct) is { Key: { } key, Caller: { } caller } found)
        {
            // Held until the end of the request, whatever lets it in: so its end is not missed.
            request.HttpContext.Response.RegisterForDispose(new RequestEnd(request.HttpContext, expiresAt: null, time, key, CancellationToken.None));
            var (read, write) = machine.Row.IsComputer ? (Scopes.ComputersRead, Scopes.ComputersWrite) : (Scopes.SandboxesRead, Scopes.SandboxesWrite);
            if (caller.Sees(machine.Row) && caller.Has(read))
                return new Pass(caller.Has(write), key.Ended, found.TokenEnds);
        }
        return PreviewSecrets.InHeaderOrCookie(request) is { } held && Granted(machine, held, port) is { } grant
            ? new Pass(grant.Row.MayWrite, grant.Ended, grant.Row.ExpiresAt)
            : null;
    }

    private Live<PreviewGrantRow>? Granted(Resident machine, string secret, int port) =>
        GrantText.HashOf(secret) is { } hash ? machine.Previews.Open(hash, port, time.GetUtcNow()) : null;

    /// <summary>The secret leaves the address bar, the history and the Referer at once.</summary>
    private static void KeepInCookie(HttpContext context, string secret, DateTimeOffset? expires, string prefix)
    {
        var request = context.Request;
        context.Response.Cookies.Append(PreviewSecrets.Cookie, secret, new CookieOptions
        {
            HttpOnly = true,
            Secure = request.IsHttps,
            // Inside another site's frame only a cookie of this kind is sent, and browsers take it with TLS only.
            SameSite = request.IsHttps ? SameSiteMode.None : SameSiteMode.Lax,
            Path = prefix + "/",
            Expires = expires,
        });
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.Redirect(RawPath(context) + PreviewSecrets.Stripped(request));
    }

    private static bool IsUpgrade(HttpContext context) =>
        context.Request.Headers.Upgrade.Count > 0 || context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true };

    /// <summary>As it was sent, escapes and all: what it means is the server's business in the sandbox.</summary>
    private static string RawPath(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "/";
        // Absolute form, "*" and authority form are for proxies of another kind.
        if (!target.StartsWith('/'))
            target = context.Request.Path.ToUriComponent() is { Length: > 0 } path ? path : "/";
        var question = target.IndexOf('?', StringComparison.Ordinal);
        target = question < 0 ? target : target[..question];
        // "//host/path" as a redirect would lead away; browsers take a backslash for a slash.
        return "/" + target.TrimStart('/', '\\');
    }

    private static IEnumerable<Exception> Causes(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
            yield return e;
    }
}
