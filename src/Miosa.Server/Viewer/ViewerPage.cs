using System.Net;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;
using Miosa.Server.Branding;
using Miosa.Server.Host;
using Miosa.Server.Lifecycle;
using Miosa.Server.Storage;

namespace Miosa.Server.Viewer;

/// <summary>
/// The page that shows a desktop, and the one that asks for the viewer password, in the colours of the computer's tenant. No script runs on them but ours, and
/// they are shown in frames of the sites that the operator named (setting <c>viewer-frames</c>).
/// </summary>
internal sealed class ViewerPage(TenantRows<BrandingRow> brandings, ViewerFiles files, ServerSettings settings)
{
    private const string Look = """
        *{box-sizing:border-box}html,body{height:100%}
        body{font:14px/1.5 system-ui,sans-serif;margin:0;background:#14181f;color:#e8ecf2}
        p{color:#9aa5b5;margin:0}h1{font-size:1.15rem;margin:0 0 .4rem}
        header{display:flex;align-items:center;gap:.5rem;min-width:0}header img{max-height:1.5rem;max-width:9rem}header b{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        button,input,textarea{font:inherit;color:inherit}
        button{background:#ffffff14;border:1px solid #ffffff26;border-radius:.4rem;padding:.15rem .6rem;cursor:pointer}button:hover{background:#ffffff2b}button[aria-pressed=true]{background:#ffffff3d}
        i{display:inline-block;width:1.75rem;height:1.75rem;margin-bottom:1rem;border:3px solid #7a8699;border-top-color:#4a7dff;border-radius:50%;animation:t 1s linear infinite}
        @keyframes t{to{transform:rotate(1turn)}}[hidden]{display:none!important}footer{font-size:12px}a{color:inherit}
        """;

    private const string Stage = """
        body{display:grid;grid-template-rows:auto 1fr}
        nav{display:flex;align-items:center;gap:.6rem;padding:.3rem .7rem;background:#00000038;border-bottom:1px solid #ffffff1a;min-height:2.5rem}
        nav span{flex:1}#state{opacity:.75;white-space:nowrap}#state::before{content:"";display:inline-block;width:.55rem;height:.55rem;border-radius:50%;background:#d9a441;margin-right:.4rem}
        body[data-state=connected] #state::before{background:#3fb950}body[data-state=stopped] #state::before,body[data-state=ended] #state::before{background:#8b949e}
        #stage{position:relative;overflow:hidden;min-height:0}#screen{position:absolute;inset:0}
        #cover{position:absolute;inset:0;display:grid;place-items:center;text-align:center;padding:2rem;background:#14181fe6;z-index:2}
        #paste{position:absolute;top:.5rem;right:.5rem;width:min(24rem,90%);z-index:3;background:#1d232d;color:#e8ecf2;border:1px solid #ffffff26;border-radius:.6rem;padding:.7rem;box-shadow:0 8px 30px #0008}
        #paste textarea{width:100%;height:8rem;background:#0d1117;border:1px solid #ffffff26;border-radius:.4rem;padding:.4rem;resize:vertical;margin-bottom:.4rem}
        """;

    private const string Gate = """
        body{display:grid;place-items:center}main{max-width:26rem;padding:2rem;text-align:center}header{justify-content:center;margin-bottom:1.5rem}
        form{margin-top:1.2rem;display:flex;gap:.5rem;justify-content:center}input{background:#ffffff14;border:1px solid #ffffff33;border-radius:.4rem;padding:.4rem .6rem;min-width:0}button{padding:.4rem 1rem}footer{margin-top:1.5rem}
        """;

