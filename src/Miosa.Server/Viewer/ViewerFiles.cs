using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;
using Miosa.Server.Host;

namespace Miosa.Server.Viewer;

/// <summary>The script of the viewer's page: noVNC and what drives it, bundled into one file by <c>./dev build</c>, which lies beside the server.</summary>
internal sealed class ViewerFiles
{
    public const string Path = "/viewer/novnc.js";

    private readonly byte[] script;
    private readonly byte[] zipped;

    public ViewerFiles()
    {
        var file = System.IO.Path.Combine(AppContext.BaseDirectory, "viewer", "novnc.js");
        script = File.Exists(file) ? File.ReadAllBytes(file) : [];
        Version = Convert.ToHexStringLower(SHA256.HashData(script))[..16];
        using var small = new MemoryStream();
        using (var gzip = new GZipStream(small, CompressionLevel.SmallestSize))
            gzip.Write(script);
        zipped = small.ToArray();
    }

    /// <summary>False when the server was built without it.</summary>
    public bool IsThere => script.Length > 0;

    /// <summary>Changes with the file: a browser keeps the one it has until then.</summary>
    public string Version { get; }

    public async Task ServeAsync(HttpContext context)
    {
        if (!IsThere)
        {
            await Reply.Refuse(Refusal.Unavailable("the viewer's script is missing on this server: ./dev build makes it", retryAfter: 60)).ExecuteAsync(context);
            return;
        }
        var tag = $"\"{Version}\"";
        var headers = context.Response.Headers;
        headers.ETag = tag;
        headers.XContentTypeOptions = "nosniff";
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.CacheControl = context.Request.Query["v"] == Version ? "public, max-age=31536000, immutable" : "no-cache";
        if (context.Request.Headers.IfNoneMatch == tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }
        var isZipped = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        if (isZipped)
            headers.ContentEncoding = "gzip";
        context.Response.ContentType = "text/javascript; charset=utf-8";
        var body = isZipped ? zipped : script;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }
}
