using Microsoft.Net.Http.Headers;
using Yarp.ReverseProxy.Forwarder;

namespace Miosa.Server.Previews;

/// <summary>
/// What changes on the way. To the sandbox: our secrets are taken out, forwarding headers are ours and not the client's. From it: a cookie is for its
/// own host (and, in the path form, its own path) and nothing wider.
/// </summary>
/// <param name="path">The path that the server in the sandbox sees, as it was sent.</param>
/// <param name="query">Without our secrets.</param>
/// <param name="prefix">Of the path form: <c>/p/ID/PORT</c>; empty with a host of its own.</param>
internal sealed class PreviewTransform(string path, QueryString query, string prefix) : HttpTransformer
{
    private static readonly string[] Forwarding = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-IP"];

    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        var request = httpContext.Request;
        proxyRequest.RequestUri = new Uri(destinationPrefix.TrimEnd('/') + path + query, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var headers = proxyRequest.Headers;
        foreach (var name in Forwarding)
            headers.Remove(name);
        PreviewSecrets.Strip(headers);
        headers.Host = request.Host.Value;
        headers.TryAddWithoutValidation("X-Forwarded-For", httpContext.Connection.RemoteIpAddress?.ToString());
        headers.TryAddWithoutValidation("X-Forwarded-Host", request.Host.Value);
        headers.TryAddWithoutValidation("X-Forwarded-Proto", request.Scheme);
        if (prefix.Length > 0)
            headers.TryAddWithoutValidation("X-Forwarded-Prefix", prefix);
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (!await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken))
            return false;
        var headers = httpContext.Response.Headers;
        // That is ours to say.
        headers.Remove(PreviewPages.Header);
        // It would clear the cookies of the whole domain, other previews' included.
        headers.Remove("Clear-Site-Data");
        if (headers.SetCookie is { Count: > 0 } cookies)
            headers.SetCookie = cookies.Where(cookie => cookie is not null && !IsOurs(cookie)).Select(cookie => Narrowed(cookie!)).ToArray();
        // In the path form all previews and the API share one origin: a page must not have it.
        if (prefix.Length > 0)
            headers.Append(HeaderNames.ContentSecurityPolicy, "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads");
        return true;
    }

    private static bool IsOurs(string cookie) => cookie.TrimStart().StartsWith(PreviewSecrets.Cookie + "=", StringComparison.OrdinalIgnoreCase);

    private string Narrowed(string cookie)
    {
        var parts = cookie.Split(';');
        var kept = parts.Where((part, at) => at == 0 || !(Is(part, "domain") || (prefix.Length > 0 && Is(part, "path"))));
        return string.Join(';', kept) + (prefix.Length > 0 ? "; path=" + prefix + "/" : "");
    }

    private static bool Is(string part, string name) => part.Split('=', 2)[0].Trim().Equals(name, StringComparison.OrdinalIgnoreCase);
}
