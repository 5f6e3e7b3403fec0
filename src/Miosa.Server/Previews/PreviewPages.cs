using System.Net;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;
using Miosa.Server.Branding;
using Miosa.Server.Host;

namespace Miosa.Server.Previews;

/// <summary>What a preview answers when the sandbox does not: a page for people, in the colours of the sandbox's tenant, and an error body for programs.</summary>
internal static class PreviewPages
{
    /// <summary>Says that an answer is ours; the waiting page asks for it.</summary>
    public const string Header = "X-Miosa-Preview";

    private const string Waiting = "waiting";

    // Both ways to look again: without scripts the browser does it, with them the page is left only when there is something to see.
    private const string Again = """
        <noscript><meta http-equiv="refresh" content="2"></noscript>
        <script nonce="NONCE">
        setInterval(async () => {
          try {
            const answer = await fetch(location.href, { cache: "no-store", headers: { "Accept": "text/html" } });
            if (answer.headers.get("X-Miosa-Preview") !== "waiting") location.reload();
          } catch { }
        }, 700);
        </script>
        """;

    public static Task NothingListensAsync(HttpContext context, BrandingRow? brand, string kind, int port) => WriteAsync(
        context, brand, new Refusal(ErrorCodes.PreviewUnreachable, $"nothing listens on port {port} of the {kind}"), $"Waiting for port {port}",
        $"Nothing in the {kind} listens on port {port} yet. This page shows it as soon as it does.", Waiting);

    public static Task ForbiddenAsync(HttpContext context, BrandingRow? brand, string kind) => WriteAsync(
        context, brand, new Refusal(ErrorCodes.Forbidden, "this preview needs a link or a token that is good"), "This preview is private",
        $"It opens with a link or a token from whoever owns the {kind}. If yours used to work, it has ended or was revoked.", "forbidden");

    public static Task ReadOnlyAsync(HttpContext context, BrandingRow? brand, string kind) => WriteAsync(
        context, brand, new Refusal(ErrorCodes.Forbidden, "this link is for looking only: GET, HEAD and OPTIONS, no WebSocket"), "This link is for looking only",
        $"What you tried would change something in the {kind}.", "forbidden");

    public static Task UnknownAsync(HttpContext context, BrandingRow? brand) => WriteAsync(
        context, brand, Refusal.NotFound("preview"), "There is nothing here", "The sandbox of this address has ended, or there never was one.", "unknown");

    public static Task RefusedAsync(HttpContext context, BrandingRow? brand, string kind, Refusal refusal) => WriteAsync(
        context, brand, refusal, $"The {kind} is not available", refusal.Message, refusal.Status == 503 ? Waiting : "refused");

    public static Task FailedAsync(HttpContext context, BrandingRow? brand, string kind, bool isTimeout) => WriteAsync(
        context,
        brand,
        isTimeout
            ? new Refusal(ErrorCodes.PreviewTimedOut, $"the server in the {kind} did not answer")
            : new Refusal(ErrorCodes.PreviewUnreachable, $"the server in the {kind} broke off before it answered"),
        "No answer", isTimeout ? $"The server in the {kind} took the request and did not answer." : $"The server in the {kind} broke off before it answered.", "failed");

    private static async Task WriteAsync(HttpContext context, BrandingRow? brand, Refusal refusal, string title, string text, string what)
    {
        if (context.Response.HasStarted)
            return;
        context.Response.Headers[Header] = what;
        context.Response.Headers.CacheControl = "no-store";
        if (!WantsPage(context.Request))
        {
            await Reply.Refuse(refusal).ExecuteAsync(context);
            return;
        }
        var page = PageBrand.Of(brand);
        var nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(18));
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "text/html; charset=utf-8";
        // A branding's author is not the reader's friend: no script, style or form of his, no picture from elsewhere than he said, nothing told to it.
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; img-src {(page.ImageSources.Count == 0 ? "'none'" : string.Join(' ', page.ImageSources))}; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; form-action 'none'";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        await context.Response.WriteAsync(
            $$$"""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{{WebUtility.HtmlEncode(title)}}}</title>{{{page.Head}}}
            <style nonce="{{{nonce}}}">
            body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;background:#f6f7f9;color:#1c2430}
            main{max-width:30rem;padding:2rem;text-align:center}h1{font-size:1.25rem;margin:0 0 .5rem}p{margin:0;color:#5a6576}
            header{margin-bottom:1.5rem}header img{max-width:12rem;max-height:3rem;vertical-align:middle;margin:0 .5rem}header b{font-size:1.25rem;overflow-wrap:anywhere}footer{margin-top:1.5rem}
            i{display:inline-block;width:1.75rem;height:1.75rem;margin-bottom:1rem;border:3px solid #d5dae2;border-top-color:#4a7dff;border-radius:50%;animation:t 1s linear infinite}
            @keyframes t{to{transform:rotate(1turn)}}@media(prefers-color-scheme:dark){body{background:#14181f;color:#e8ecf2}p{color:#9aa5b5}}
            {{{page.Style}}}
            </style></head><body><main>{{{page.Above}}}{{{(what == Waiting ? "<i></i>" : "")}}}<h1>{{{WebUtility.HtmlEncode(title)}}}</h1><p>{{{WebUtility.HtmlEncode(text)}}}</p>{{{page.Below}}}</main>
            {{{(what == Waiting ? Again.Replace("NONCE", nonce, StringComparison.Ordinal) : "")}}}</body></html>
            """,
            context.RequestAborted);
    }

    private static bool WantsPage(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted)
        && accepted.Any(type => type.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase));
}