    public static bool Wants(HttpRequest request) =>
        MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted) && accepted.Any(type => type.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase));

    /// <summary>The desktop; what it cannot show now it says itself, and goes on when it can.</summary>
    public Task ShowAsync(HttpContext context, Machine computer, string token, bool mayControl)
    {
        var brand = PageBrand.Of(brandings.Of(computer.TenantId));
        var name = computer.Name ?? computer.Slug;
        var (attributes, tools) = (
            $"data-state=\"connecting\" data-socket=\"{Text(ViewerAddress.SocketPathOf(computer.Id))}\" data-token=\"{Text(token)}\" data-control=\"{(mayControl ? "yes" : "no")}\"",
            mayControl ? """<button id="clipboard" type="button" aria-pressed="false">Clipboard</button><button id="resize" type="button" aria-pressed="false" title="The desktop gets the size of this window">Match size</button>""" : "");
        return WriteAsync(context, 200, brand, name, Stage, attributes, formAction: "'none'", nonce =>
            $"""
            <nav>{(brand.Above.Length > 0 ? brand.Above : $"<header><b>{Text(name)}</b></header>")}<span></span><output id="state" role="status">Connecting</output>{(mayControl ? "" : "<small>view only</small>")}{tools}<button id="fit" type="button" aria-pressed="true" title="The whole desktop in this window">Fit</button><button id="full" type="button">Full screen</button></nav>
            <div id="stage"><div id="screen"></div>
            <div id="cover"><div><i id="wait"></i><h1 id="title">Connecting</h1><p id="text"></p>{brand.Below}</div></div>
            <form id="paste" hidden><p>The computer's clipboard. What you copy there appears here.</p><textarea id="copied" spellcheck="false" aria-label="clipboard of the computer"></textarea><button id="send" type="submit">Send to the computer</button></form></div>
            <script type="module" nonce="{nonce}" src="{ViewerFiles.Path}?v={files.Version}"></script>
            """);
    }

    /// <summary>For whoever comes without a token, or with one that is over.</summary>
    public Task AskAsync(HttpContext context, Machine? computer, Refusal refusal, bool hasPassword, bool isWrong)
    {
        var brand = computer is null ? PageBrand.None : PageBrand.Of(brandings.Of(computer.TenantId));
        var (title, text) = isWrong ? ("That is not the password", "Or it was replaced meanwhile: ask whoever owns the computer for the new one.")
            : refusal.Status == 429 ? ("Too many tries", "Wait a minute, then try again.")
            : refusal.Status == 404 ? ("There is nothing here", "The computer of this address was deleted, or there never was one.")
            : refusal.Status is 409 or 503 ? ("The desktop is not available", refusal.Message)
            : ("This desktop is private", "It opens with a link from whoever owns the computer. If yours used to work, it has ended or was revoked.");
        var form = hasPassword && refusal.Status is 401 ? """<form method="post"><input type="password" name="password" placeholder="Viewer password" autocomplete="off" required autofocus><button>Open</button></form>""" : "";
        return WriteAsync(context, refusal.Status, brand, title, Gate, "", formAction: "'self'", _ => $"<main>{brand.Above}<h1>{Text(title)}</h1><p>{Text(text)}</p>{form}{brand.Below}</main>");
    }

    private async Task WriteAsync(HttpContext context, int status, PageBrand brand, string title, string style, string attributes, string formAction, Func<string, string> content)
    {
        var nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        var headers = context.Response.Headers;
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        headers.CacheControl = "no-store";
        // The token stands in the address.
        headers["Referrer-Policy"] = "no-referrer";
        headers.XContentTypeOptions = "nosniff";
        // data: is how noVNC makes the pointer's picture.
        headers.ContentSecurityPolicy =
            $"default-src 'none'; img-src data: blob: {string.Join(' ', brand.ImageSources)}; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; form-action {formAction}; frame-ancestors {settings.ViewerFrames}";
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        await context.Response.WriteAsync(
            $"""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{Text(title)}</title>{brand.Head}
            <style nonce="{nonce}">{Look}{style}{brand.Style}</style></head><body {attributes}>{content(nonce)}</body></html>
            """,
            context.RequestAborted);
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
