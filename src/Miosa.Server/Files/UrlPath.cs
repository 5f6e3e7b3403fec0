using Microsoft.AspNetCore.Http.Features;
using Miosa.Server.Host;

namespace Miosa.Server.Files;

/// <summary>
/// The file named by the tail of a URL. Read from the request target as it was sent: the server's own path has been decoded already except
/// for %2F, so decoding it again would turn the name "100%2525" into "100%". A %2F counts as a slash (contract, sandboxesFilesRead).
/// </summary>
internal static class UrlPath
{
    public static string Of(HttpContext context) =>
        Of(context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "", context.PathValue("file_path"));

    /// <param name="target">The raw request target, such as <c>/api/v1/sandboxes/sbx_1/files/app/a%20b?x=1</c>.</param>
    /// <param name="routed">The tail as routing decoded it; the fallback for a target that routing has rewritten.</param>
    public static string Of(string target, string routed)
    {
        var query = target.IndexOf('?', StringComparison.Ordinal);
        var path = query < 0 ? target : target[..query];
        var tail = Tail(path) ?? routed.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        return "/" + tail.TrimStart('/');
    }

    // sandboxes / id / files / the tail. Repeated slashes before the tail are one, as everywhere in a request.
    private static string? Tail(string path)
    {
        var segments = 0;
        var afterSandboxes = -1;
        for (var i = 0; i < path.Length;)
        {
            while (i < path.Length && path[i] == '/')
                i++;
            var end = path.IndexOf('/', i);
            if (end < 0)
                return null;
            var segment = path[i..end];
            segments++;
            if (segment is "." or "..")
                return null;
            if (afterSandboxes < 0 && segment == "sandboxes")
                afterSandboxes = segments;
            else if (afterSandboxes >= 0 && segments == afterSandboxes + 2)
                return segment == "files" ? Uri.UnescapeDataString(path[(end + 1)..]) : null;
            i = end;
        }
        return null;
    }
}
